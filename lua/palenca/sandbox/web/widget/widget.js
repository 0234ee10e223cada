// The widget: asks a worker, step by step, for what connects an account, and shows the outcome.
import { ask, el, svg } from "/assets/dom.js";
import { addressAfter, idsOf, postSignal } from "/assets/widget_messages.js";
import { chooseLanguage, texts } from "/assets/widget_texts.js";

// Milliseconds that the success is shown before the next page is opened.
const LEAVE_AFTER = 3000;

const query = new URLSearchParams(location.search);
const given = (name) => query.get(name) || undefined;
const $ = (id) => document.getElementById(id);

const state = {
  lang: chooseLanguage(given("lang")),
  step: "loading",
  country: null,
  platform: null,
  kind: "phone",
  typed: { phone: "", email: "", gov_id: "" },
  consent: given("hide_consent") === "true",
  login: null,
  problem: null,
};
let config;

const say = () => texts[state.lang];
const platformOf = () => config.platforms.find((one) => one.code === state.platform);
const countryOf = () => config.countries.find((one) => one.code === state.country);

// The items of a list that the URL selects, such as platforms=uber,rappi; by default all.
function picked(list, name) {
  const codes = (given(name) ?? "").split(",");
  const found = list.filter((one) => codes.includes(one.code));
  return found.length > 0 ? found : list;
}

// The values that the URL determines.
function decided(list, name) {
  if (list.some((one) => one.code === given(name))) return given(name);
  return list.length === 1 ? list[0].code : null;
}

// The steps of this visit; values that the URL determines are not asked for.
function steps() {
  return [
    decided(config.countries, "country") ? [] : "country",
    decided(config.platforms, "platform") ? [] : "platform",
    "credentials", "result",
  ].flat();
}

function go(step) {
  state.step = step;
  draw(true);
}

function heading(title, lead) {
  return [
    el("h1", { tabindex: "-1", id: "heading" }, title),
    lead ? el("p", { class: "lead" }, lead) : null,
  ];
}

function problem(id) {
  return el("p", { class: "problem", id: `${id}-problem` });
}

// Shows an error beside its field, and announces it to screen readers.
function complain(id, message) {
  const place = $(`${id}-problem`);
  const input = $(id);
  place.textContent = message;
  $("announce").textContent = message;
  input?.setAttribute("aria-invalid", "true");
  input?.closest(".box")?.classList.add("wrong");
  (input ?? document.querySelector("main input"))?.focus();
}

function clearProblems() {
  for (const place of document.querySelectorAll(".problem")) place.textContent = "";
  for (const input of document.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    input.closest(".box")?.classList.remove("wrong");
  }
  $("alert")?.remove();
}

function alertAbove(form, message) {
  $("alert")?.remove();
  form.prepend(el("p", { class: "alert", id: "alert", role: "alert" }, message));
}

function actions(label, testid, back) {
  return el("div", { class: "actions" },
    el("button", { class: "button main", type: "submit", "data-testid": testid }, label),
    back ? el("button", { class: "button plain", type: "button", "data-testid": "back",
      onclick: back }, say().back) : null);
}

function choice(name, item, checked, mark) {
  return el("label", { class: "option" },
    el("input", { type: "radio", name, value: item.code, checked,
      "data-testid": `${name}-${item.code}` }),
    mark, el("span", { class: "name" }, item.name));
}

function badge(text) {
  return el("span", { class: "badge", "aria-hidden": "true" }, text);
}

function choiceForm(name, title, lead, groups, missing, done, back) {
  return el("form", {
    novalidate: true,
    onsubmit(event) {
      event.preventDefault();
      const chosen = new FormData(event.target).get(name);
      if (chosen) done(chosen);
      else complain(name, missing);
    },
  },
  heading(title, lead),
  groups.map(([label, options]) => el("fieldset", { "aria-describedby": `${name}-problem` },
    el("legend", { class: groups.length > 1 ? "lead" : "hidden" }, label),
    el("div", { class: "options two" }, options))),
  problem(name),
  actions(say().next, "continue", back));
}

function drawCountry() {
  const options = config.countries.map((item) => choice("country", item,
    item.code === state.country, badge(item.code.toUpperCase())));
  return choiceForm("country", say().country, say().countryLead, [[say().country, options]],
    say().needCountry, (code) => {
      state.country = code;
      go(nextAfter("country"));
    });
}

function drawPlatform() {
  const groups = ["gig", "employment"].map((category) => {
    const offered = config.platforms.filter((item) => item.category === category
      && item.countries.includes(state.country) && !/^(nom|mc)_|^nominativa$/.test(item.code));
    return [say()[category], offered.map((item) => choice("platform", item,
      item.code === state.platform, badge(item.name.slice(0, 1))))];
  }).filter(([, options]) => options.length > 0);
  return choiceForm("platform", say().platform, say().platformLead, groups, say().needPlatform,
    (code) => {
      state.platform = code;
      go("credentials");
    }, steps().includes("country") ? () => history.back() : null);
}

function nextAfter(step) {
  const list = steps();
  return list[list.indexOf(step) + 1];
}

function tabs(kinds) {
  if (kinds.length < 2) return null;
  return el("fieldset", null, el("legend", { class: "hidden" }, say().credentialsLead),
    el("div", { class: "tabs" }, kinds.map((kind) => el("label", null,
      el("input", { type: "radio", name: "kind", value: kind,
        checked: kind === state.kind, "data-testid": `tab-${kind}`,
        onchange() {
          keepTyped();
          state.kind = kind;
          draw(false);
          document.querySelector(`[data-testid="tab-${kind}"]`).focus();
        } }), say()[kind]))));
}

const inputs = {
  phone: { type: "tel", autocomplete: "tel-national", inputmode: "tel" },
  email: { type: "email", autocomplete: "username", inputmode: "email", autocapitalize: "none" },
  gov_id: { type: "text", autocomplete: "off", autocapitalize: "characters" },
};

function identifierField() {
  const label = { phone: say().phoneLabel, email: say().emailLabel, gov_id: say().gov_id };
  return el("div", { class: "field" },
    el("label", { for: "identifier" }, label[state.kind]),
    el("div", { class: "box" },
      state.kind === "phone" ? el("span", { class: "prefix" }, countryOf()?.calling_code) : null,
      el("input", { id: "identifier", name: "identifier", "data-testid": "identifier",
        "aria-describedby": "identifier-problem", value: state.typed[state.kind],
        ...inputs[state.kind] })),
    problem("identifier"));
}

function passwordField() {
  if (state.kind !== "email") return null;
  const input = el("input", { id: "password", name: "password", type: "password",
    autocomplete: "current-password", "data-testid": "password",
    "aria-describedby": "password-problem" });
  const toggle = el("button", { type: "button", "aria-controls": "password", onclick() {
    const hidden = input.type === "password";
    input.type = hidden ? "text" : "password";
    toggle.textContent = hidden ? say().hide : say().show;
  } }, say().show);
  return el("div", { class: "field" },
    el("label", { for: "password" }, say().password),
    el("div", { class: "box" }, input, toggle),
    problem("password"));
}

function keepTyped() {
  const form = document.querySelector("main form");
  if (form?.identifier) state.typed[state.kind] = form.identifier.value;
  if (form?.consent) state.consent = form.consent.checked;
}

function consentField() {
  if (given("hide_consent") === "true") return null;
  return [
    el("label", { class: "consent" },
      el("input", { type: "checkbox", id: "consent", name: "consent", checked: state.consent,
        "data-testid": "consent", "aria-describedby": "consent-problem" }),
      el("span", null, say().consent)),
    problem("consent"),
  ];
}

function drawCredentials() {
  const platform = platformOf();
  if (!platform.identifiers.includes(state.kind)) state.kind = platform.identifiers[0];
  const before = steps().filter((step) => step !== "credentials" && step !== "result");
  return el("form", { novalidate: true, onsubmit: submitCredentials },
    heading(say().credentials(platform.name), say().credentialsLead),
    tabs(platform.identifiers),
    identifierField(),
    passwordField(),
    consentField(),
    actions(say().submit, "submit", before.length > 0 ? () => history.back() : null));
}

// Any text is accepted, as in the vendor's sandbox; only an empty one is not.
function checkCredentials(form) {
  const missing = { phone: say().needPhone, email: say().needEmail, gov_id: say().needGovId };
  if (form.identifier.value.trim() === "") return ["identifier", missing[state.kind]];
  if (form.password?.value === "") return ["password", say().needPassword];
  if (form.consent?.checked === false) return ["consent", say().needConsent];
  return null;
}

// Sends once, even if the button is pressed repeatedly; returns the response if it is a success.
async function send(form, path, body) {
  const button = form.querySelector("[type=submit]");
  if (button.disabled) return null;
  const label = button.textContent;
  button.disabled = true;
  button.textContent = say().sending;
  $("announce").textContent = say().sending;
  const response = await ask("POST", path, body);
  button.disabled = false;
  button.textContent = label;
  if (response.ok) return response.data;
  const message = response.status === 0 ? say().offline : `${say().rejected} ${response.message}`;
  alertAbove(form, message);
  return null;
}

const isSuccess = (login) => login.outcome.status === "success";

// The sentence that explains an outcome to a worker.
function explained({ status, status_details: details }) {
  if (status === "success") return say().successLead;
  if (status === "incomplete") return say().incompleteLead;
  return say().details[details] ?? say().details.other;
}

function nextAddress() {
  const { redirect_url: redirectUrl } = config.widget;
  return redirectUrl && isSuccess(state.login) ? addressAfter(redirectUrl, state.login) : null;
}

function follow(login) {
  state.login = login;
  if (login.user_created) postSignal("user_created", { user_id: login.user_id });
  if (!login.outcome) {
    go("code");
    return;
  }
  if (isSuccess(login)) {
    postSignal("connection_success", idsOf(login));
  } else {
    const { status, status_details: details } = login.outcome;
    postSignal("connection_error", idsOf(login),
      { code: details ?? status, message: explained(login.outcome) });
  }
  go("result");
  const next = nextAddress();
  if (next) {
    setTimeout(() => {
      if (state.step === "result") location.assign(next);
    }, LEAVE_AFTER);
  }
}

async function submitCredentials(event) {
  event.preventDefault();
  const form = event.target;
  clearProblems();
  keepTyped();
  const wrong = checkCredentials(form);
  if (wrong) {
    complain(...wrong);
    return;
  }
  const typed = form.identifier.value.trim();
  const login = await send(form, "/widget/logins", {
    widget_id: given("widget_id"),
    external_id: given("external_id"),
    user_id: given("user_id"),
    country: state.country,
    platform: state.platform,
    identifier_type: state.kind,
    identifier: state.kind === "phone" ? `${countryOf().calling_code} ${typed}` : typed,
    password: form.password?.value,
    consent: form.consent?.checked ?? true,
  });
  if (login && form.password) form.password.value = "";
  if (login) follow(login);
}

function drawCode() {
  const typed = state.typed[state.kind];
  const who = state.kind === "phone" ? `${countryOf().calling_code} ${typed}` : typed;
  return el("form", {
    novalidate: true,
    async onsubmit(event) {
      event.preventDefault();
      const form = event.target;
      clearProblems();
      const code = form.code.value.trim();
      if (code === "") {
        complain("code", say().needCode);
        return;
      }
      const login = await send(form, `/widget/logins/${state.login.login_id}/code`, { code });
      if (login) follow(login);
    },
  },
  heading(say().code, say().codeLead(who)),
  el("div", { class: "field" },
    el("label", { for: "code" }, say().codeLabel),
    el("div", { class: "box" }, el("input", { id: "code", name: "code", class: "code",
      inputmode: "numeric", autocomplete: "one-time-code", "data-testid": "code",
      "aria-describedby": "code-problem" })),
    problem("code")),
  el("div", { class: "actions" },
    el("button", { class: "button main", type: "submit", "data-testid": "submit-code" },
      say().checkCode),
    el("button", { class: "button plain", type: "button", "data-testid": "back",
      onclick: () => go("credentials") }, say().other)));
}

function mark(good) {
  return svg("svg", { viewBox: "0 0 64 64", "aria-hidden": "true" },
    svg("circle", { class: "ring", cx: 32, cy: 32, r: 32 }),
    svg("path", { class: "mark", d: good ? "M19 33l9 9 17-19" : "M32 18v18M32 45v.5" }));
}

function drawResult() {
  const { status, status_details: details, warning } = state.login.outcome;
  const good = isSuccess(state.login);
  const note = warning && (say().warnings[warning] ?? warning);
  const next = nextAddress();
  return el("section", { class: `result ${status}`, "data-testid": "result",
    "data-status": status, "data-details": details ?? "" },
  mark(good),
  heading(good ? say().success : say()[status] ?? say().error,
    next ? say().leavingLead : explained(state.login.outcome)),
  note ? el("p", { class: "note" }, note) : null,
  el("div", { class: "actions" },
    next ? el("a", { class: "button main", href: next, "data-testid": "leave" },
      say().leave) : null,
    good ? null : el("button", { class: "button main", type: "button",
      "data-testid": "try-again", onclick: () => go("credentials") }, say().again)));
}

function drawUnavailable() {
  return el("section", { class: "result error" }, mark(false),
    heading(say().unavailable, state.problem),
    el("div", { class: "actions" }, el("button", { class: "button main", type: "button",
      onclick: load }, say().reload)));
}

const drawings = {
  loading: () => heading("…"),
  unavailable: drawUnavailable,
  country: drawCountry,
  platform: drawPlatform,
  credentials: drawCredentials,
  code: drawCode,
  result: drawResult,
};

function drawFrame() {
  document.documentElement.lang = state.lang;
  document.title = say().title;
  $("place").textContent = say().title;
  $("languages").replaceChildren(...Object.keys(texts).map((code) => el("button", {
    type: "button", lang: code, "aria-label": texts[code].language,
    "aria-pressed": String(code === state.lang), "data-testid": `lang-${code}`,
    onclick() {
      keepTyped();
      state.lang = code;
      draw(false);
      document.querySelector(`[data-testid="lang-${code}"]`).focus();
    } }, code.toUpperCase())));
  $("sandbox-note").textContent = say().sandbox;
  $("help-title").textContent = say().help;
}

function drawProgress() {
  const list = config ? steps() : [];
  const at = list.indexOf(state.step === "code" ? "credentials" : state.step);
  $("progress").replaceChildren(...list.map((_, index) => el("span",
    { class: index <= at ? "done" : "" })));
}

const cases = ["success", "incomplete", "invalid_credentials", "login_refused",
  "platform_unavailable", "not_registered", "banned", "recent_login_successful", "invalid_otp",
  "expired_otp", "rider_account"];

// Offers the test identifiers, which go into the e-mail field at a click.
function drawHelp() {
  const usable = state.step === "credentials" && platformOf()?.identifiers.includes("email");
  $("help").hidden = !usable;
  $("help-body").replaceChildren(el("p", null, say().helpBody),
    el("div", { class: "cases" }, cases.map((name) => el("button", { type: "button",
      "data-testid": `case-${name}`,
      onclick() {
        keepTyped();
        state.kind = "email";
        state.typed.email = `${state.platform}+${name}@palenca-tests.com`;
        draw(false);
        $("password").focus();
      } }, name))));
}

// `moved`: the step is a new one, so the reader is taken to its heading.
function draw(moved) {
  drawFrame();
  drawProgress();
  $("step").replaceChildren(...[drawings[state.step]()].flat(2).filter(Boolean));
  drawHelp();
  $("announce").textContent = "";
  if (!moved) return;
  const kept = ["country", "platform", "credentials"].includes(state.step);
  if (kept && history.state?.step !== state.step) history.pushState({ step: state.step }, "");
  $("heading")?.focus();
  scrollTo(0, 0);
}

addEventListener("popstate", (event) => {
  if (!event.state?.step) return;
  keepTyped();
  state.step = event.state.step;
  draw(true);
});

async function load() {
  const response = await ask("GET", `/widget/config${location.search}`);
  if (!response.ok) {
    state.problem = response.status === 0 ? null : response.message;
    go("unavailable");
    return;
  }
  config = response.data;
  const target = config.widget.redirect_url;
  if (target && !URL.canParse(target)) {
    state.problem = "redirect_url must be an absolute URL";
    go("unavailable");
    return;
  }
  config.platforms = picked(config.platforms, "platforms");
  config.countries = picked(config.countries.filter((country) =>
    config.platforms.some((one) => one.countries.includes(country.code))), "countries");
  const asked = steps();
  state.country = decided(config.countries, "country");
  state.platform = decided(config.platforms, "platform");
  state.step = asked[0];
  history.replaceState({ step: asked[0] }, "");
  draw(true);
  postSignal("ready");
}

drawFrame();
load();

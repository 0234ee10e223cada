// The widget: asks a worker, step by step, for what connects an account, and shows the outcome.
import { ask, el } from "/assets/dom.js";
import { choiceForm } from "/assets/widget_choices.js";
import { addressAfter, idsOf, postSignal } from "/assets/widget_messages.js";
import { $, buttonBar, clearOnInput, clearProblems, complain, heading, mark, problem, showAlert }
  from "/assets/widget_parts.js";
import { chooseLanguage, texts } from "/assets/widget_texts.js";

// Milliseconds that the success is shown before the next page is opened.
const LEAVE_AFTER = 3000;

const query = new URLSearchParams(location.search);
const given = (name) => query.get(name) || undefined;

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

function countryName({ code, name }) {
  try {
    return new Intl.DisplayNames([state.lang], { type: "region" }).of(code.toUpperCase());
  } catch {
    return name;
  }
}

function drawCountry() {
  const items = config.countries.map((country) => ({ code: country.code,
    name: countryName(country), badge: country.code.toUpperCase() }));
  return choiceForm({ name: "country", title: say().country, lead: say().countryLead,
    groups: [[say().country, items]], chosen: state.country, missing: say().needCountry,
    say: say(),
    done(code) {
      state.country = code;
      go(nextAfter("country"));
    } });
}

// Those of the country, without the ones that no worker knows by their name.
const offered = (category) => config.platforms.filter((one) => one.category === category
  && one.countries.includes(state.country) && !/^(nom|mc)_|^nominativa$/.test(one.code));

function drawPlatform() {
  const groups = ["gig", "employment"].map((category) => [say()[category],
    offered(category).map(({ code, name }) => ({ code, name, badge: name.slice(0, 1) }))]);
  return choiceForm({ name: "platform", title: say().platform, lead: say().platformLead,
    groups: groups.filter(([, items]) => items.length > 0), chosen: state.platform,
    missing: say().needPlatform, say: say(),
    done(code) {
      state.platform = code;
      go("credentials");
    },
    back: steps().includes("country") ? () => history.back() : null });
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
  return el("form", { novalidate: true, oninput: clearOnInput, onsubmit: submitCredentials },
    heading(say().credentials(platform.name),
      state.kind === "gov_id" ? say().govIdLead : say().credentialsLead),
    tabs(platform.identifiers),
    identifierField(),
    passwordField(),
    consentField(),
    buttonBar({ label: say().submit, testid: "submit", backLabel: say().back,
      back: before.length > 0 ? () => history.back() : null }));
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
  showAlert(form, message);
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
    oninput: clearOnInput,
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
  buttonBar({ label: say().checkCode, testid: "submit-code", backLabel: say().other,
    back: () => go("credentials") }));
}

// success, error, incomplete; or known: the account is connected, so nothing has gone wrong.
function kindOf({ status, status_details: details }) {
  return details === "recent_login_successful" ? "known" : status;
}

function resultActions(kind, next) {
  if (kind === "success") {
    return next ? [el("a", { class: "button main", href: next, "data-testid": "leave" },
      say().leave)] : [];
  }
  return [
    el("button", { class: kind === "known" ? "button plain" : "button main", type: "button",
      "data-testid": "try-again", onclick: () => go("credentials") },
    kind === "known" ? say().otherAccount : say().again),
    steps().includes("platform") ? el("button", { class: "button plain", type: "button",
      "data-testid": "other-platform", onclick: () => go("platform") }, say().otherPlatform) : null,
  ];
}

function drawResult() {
  const { status, status_details: details, warning } = state.login.outcome;
  const kind = kindOf(state.login.outcome);
  const note = warning && (say().warnings[warning] ?? warning);
  const next = nextAddress();
  return el("section", { class: `result ${kind}`, "data-testid": "result",
    "data-status": status, "data-details": details ?? "" },
  mark(kind),
  heading(say().outcome[kind](platformOf().name),
    next ? say().leavingLead : explained(state.login.outcome)),
  note ? el("p", { class: "note" }, note) : null,
  el("div", { class: "actions" }, resultActions(kind, next)));
}

// A link that the page cannot use stays as it is however often it is loaded.
function drawBrokenLink({ field, message }) {
  const named = say().wrong[field]?.(given(field)) ?? message;
  return el("section", { class: "result error" }, mark("error"),
    heading(say().brokenLink, named), el("p", null, say().askForLink));
}

function drawUnavailable() {
  if (state.problem.field) return drawBrokenLink(state.problem);
  return el("section", { class: "result error" }, mark("error"),
    heading(say().unavailable, state.problem.message ?? say().unavailableLead),
    el("div", { class: "actions" }, el("button", { class: "button main", type: "button",
      "data-testid": "reload", onclick: load }, say().reload)));
}

const drawings = {
  loading: () => el("p", { class: "lead" }, say().loading),
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
    onclick: () => changeLanguage(code) }, code.toUpperCase())));
  $("languages").setAttribute("aria-label", say().languages);
  $("sandbox-note").textContent = say().sandbox;
  $("help-title").textContent = say().help;
}

// What a language says differently is drawn again; what was typed and chosen stays.
function changeLanguage(code) {
  const inputs = () => [...document.querySelectorAll("main input")];
  const nameOf = (input) => (input.type === "radio" ? `${input.name} ${input.value}` : input.id);
  const kept = new Map(inputs().map((input) => [nameOf(input), input]));
  keepTyped();
  state.lang = code;
  draw(false);
  for (const input of inputs()) {
    const old = kept.get(nameOf(input));
    if (!old) continue;
    input.checked = old.checked;
    if (input.type !== "radio" && input.type !== "checkbox") input.value = old.value;
    if (input.type === "search") input.dispatchEvent(new Event("input", { bubbles: true }));
  }
  document.querySelector(`[data-testid="lang-${code}"]`).focus();
}

// A login that has failed has not come further than to its credentials.
function drawProgress() {
  const list = config ? steps() : [];
  const kind = state.step === "result" ? kindOf(state.login.outcome) : "done";
  const failed = !["done", "success"].includes(kind);
  const at = list.indexOf(failed || state.step === "code" ? "credentials" : state.step);
  $("progress").hidden = list.length === 0;
  $("progress").replaceChildren(...list.map((_, index) => el("span",
    { class: index < at || (index === at && !failed) ? "done" : index === at ? kind : "" })));
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
    state.problem = response.status === 0 ? {} : response;
    go("unavailable");
    return;
  }
  config = response.data;
  const target = config.widget.redirect_url;
  if (target && !URL.canParse(target)) {
    state.problem = { field: "redirect_url" };
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

// The view of one login: how it ended, and what it has brought.
import { ask, el } from "/assets/dom.js";
import { chart } from "/assets/console_chart.js";
import { bothTimes, money, platformName, seconds, timeAhead } from "/assets/console_format.js";
import { complain, field } from "/assets/console_forms.js";
import { incomeCard } from "/assets/console_income.js";
import { badge, lines, masked, widgetLink, widgetUrl } from "/assets/console_parts.js";
import { noDelivery, ofLogin } from "/assets/console_deliveries.js";
import { lookedAt } from "/assets/console_start.js";
import { below, column, folding, row, table } from "/assets/console_tables.js";
import { breakable, card, crumb, empty, facts, linkButton, refill, refresher, shown }
  from "/assets/parts.js";

// Days and jobs that are shown at first.
const DAYS = 10;

function stateCard(context, { login, pattern, employment }) {
  const ends = login.next_step ? "waits for the code"
    : login.settles_in > 0 ? `until ${timeAhead(login.settles_in)}` : null;
  const isCause = login.status === "error" || login.status === "incomplete";
  const code = (id, testid) => id && el("code", { "data-testid": testid }, id);
  return card(null, facts([
    ["Status", el("span", { "data-testid": "login-status" }, badge(login.status),
      ends ? ` ${ends}` : null)],
    ["Details", isCause || !login.status_details ? null
      : el("span", null, breakable(login.status_details))],
    ["Warning", login.warning],
    ["Pattern", employment || isCause ? null : pattern],
    ["Your id of the worker", login.external_id],
    ["Country", login.country?.toUpperCase()],
    ["Started", bothTimes(login.created_at), "double"],
  ]), facts([
    ["Login id", code(login.login_id, "login-id")],
    ["Account id", code(login.account_id, "account-id")],
    ["User id", code(login.user_id)],
  ], "ids"), lines(context.overview, "GET", `/v1/accounts/${login.account_id}`,
    `client.accounts:get("${login.account_id}")`));
}

const actors = {
  worker: "the worker has to correct something",
  platform: "the platform has a problem; nobody here can solve it",
  integrator: "it is up to you, not to the worker",
};

function repeats({ can_repeat: canRepeat, repeat_after: after }) {
  if (!canRepeat) return "Another login ends the same way.";
  return after ? `Another login can succeed after ${seconds(after)}.`
    : "Another login can succeed.";
}

// Why a login has failed, once, with what to do; null if it has not.
function failureCard(context, { login, advice }) {
  if (login.status !== "error" && login.status !== "incomplete") return null;
  const expired = login.status_details === "validation_time_expired";
  const again = widgetLink(widgetUrl(context.overview, login.external_id ?? "worker-1",
    { country: login.country, platform: login.platform }), "Log in again", "main");
  return el("section", { class: "card failure", "data-testid": "failure" },
    el("h2", null, login.status === "error" ? "This login has failed"
      : "The worker did not finish this login"),
    facts(advice ? [
      ["Cause", el("code", null, breakable(shown(login.status_details)))],
      ["Who must act", actors[advice.actor]],
      ["Again", repeats(advice)],
      ["Say to the worker", el("q", { "data-testid": "advice" }, advice.text), "all"],
    ] : [
      ["Cause", expired ? "no code was typed within ten minutes" : "no code or password was typed"],
      ["Who must act", "the worker, with another login"],
    ]), el("p", { class: "quiet" }, "A login that ends like this reads no profile, no earnings and "
      + "no employment."), el("div", { class: "row" }, again,
    linkButton("#/start", "Simulate another one")));
}

// A login that waits for the code of an SMS takes any.
function codeCard({ login }) {
  if (!login.next_step) return null;
  const form = el("form", {
    novalidate: true,
    async onsubmit(event) {
      event.preventDefault();
      complain(form, await ask("POST", `/sandbox/logins/${login.login_id}/code`,
        { code: form.elements.code.value }));
    },
  }, el("div", { class: "fields" }, field("Code", el("input", { name: "code", inputmode: "numeric",
    autocomplete: "off", "data-testid": "code", "data-key": "code" }), "any digits will do")),
  el("em", { class: "problem last" }),
  el("button", { type: "submit", class: "main", "data-testid": "code-send" }, "Type the code"));
  return card("The platform has sent a code", form);
}

const ratings = [["rating", "Rating"], ["acceptance_rate", "Acceptance rate"],
  ["cancellation_rate", "Cancellation rate"], ["lifetime_trips", "Trips in all"],
  ["level_name", "Level"], ["activation_status", "Activation"]];

function profileCard(context, login, details) {
  const { profile, ids_info: ids, bank_info: bank, vehicle_info: vehicle,
    metrics_info: metrics } = details;
  return el("section", { class: "card", "data-testid": "profile" }, el("h2", null, "Profile"),
    facts([
      ["Name", el("span", { "data-testid": "profile-name" },
        [profile.first_name, profile.last_name].filter(Boolean).join(" ") || "—")],
      ["E-mail", profile.email && el("span", null, breakable(profile.email))],
      ["Phone", profile.phone],
      ["Birthday", profile.birthday],
      ["City", profile.city_name],
      ["Role", profile.worker_role],
      ...(ids ?? []).map((id) => [id.name ?? id.type, masked(id.value)]),
      ["Bank", bank && bank.bank_name],
      ["Bank account", bank && masked(bank.account_number)],
      ["Vehicle", vehicle
        && [vehicle.brand, vehicle.model, vehicle.year].filter(Boolean).join(" ")],
      ["Plate", vehicle && vehicle.license_plate],
      ...ratings.map(([name, label]) => [label, metrics?.[name]]),
    ]),
    lines(context.overview, "GET", `/v1/accounts/${login.account_id}/profile`,
      `client.accounts:profile("${login.account_id}")`));
}

const dayColumns = [column("Day"), column("Amount", "number"),
  column("Cash", "number from-narrow"), column("Trips", "number from-medium")];

function earningsRow(earning) {
  return row({ "data-testid": "earnings-row", "data-date": earning.earning_date,
    "data-amount": earning.amount === null ? "" : earning.amount.toFixed(2) },
  earning.earning_date, [money(earning.amount, earning.currency),
    below("below-narrow", earning.cash_amount !== null
      && `cash ${money(earning.cash_amount, earning.currency)}`)],
  money(earning.cash_amount, earning.currency), shown(earning.count_trips));
}

function earningsCard(context, { login, earnings: rows, income, figures }) {
  const [start, end] = [rows.at(-1).earning_date, rows[0].earning_date];
  const path = `/v1/accounts/${login.account_id}/earnings/search`;
  const body = JSON.stringify({ start_date: start, end_date: end,
    options: { page: 1, items_per_page: 100 } });
  return card("Earnings", chart({ rows, income, figures, words: context.overview.income_words }),
    el("div", { "data-testid": "earnings-table" },
      folding(dayColumns, rows.map(earningsRow), DAYS, "day", "earnings")),
    lines(context.overview, "POST", path, `client.accounts:earnings("${login.account_id}", `
      + `{ start_date = "${start}", end_date = "${end}" }):all()`, body));
}

const jobColumns = [column("Employer", "wrap"), column("Job", "from-medium"),
  column("State", "from-medium"), column("From"), column("To")];

function employmentCard(context, { login, employment: { info, history } }) {
  const path = `/v1/accounts/${login.account_id}/employment`;
  return el("section", { class: "card", "data-testid": "employment" },
    el("h2", null, "Employment"), facts([
      ["Status", badge(info.status)],
      ["Weeks quoted", info.quoted_weeks],
      ["Weeks discounted", info.discounted_weeks],
      ["Weeks reintegrated", info.reintegrated_weeks],
      ["History", info.employment_history_status],
      ["Files", info.employment_files.length > 0 ? el("span", null,
        breakable(info.employment_files.map((file) => file.file_type).join(", "))) : null],
    ]), el("br"),
    folding(jobColumns, history.map((job) => row({ "data-testid": "job-row" },
      [job.employer, el("span", { class: "sub below-medium" }, job.job_title)], job.job_title,
      job.federal_entity, job.start_date, job.end_date ?? "today")), DAYS, "job", "jobs"),
    lines(context.overview, "GET", path, `client.accounts:employment("${login.account_id}")`));
}

// What the login has brought: employment, or earnings with the income. None of it if the account
// was never connected.
function dataCards(context, found) {
  if (!found.profile) return [];
  const profile = profileCard(context, found.login, found.profile);
  if (found.employment) return [employmentCard(context, found), profile];
  if (found.earnings.length === 0) {
    return [card("Earnings", empty("No earnings. The worker has connected the account, but it has no day "
      + "with earnings.", linkButton("#/start", "Simulate one with earnings"))), profile];
  }
  return [incomeCard(found, context.overview.income_words), earningsCard(context, found), profile];
}

// While a login is shown, its state and deliveries are refreshed; the chart is redrawn only when the
// earnings change, so that the selected bar stays, and the form of a code only when it is needed.
function fill(parts, context, found) {
  const { login, deliveries } = found;
  refill(parts.state, crumb("#/logins", "Logins"),
    el("h1", null, `Login to ${platformName(login.platform)}`), stateCard(context, found),
    failureCard(context, found));
  refill(parts.sent, card("Deliveries", deliveries.length > 0
    ? table(ofLogin.columns, deliveries.map(ofLogin.row)) : noDelivery(context.overview)));
  if (Boolean(login.next_step) !== parts.code.hasChildNodes()) {
    refill(parts.code, codeCard(found));
  }
  const now = JSON.stringify([found.profile, found.earnings, found.income, found.employment]);
  if (now !== parts.drawn) refill(parts.data, dataCards(context, found));
  parts.drawn = now;
}

export const login = {
  title: "Login",
  topics: ["logins", "deliveries"],
  open(page, context, id) {
    const parts = { state: el("div"), code: el("div"), data: el("div"), sent: el("div"), drawn: "" };
    return refresher(() => ask("GET", `/sandbox/logins/${id}`), ({ ok, data: found, message }) => {
      if (!ok) {
        refill(page, crumb("#/logins", "Logins"), el("h1", null, message));
        return;
      }
      if (found.login.status === "success") lookedAt.set(context.overview);
      fill(parts, context, found);
      if (!page.hasChildNodes()) page.append(parts.state, parts.code, parts.data, parts.sent);
    });
  },
};

// The views of logins: all of them with filters, and one with its profile and earnings.
import { ask, el } from "/assets/dom.js";
import { chart } from "/assets/console_chart.js";
import { incomeCard } from "/assets/console_income.js";
import { badge, card, cell, crumb, facts, field, growing, lines, masked, timeAhead, money, number,
  refill, refresher, short, shown, table, time } from "/assets/console_parts.js";
import { deliveryHeads, deliveryRow } from "/assets/console_deliveries.js";
import { lookedAt } from "/assets/console_start.js";

function row(login) {
  return el("tr", { "data-testid": "login-row", "data-login-id": login.login_id,
    "data-status": login.status },
  cell(el("a", { href: `#/logins/${login.login_id}`, "data-key": login.login_id },
    short(login.login_id))),
  cell(login.platform), cell(badge(login.status)), cell(shown(login.status_details)),
  cell(shown(login.external_id)), cell(shown(login.source)), cell(time(login.created_at)));
}

function filter(name, words, onchange) {
  return field(name === "status" ? "Status" : "Platform", el("select", { name, onchange,
    "data-testid": `filter-${name}` }, el("option", { value: "" }, "all"),
  words.map((word) => el("option", { value: word }, word))));
}

export const logins = {
  title: "Logins",
  topics: ["logins"],
  open(page, context) {
    const chosen = new URLSearchParams();
    const list = el("section", { class: "card" });
    let refresh = null;
    const choose = (event) => {
      chosen.set(event.target.name, event.target.value);
      refresh();
    };
    page.append(el("h1", null, "Logins"), el("p", { class: "lead" },
      "Every attempt of a worker to connect an account, the newest first."),
    el("div", { class: "fields" },
      filter("status", ["pending", "success", "incomplete", "error"], choose),
      filter("platform", context.overview.platforms.map((one) => one.code), choose)), list);
    refresh = growing(list, ["Login", "Platform", "Status", "Details", "Your id", "From", "When"],
      "No logins. Open the widget, or simulate one on the start page.", async (count) => {
        const response = await ask("GET", `/sandbox/logins?items_per_page=${count}&${chosen}`);
        return { response, rows: response.data?.logins.map(row) ?? [] };
      });
    return refresh;
  },
};

function stateCard(context, { login, account, pattern }) {
  const ends = login.next_step ? "waits for the code"
    : login.settles_in > 0 ? `until ${timeAhead(login.settles_in)}` : null;
  return card(null, facts([
    ["Status", el("span", { "data-testid": "login-status" }, badge(login.status),
      ends ? ` ${ends}` : null)],
    ["Details", login.status_details],
    ["Warning", login.warning],
    ["Pattern", pattern],
    ["Your id", login.external_id],
    ["Country", login.country?.toUpperCase()],
    ["Began", time(login.created_at)],
    ["Login id", el("code", { "data-testid": "login-id" }, login.login_id)],
    ["Account id", el("code", { "data-testid": "account-id" }, login.account_id)],
    ["User id", el("code", null, login.user_id)],
    ["Account", account && badge(account.status)],
  ]), lines(context.overview, "GET", `/v1/accounts/${login.account_id}`,
    `client.accounts:get("${login.account_id}")`));
}

const ratings = [["rating", "Rating"], ["acceptance_rate", "Acceptance rate"],
  ["cancellation_rate", "Cancellation rate"], ["lifetime_trips", "Trips in all"],
  ["level_name", "Level"], ["activation_status", "Activation"]];

function profileCard(context, login, details) {
  if (!details?.profile) return card("Profile", el("p", { class: "empty" }, "No profile."));
  const { profile, ids_info: ids, bank_info: bank, vehicle_info: vehicle,
    metrics_info: metrics } = details;
  return el("section", { class: "card", "data-testid": "profile" }, el("h2", null, "Profile"),
    facts([
      ["Name", el("span", { "data-testid": "profile-name" },
        [profile.first_name, profile.last_name].filter(Boolean).join(" ") || "—")],
      ["E-mail", profile.email],
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

function earningsRow(earning) {
  return el("tr", { "data-testid": "earnings-row", "data-date": earning.earning_date,
    "data-amount": earning.amount === null ? "" : earning.amount.toFixed(2) },
  cell(earning.earning_date), number(money(earning.amount, earning.currency)),
  number(earning.cash_amount === null ? "—" : money(earning.cash_amount, earning.currency)),
  number(shown(earning.count_trips)));
}

function earningsCard(context, { login, earnings: rows, income, figures }) {
  if (rows.length === 0) return card("Earnings", el("p", { class: "empty" }, "No earnings."));
  const [start, end] = [rows.at(-1).earning_date, rows[0].earning_date];
  const path = `/v1/accounts/${login.account_id}/earnings/search`;
  const body = JSON.stringify({ start_date: start, end_date: end,
    options: { page: 1, items_per_page: 100 } });
  return card("Earnings", chart({ rows, income, figures, words: context.overview.income_words }),
    el("br"),
    el("div", { "data-testid": "earnings-table" },
      table(["Day", "#Amount", "#Cash", "#Trips"], rows.map(earningsRow), "", "tall")),
    lines(context.overview, "POST", path, `client.accounts:earnings("${login.account_id}", `
      + `{ start_date = "${start}", end_date = "${end}" }):all()`, body));
}

// While a login is shown, its state and deliveries are refreshed; the chart is redrawn only when the
// earnings change, so that the selected bar stays.
export const login = {
  title: "Login",
  topics: ["logins", "deliveries"],
  open(page, context, id) {
    const state = el("div");
    const data = el("div");
    const sent = el("div");
    let drawn = "";
    return refresher(() => ask("GET", `/sandbox/logins/${id}`), ({ ok, data: found, message }) => {
      if (!ok) {
        refill(page, crumb("#/logins", "Logins"), el("h1", null, message));
        return;
      }
      lookedAt.login ||= found.login.status === "success";
      refill(state, crumb("#/logins", "Logins"), el("h1", null, `Login to ${found.login.platform}`),
        stateCard(context, found));
      refill(sent, card("Deliveries", table(deliveryHeads, found.deliveries.map(deliveryRow),
        "No webhook received this login.")));
      const now = JSON.stringify([found.profile, found.earnings, found.income]);
      if (now !== drawn) {
        refill(data, incomeCard(found, context.overview.income_words),
          earningsCard(context, found), profileCard(context, found.login, found.profile));
      }
      drawn = now;
      if (!page.hasChildNodes()) page.append(state, data, sent);
    });
  },
};

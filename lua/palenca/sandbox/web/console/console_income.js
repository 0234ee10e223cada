// The income card of a login: the decision with its reasons, the figures, weeks and months.
// The texts of figures come from palenca.income, with them.
import { el } from "/assets/dom.js";
import { money } from "/assets/console_format.js";
import { badge } from "/assets/console_parts.js";
import { below, column, folding, row } from "/assets/console_tables.js";
import { card } from "/assets/parts.js";

// Weeks or months that are shown at first.
const SPANS = 12;

function outcome({ verdict, explanation }) {
  return el("div", { class: "outcome", "data-testid": "verdict", "data-outcome": verdict.outcome },
    el("p", null, badge(verdict.outcome), " ",
      el("span", { "data-testid": "for-analyst" }, explanation.analyst)),
    el("p", { class: "quiet" }, "To the worker: ",
      el("span", { "data-testid": "for-worker" }, explanation.worker)),
    verdict.reasons.length > 0 ? el("p", { class: "codes" }, verdict.reasons.map(({ code }) =>
      el("code", { "data-testid": "reason", "data-code": code }, code))) : null);
}

function figure({ field, kind, label, text, note }, currency) {
  return el("div", null, el("dt", null, label),
    el("dd", { class: "figure-value", "data-testid": `income-${field}`, "data-value": text ?? "" },
      kind === "money" ? money(text, currency) : text ?? "—"),
    el("dd", { class: "note" }, note));
}

function spanRow(span, { testid, words, currency, hasUnknown }) {
  const isPartial = span.full === false;
  const end = `${span.to}${isPartial ? "*" : ""}`;
  return row({ "data-testid": testid, "data-from": span.from, "data-to": span.to,
    "data-total": span.total ?? "", "data-partial": String(isPartial) },
  [span.from, below("below-narrow", `${words.to} ${end}`)], end,
  [String(span.active_days), below("below-medium", hasUnknown && span.unknown_days > 0
    && `${span.unknown_days} ${words.unknown}`)],
  ...(hasUnknown ? [String(span.unknown_days)] : []), money(span.total, currency));
}

// The newest one first, as in the table of the earnings.
function spans(title, list, testid, words, currency) {
  if (list.length === 0) return null;
  const hasUnknown = list.some((span) => span.unknown_days > 0);
  const columns = [column(words.from), column(words.to, "from-narrow"), column(words.days, "number"),
    ...(hasUnknown ? [column(words.unknown, "number from-medium")] : []), column(words.total, "number")];
  const rows = list.map((span) => spanRow(span,
    { testid, words, currency, hasUnknown })).reverse();
  return el("section", { class: "spans" }, el("h3", null, title),
    folding(columns, rows, SPANS, testid.replace("-row", ""), testid),
    list.some((span) => span.full === false) ? el("p", { class: "quiet" }, words.partial) : null);
}

function problems(income, words) {
  const codes = income.problems.map((code) => el("code", { "data-testid": "problem" }, code));
  const copies = income.identical_rows > 0 ? el("p", { class: "codes" }, el("code",
    { "data-testid": "identical-rows", "data-value": String(income.identical_rows) },
    `identical_rows ${income.identical_rows}`)) : null;
  return [codes.length > 0 ? el("p", { class: "codes" }, `${words.problems}: `, codes) : null,
    copies];
}

export function incomeCard(found, words) {
  const { income, figures } = found;
  return card("Income", outcome(found), problems(income, words),
    el("dl", { class: "facts figures", "data-testid": "income" },
      figures.map((one) => figure(one, income.currency))),
    el("div", { class: "two" },
      spans(words.weeks, income.weeks, "week-row", words, income.currency),
      spans(words.months, income.months, "month-row", words, income.currency)));
}

// The earnings chart: bars by day or by month, as SVG.
import { el, svg } from "/assets/dom.js";
import { money } from "/assets/console_parts.js";

const WIDTH = 720;
const HEIGHT = 240;
const LEFT = 56;
const BOTTOM = 28;
const TOP = 12;
const DAY = 86400000;

const cents = (amount) => Math.round(amount * 100);

// A round number at or above the highest bar.
function ceiling(most) {
  const power = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((value) => value >= most);
}

// One bar a day, from the first to the last: a day without a row is a gap.
function byDay(rows) {
  const known = new Map(rows.map((row) => [row.earning_date, row]));
  const last = Date.parse(rows[0].earning_date);
  const bars = [];
  for (let at = Date.parse(rows.at(-1).earning_date); at <= last; at += DAY) {
    const name = new Date(at).toISOString().slice(0, 10);
    const row = known.get(name);
    bars.push({ name, label: name, amount: row?.amount ?? null, cash: row?.cash_amount ?? null,
      trips: row?.count_trips ?? null });
  }
  return bars;
}

// Added in hundredths, so that a month is the sum of its days.
function byMonth(rows) {
  const months = new Map();
  for (const row of rows) {
    const name = row.earning_date.slice(0, 7);
    const month = months.get(name) ?? { name, label: name, amount: 0, cash: null, trips: 0 };
    month.amount += cents(row.amount ?? 0);
    if (row.cash_amount !== null) month.cash = (month.cash ?? 0) + cents(row.cash_amount);
    month.trips += row.count_trips ?? 0;
    months.set(name, month);
  }
  return [...months.values()].reverse().map((month) => ({ ...month, amount: month.amount / 100,
    cash: month.cash === null ? null : month.cash / 100 }));
}

function axis(top) {
  return [0, 0.5, 1].map((part) => {
    const y = TOP + (HEIGHT - TOP - BOTTOM) * (1 - part);
    return [
      svg("line", { class: "grid", x1: LEFT, x2: WIDTH, y1: y, y2: y }),
      svg("text", { class: "tick", x: LEFT - 8, y: y + 4, "text-anchor": "end" },
        Intl.NumberFormat(undefined, { notation: "compact" }).format(top * part)),
    ];
  });
}

function describe(bar, currency) {
  const cash = bar.cash === null ? "" : `, cash ${money(bar.cash, currency)}`;
  return `${bar.label}: ${money(bar.amount, currency)}${cash}, ${bar.trips} trips`;
}

function drawBar(bar, at, step, top, context) {
  if (bar.amount === null) return null;
  const tall = (amount) => (amount / top) * (HEIGHT - TOP - BOTTOM);
  const x = LEFT + at * step + step * 0.12;
  const width = step * 0.76;
  const base = HEIGHT - BOTTOM;
  const text = describe(bar, context.currency);
  const point = () => { context.tip.textContent = text; };
  return svg("g", { class: "bar-group", tabindex: "0", role: "img", "aria-label": text,
    onfocus: point, onmouseenter: point, "data-testid": "chart-bar",
    [context.monthly ? "data-month" : "data-date"]: bar.name,
    "data-amount": bar.amount.toFixed(2) },
  svg("title", null, text),
  svg("rect", { class: "hit", x: LEFT + at * step, y: TOP, width: step, height: base - TOP }),
  svg("rect", { class: "bar", x, width, y: base - tall(bar.amount), height: tall(bar.amount),
    rx: Math.min(3, width / 3) }),
  bar.cash ? svg("rect", { class: "cash", x, width, y: base - tall(bar.cash),
    height: tall(bar.cash) }) : null);
}

function labels(bars, step) {
  const every = Math.max(1, Math.ceil(bars.length / 8));
  return bars.map((bar, at) => at % every === 0 && svg("text", { class: "tick",
    x: LEFT + (at + 0.5) * step, y: HEIGHT - 8, "text-anchor": "middle" },
  bars.length > 24 || bar.name.length > 7 ? bar.name.slice(5) : bar.name));
}

function plot(rows, monthly, tip) {
  const bars = monthly ? byMonth(rows) : byDay(rows);
  const currency = rows[0].currency;
  const top = ceiling(Math.max(...bars.map((bar) => bar.amount ?? 0)));
  const step = (WIDTH - LEFT) / bars.length;
  const context = { currency, monthly, tip };
  const summary = `Earnings by ${monthly ? "month" : "day"} from ${bars[0].name} to `
    + `${bars.at(-1).name}`;
  tip.textContent = `${summary}; point at a bar`;
  return svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group",
    "aria-label": summary },
  axis(top), labels(bars, step),
  bars.map((bar, at) => drawBar(bar, at, step, top, context)));
}

// The chart with its switch; rows are the API's, newest first, and not none.
export function chart(rows) {
  const tip = el("p", { class: "tip", "aria-hidden": "true" });
  const place = el("div", { class: "plot", "data-testid": "chart" });
  const draw = (monthly) => place.replaceChildren(plot(rows, monthly, tip));
  const choice = (name, label, monthly) => el("label", { class: "switch" },
    el("input", { type: "radio", name: "chart-by", checked: !monthly, "data-testid": name,
      onchange: () => draw(monthly) }), label);
  draw(false);
  return el("figure", { class: "figure" },
    el("div", { class: "switches", role: "radiogroup", "aria-label": "Chart" },
      choice("chart-day", "by day", false), choice("chart-month", "by month", true),
      rows.some((row) => row.cash_amount !== null)
        ? el("span", { class: "legend" }, el("i", { class: "swatch" }), "cash") : null),
    place, tip);
}

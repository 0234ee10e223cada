// The earnings chart: bars by day or by month, as SVG.
import { el, svg } from "/assets/dom.js";
import { money, shown } from "/assets/console_parts.js";

// A bar is at least so wide; where they do not fit, the chart is scrolled.
const BAR_MIN = 4;
const HEIGHT = 240;
const LEFT = 56;
const BOTTOM = 28;
const TOP = 12;
const DAY = 86400000;

const cents = (amount) => Math.round(amount * 100);

// A round number at or above the highest bar.
function ceiling(most) {
  const power = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
  return [1, 1.2, 1.6, 2, 2.5, 3, 4, 5, 6, 8, 10].map((step) => step * power)
    .find((value) => value >= most);
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

function axis(top, width) {
  return [0, 0.5, 1].map((part) => {
    const y = TOP + (HEIGHT - TOP - BOTTOM) * (1 - part);
    return [
      svg("line", { class: "grid", x1: LEFT, x2: width, y1: y, y2: y }),
      svg("text", { class: "tick", x: LEFT - 8, y: y + 4, "text-anchor": "end" },
        Intl.NumberFormat(undefined, { notation: "compact" }).format(top * part)),
    ];
  });
}

function describe(bar, currency) {
  const cash = bar.cash === null ? "" : `, cash ${money(bar.cash, currency)}`;
  return `${bar.label}: ${money(bar.amount, currency)}${cash}, ${shown(bar.trips)} trips`;
}

function drawBar(bar, at, step, context) {
  if (bar.amount === null) return null;
  const tall = (amount) => (amount / context.top) * (HEIGHT - TOP - BOTTOM);
  const x = LEFT + at * step + step * 0.12;
  const width = step * 0.76;
  const base = HEIGHT - BOTTOM;
  const text = describe(bar, context.currency);
  const point = () => { context.tip.textContent = text; };
  return svg("g", { class: "bar-group", tabindex: "-1", role: "img", "aria-label": text,
    onfocus: point, onmouseenter: point, "data-testid": "chart-bar",
    [context.monthly ? "data-month" : "data-date"]: bar.name,
    "data-amount": bar.amount.toFixed(2) },
  svg("rect", { class: "hit", x: LEFT + at * step, y: TOP, width: step, height: base - TOP }),
  svg("rect", { class: "bar", x, width, y: base - tall(bar.amount), height: tall(bar.amount),
    rx: Math.min(3, width / 3) }),
  bar.cash ? svg("rect", { class: "cash", x, width, y: base - tall(bar.cash),
    height: tall(bar.cash) }) : null);
}

function labels(bars, step, width) {
  const every = Math.max(1, Math.ceil((bars.length * 84) / width));
  return bars.map((bar, at) => at % every === 0 && at * step < width - LEFT - 20
    && svg("text", { class: "tick", x: LEFT + (at + 0.5) * step, y: HEIGHT - 8,
      "text-anchor": "middle" }, bar.name));
}

// One stop of the Tab key for all bars; the arrow keys go from bar to bar.
function walk(event) {
  const bars = [...event.currentTarget.querySelectorAll(".bar-group")];
  const at = bars.indexOf(document.activeElement);
  const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: bars.length - 1 }[event.key];
  if (next === undefined || !bars[next]) return;
  event.preventDefault();
  for (const bar of bars) bar.setAttribute("tabindex", "-1");
  bars[next].setAttribute("tabindex", "0");
  bars[next].focus();
}

function plot(rows, monthly, tip, space) {
  const bars = monthly ? byMonth(rows) : byDay(rows);
  const width = Math.max(space, LEFT + bars.length * BAR_MIN);
  const top = ceiling(Math.max(...bars.map((bar) => bar.amount ?? 0)));
  const step = (width - LEFT) / bars.length;
  const context = { currency: rows[0].currency, monthly, tip, top };
  const summary = `Earnings by ${monthly ? "month" : "day"} from ${bars[0].name} to `
    + `${bars.at(-1).name}`;
  tip.textContent = `${summary}. Point at a bar, or go through them with the arrow keys.`;
  const drawn = bars.map((bar, at) => drawBar(bar, at, step, context));
  drawn.find(Boolean)?.setAttribute("tabindex", "0");
  return svg("svg", { class: "chart", width, height: HEIGHT, role: "group",
    "aria-label": summary, onkeydown: walk },
  axis(top, width), labels(bars, step, width), drawn);
}

// The chart with its switch; rows are the API's, newest first, and not none.
export function chart(rows) {
  const tip = el("p", { class: "tip" });
  const place = el("div", { class: "plot", "data-testid": "chart" });
  let monthly = false;
  let space = 0;
  const draw = () => {
    if (space === 0) return;
    place.replaceChildren(plot(rows, monthly, tip, space));
    place.scrollLeft = place.scrollWidth;
  };
  const choice = (testid, label, value) => el("label", { class: "switch" },
    el("input", { type: "radio", name: "chart-by", checked: value === monthly,
      "data-testid": testid, onchange() {
        monthly = value;
        draw();
      } }), label);
  new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (now !== space) {
      space = now;
      draw();
    }
  }).observe(place);
  return el("figure", { class: "figure" },
    el("div", { class: "switches", role: "radiogroup", "aria-label": "Chart" },
      choice("chart-day", "by day", false), choice("chart-month", "by month", true),
      rows.some((row) => row.cash_amount !== null)
        ? el("span", { class: "legend" }, el("i", { class: "swatch" }), "cash") : null),
    place, tip);
}

// The earnings chart: bars by day, week or month, as SVG, the days that are averaged, their average.
import { el, svg } from "/assets/dom.js";
import { money } from "/assets/console_format.js";
import { axis, axisWidth, ceiling, dayNames, labels, monthNames, shape } from "/assets/console_axis.js";
import { shown } from "/assets/parts.js";

// The widths of a bar: where they do not fit, the chart is scrolled.
const BAR_MIN = 4;
const BAR_MAX = 64;
const DAY = 86400000;
const UNKNOWN_HEIGHT = 10;
const DAYS_OF = { day: 1, week: 7, month: 365 / 12 };

// One bar a day, from the first row to the last day that is considered: one without a row is a gap.
function byDay(rows, income) {
  const known = new Map(rows.map((row) => [row.earning_date, row]));
  const last = Math.max(Date.parse(rows[0].earning_date), Date.parse(income.as_of));
  const bars = [];
  for (let at = Date.parse(rows.at(-1).earning_date); at <= last; at += DAY) {
    const name = new Date(at).toISOString().slice(0, 10);
    const row = known.get(name);
    bars.push({ name, from: at, to: at, amount: row?.amount ?? null,
      text: row?.amount?.toFixed(2), isUnknown: row?.amount === null,
      cash: row?.cash_amount ?? null, more: `${shown(row?.count_trips)} trips` });
  }
  return bars;
}

// One bar for each week or month of the income.
function bySpan(spans, words, length) {
  return spans.map((span) => ({ name: span.from.slice(0, length), from: Date.parse(span.from),
    to: Date.parse(span.to), amount: span.total === undefined ? null : Number(span.total),
    text: span.total, isUnknown: span.total === undefined, cash: null,
    isPartial: span.full === false, label: `${span.from} ${words.to} ${span.to}`,
    more: `${span.active_days} ${words.days}${span.full === false
      ? `, ${words.partial.replace(/^\* /, "")}` : ""}` }));
}

const kinds = {
  day: { data: "data-date", names: dayNames, bars: ({ rows, income }) => byDay(rows, income) },
  week: { data: "data-week", names: dayNames,
    bars: ({ income, words }) => bySpan(income.weeks, words, 10) },
  month: { data: "data-month", names: monthNames,
    bars: ({ income, words }) => bySpan(income.months, words, 7) },
};

// What the monthly income is for each day, week or month of the window; null if it is not known.
function averageOf(income, by) {
  const monthly = Number(income.monthly_income ?? NaN);
  return Number.isFinite(monthly) ? (monthly * DAYS_OF[by]) / DAYS_OF.month : null;
}

function describe(bar, { currency, words }) {
  const cash = bar.cash === null ? "" : `, cash ${money(bar.cash, currency)}`;
  const amount = bar.isUnknown ? words.unknown : money(bar.text, currency);
  return `${bar.label ?? bar.name}: ${amount}${cash}, ${bar.more}`;
}

function drawBar(bar, at, step, context) {
  if (bar.amount === null && !bar.isUnknown) return null;
  const tall = (amount) => (Math.max(0, amount) / context.top) * shape.inner;
  const x = at * step + step * 0.12;
  const width = step * 0.76;
  const height = bar.isUnknown ? UNKNOWN_HEIGHT : tall(bar.amount);
  const text = describe(bar, context);
  const point = () => { context.tip.textContent = text; };
  return svg("g", { class: "bar-group", tabindex: "-1", role: "img", "aria-label": text,
    onfocus: point, onmouseenter: point,
    "data-testid": bar.isUnknown ? "chart-unknown" : "chart-bar",
    [context.kind.data]: bar.name, "data-amount": bar.text ?? "",
    "data-partial": bar.isPartial === undefined ? null : String(bar.isPartial) },
  svg("rect", { class: "hit", x: at * step, y: shape.top, width: step, height: shape.inner }),
  svg("rect", { class: bar.isUnknown ? "unknown" : bar.isPartial ? "bar partial" : "bar", x, width,
    y: shape.base - height, height, rx: Math.min(3, width / 3) }),
  bar.cash ? svg("rect", { class: "cash", x, width, y: shape.base - tall(bar.cash),
    height: tall(bar.cash) }) : null);
}

// Where a day starts, also within a bar that stands for several.
function placeOf(day, bars, step) {
  const at = bars.findIndex((bar) => bar.to >= day);
  if (at < 0) return bars.length * step;
  const { from, to } = bars[at];
  return (at + Math.max(0, day - from) / (to - from + DAY)) * step;
}

// The days that the monthly income is the average of: [the shape behind the bars, the line above].
function drawWindow(bars, step, { income }, average, top) {
  const last = Date.parse(income.as_of);
  const first = last - (income.window_days - 1) * DAY;
  const [x, end] = [placeOf(first, bars, step), placeOf(last + DAY, bars, step)];
  const y = average === null ? 0 : shape.base - (average / top) * shape.inner;
  return [svg("rect", { class: "window", "data-testid": "chart-window", x, width: end - x,
    y: shape.top, height: shape.inner, "data-from": new Date(first).toISOString().slice(0, 10),
    "data-to": income.as_of }),
  average === null ? null : [svg("line", { class: "halo", x1: x, x2: end, y1: y, y2: y }),
    svg("line", { class: "average", "data-testid": "chart-average",
      "data-value": average.toFixed(2), x1: x, x2: end, y1: y, y2: y })]];
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

// The axis, the bars, and where the last one of them ends.
function plot(given, by, tip, room) {
  const kind = kinds[by];
  const bars = kind.bars(given);
  const average = averageOf(given.income, by);
  const top = ceiling(Math.max(average ?? 0, ...bars.map((bar) => bar.amount ?? 0)));
  const left = axisWidth(top);
  const step = Math.min(BAR_MAX, Math.max(BAR_MIN, (room - left) / bars.length));
  const width = Math.max(room - left, bars.length * step);
  const context = { ...given, currency: given.income.currency, kind, tip, top };
  const summary = `Earnings by ${by} from ${bars[0].name} to ${bars.at(-1).name}`;
  tip.textContent = `${summary}. Point at a bar, or go through them with the arrow keys.`;
  const drawn = bars.map((bar, at) => drawBar(bar, at, step, context));
  drawn.find(Boolean)?.setAttribute("tabindex", "0");
  const [behind, above] = drawWindow(bars, step, given, average, top);
  const picture = svg("svg", { class: "chart", width, height: shape.height, role: "group",
    "aria-label": summary, onkeydown: walk }, behind, axis.lines(width),
  labels(kind.names(bars, step), step, width), drawn, above);
  return { axis: axis.texts(top, left), picture, end: (drawn.findLastIndex(Boolean) + 1) * step };
}

function legend(name, text) {
  return el("span", { class: "legend" }, el("i", { class: `swatch ${name}` }), text);
}

// Only days have their cash.
function legends({ rows, income, figures, words }, by) {
  const averaged = figures.find(({ field }) => field === "window_days");
  const average = averageOf(income, by);
  return [
    rows.some((row) => row.amount === null) ? legend("unknown", words.unknown) : null,
    by === "day" && rows.some((row) => row.cash_amount !== null) ? legend("", "cash") : null,
    legend("window", `${averaged.label}: ${averaged.text}`),
    average === null ? null : legend("average",
      `Average: ${money(average, income.currency)} a ${by}`),
  ].filter(Boolean);
}

// The chart with its switch. `rows` are the API's, newest first, and not none; `income` and
// `figures` are the results of palenca.income, `words` its texts.
export function chart(given) {
  const { income } = given;
  const tip = el("p", { class: "tip" });
  const pinned = el("div", { class: "pinned" });
  const place = el("div", { class: "plot", "data-testid": "chart" });
  const box = el("div", { class: "chart-box" }, pinned, place);
  const key = el("p", { class: "legends", "data-testid": "chart-legend" });
  let chosen = "day";
  let room = 0;
  const draw = () => {
    if (room === 0) return;
    const drawn = plot(given, chosen, tip, room);
    pinned.replaceChildren(drawn.axis);
    place.replaceChildren(drawn.picture);
    key.replaceChildren(...legends(given, chosen));
    // to the end, unless no bar would be seen there
    const space = place.clientWidth;
    const newest = place.scrollWidth - space;
    place.scrollLeft = drawn.end > newest + space * 0.1 ? newest : drawn.end - space * 0.9;
  };
  const choice = (value) => el("label", { class: "switch" },
    el("input", { type: "radio", name: "chart-by", checked: value === chosen,
      "data-testid": `chart-${value}`, onchange() {
        chosen = value;
        draw();
      } }), `by ${value}`);
  new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (now !== room) {
      room = now;
      draw();
    }
  }).observe(box);
  return el("figure", { class: "figure" },
    el("div", { class: "switches", role: "radiogroup", "aria-label": "Chart" },
      choice("day"), income.weeks.length > 0 ? choice("week") : null,
      income.months.length > 0 ? choice("month") : null),
    key, box, tip);
}

// The earnings chart: bars by day, week or month, as SVG, and the days that are averaged.
import { el, svg } from "/assets/dom.js";
import { money, shown } from "/assets/console_parts.js";

// The minimum width of a bar; where they do not fit, the chart is scrolled.
const BAR_MIN = 4;
const HEIGHT = 240;
const LEFT = 56;
const BOTTOM = 28;
const TOP = 12;
const DAY = 86400000;
const UNKNOWN_HEIGHT = 10;

// A round number at or above the highest bar.
function ceiling(max) {
  const power = 10 ** Math.floor(Math.log10(Math.max(max, 1)));
  return [1, 1.2, 1.6, 2, 2.5, 3, 4, 5, 6, 8, 10].map((step) => step * power)
    .find((value) => value >= max);
}

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
  day: { data: "data-date", bars: ({ rows, income }) => byDay(rows, income) },
  week: { data: "data-week", bars: ({ income, words }) => bySpan(income.weeks, words, 10) },
  month: { data: "data-month", bars: ({ income, words }) => bySpan(income.months, words, 7) },
};

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

function describe(bar, { currency, words }) {
  const cash = bar.cash === null ? "" : `, cash ${money(bar.cash, currency)}`;
  const amount = bar.isUnknown ? words.unknown : money(bar.text, currency);
  return `${bar.label ?? bar.name}: ${amount}${cash}, ${bar.more}`;
}

function drawBar(bar, at, step, context) {
  if (bar.amount === null && !bar.isUnknown) return null;
  const tall = (amount) => (Math.max(0, amount) / context.top) * (HEIGHT - TOP - BOTTOM);
  const x = LEFT + at * step + step * 0.12;
  const width = step * 0.76;
  const base = HEIGHT - BOTTOM;
  const height = bar.isUnknown ? UNKNOWN_HEIGHT : tall(bar.amount);
  const text = describe(bar, context);
  const point = () => { context.tip.textContent = text; };
  return svg("g", { class: "bar-group", tabindex: "-1", role: "img", "aria-label": text,
    onfocus: point, onmouseenter: point,
    "data-testid": bar.isUnknown ? "chart-unknown" : "chart-bar",
    [context.kind.data]: bar.name, "data-amount": bar.text ?? "",
    "data-partial": bar.isPartial === undefined ? null : String(bar.isPartial) },
  svg("rect", { class: "hit", x: LEFT + at * step, y: TOP, width: step, height: base - TOP }),
  svg("rect", { class: bar.isUnknown ? "unknown" : bar.isPartial ? "bar partial" : "bar", x, width,
    y: base - height, height, rx: Math.min(3, width / 3) }),
  bar.cash ? svg("rect", { class: "cash", x, width, y: base - tall(bar.cash),
    height: tall(bar.cash) }) : null);
}

// Where a day starts, also within a bar that stands for several.
function placeOf(day, bars, step) {
  const at = bars.findIndex((bar) => bar.to >= day);
  if (at < 0) return LEFT + bars.length * step;
  const { from, to } = bars[at];
  return LEFT + (at + Math.max(0, day - from) / (to - from + DAY)) * step;
}

// The days that the monthly income is the average of.
function drawWindow(bars, step, { income }) {
  const last = Date.parse(income.as_of);
  const first = last - (income.window_days - 1) * DAY;
  const [x, end] = [placeOf(first, bars, step), placeOf(last + DAY, bars, step)];
  return svg("rect", { class: "window", "data-testid": "chart-window", x, width: end - x, y: TOP,
    height: HEIGHT - TOP - BOTTOM, "data-from": new Date(first).toISOString().slice(0, 10),
    "data-to": income.as_of });
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

// The bars, and where the last one of them ends.
function plot(given, by, tip, space) {
  const kind = kinds[by];
  const bars = kind.bars(given);
  const width = Math.max(space, LEFT + bars.length * BAR_MIN);
  const top = ceiling(Math.max(...bars.map((bar) => bar.amount ?? 0)));
  const step = (width - LEFT) / bars.length;
  const context = { ...given, currency: given.income.currency, kind, tip, top };
  const summary = `Earnings by ${by} from ${bars[0].name} to ${bars.at(-1).name}`;
  tip.textContent = `${summary}. Point at a bar, or go through them with the arrow keys.`;
  const drawn = bars.map((bar, at) => drawBar(bar, at, step, context));
  drawn.find(Boolean)?.setAttribute("tabindex", "0");
  return [svg("svg", { class: "chart", width, height: HEIGHT, role: "group",
    "aria-label": summary, onkeydown: walk },
  drawWindow(bars, step, given), axis(top, width), labels(bars, step, width), drawn),
  LEFT + (drawn.findLastIndex(Boolean) + 1) * step];
}

function legend(name, text) {
  return el("span", { class: "legend" }, el("i", { class: `swatch ${name}` }), text);
}

// The chart with its switch. `rows` are the API's, newest first, and not none; `income` and
// `figures` are the results of palenca.income, `words` its texts.
export function chart(given) {
  const { rows, income, figures } = given;
  const tip = el("p", { class: "tip" });
  const place = el("div", { class: "plot", "data-testid": "chart" });
  let chosen = "day";
  let space = 0;
  const draw = () => {
    if (space === 0) return;
    const [picture, end] = plot(given, chosen, tip, space);
    place.replaceChildren(picture);
    // to the end, unless no bar would be seen there
    const latest = place.scrollWidth - space;
    place.scrollLeft = end > latest + space * 0.1 ? latest : end - space * 0.9;
  };
  const choice = (value) => el("label", { class: "switch" },
    el("input", { type: "radio", name: "chart-by", checked: value === chosen,
      "data-testid": `chart-${value}`, onchange() {
        chosen = value;
        draw();
      } }), `by ${value}`);
  new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (now !== space) {
      space = now;
      draw();
    }
  }).observe(place);
  const averaged = figures.find(({ field }) => field === "window_days");
  return el("figure", { class: "figure" },
    el("div", { class: "switches", role: "radiogroup", "aria-label": "Chart" },
      choice("day"), income.weeks.length > 0 ? choice("week") : null,
      income.months.length > 0 ? choice("month") : null,
      el("span", { class: "legends" },
        rows.some((row) => row.amount === null) ? legend("unknown", given.words.unknown) : null,
        rows.some((row) => row.cash_amount !== null) ? legend("", "cash") : null,
        legend("window", `${averaged.label}: ${averaged.text}`))),
    place, tip);
}

// The measures, axes and labels of the earnings chart.
import { svg } from "/assets/dom.js";

const HEIGHT = 240;
const TOP = 12;
const BOTTOM = 28;

// Pixels: the chart's height, and where its bars begin and end.
export const shape = { height: HEIGHT, top: TOP, base: HEIGHT - BOTTOM,
  inner: HEIGHT - TOP - BOTTOM };

// As the class "tick" of the style sheet has it.
const FONT_SIZE = 12;
// Pixels between two labels, at least.
const GAP = 12;
// More bars than this are named by their months.
const DAYS_NAMED = 92;

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const pen = document.createElement("canvas").getContext("2d");

function widthOf(text) {
  pen.font = `${FONT_SIZE}px ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width;
}

// A round number at or above the highest bar.
export function ceiling(max) {
  const power = 10 ** Math.floor(Math.log10(Math.max(max, 1)));
  return [1, 1.2, 1.6, 2, 2.5, 3, 4, 5, 6, 8, 10].map((step) => step * power)
    .find((value) => value >= max);
}

const parts = [0, 0.5, 1];
const heightOf = (part) => TOP + shape.inner * (1 - part);
const compact = (value) => Intl.NumberFormat("en", { notation: "compact" }).format(value);

// The width of the axis with its labels, which stays while the bars are scrolled.
export const axisWidth = (top) => Math.ceil(Math.max(...parts.map((part) =>
  widthOf(compact(top * part))))) + GAP;

export const axis = {
  lines: (width) => parts.map((part) => svg("line", { class: "grid", x1: 0, x2: width,
    y1: heightOf(part), y2: heightOf(part) })),
  texts: (top, width) => svg("svg", { class: "axis", width, height: HEIGHT, "aria-hidden": "true" },
    parts.map((part) => svg("text", { class: "tick", x: width - GAP / 2, y: heightOf(part) + 4,
      "text-anchor": "end" }, compact(top * part)))),
};

const dayName = ({ from }) => {
  const day = new Date(from);
  return `${day.getUTCDate()} ${months[day.getUTCMonth()]}`;
};

const monthName = ({ from }) => {
  const day = new Date(from);
  return `${months[day.getUTCMonth()]} ${day.getUTCFullYear()}`;
};

// The bars to name, [position, name]: regularly, as many as have room.
function regular(bars, step, name) {
  const widest = Math.max(...bars.map((bar) => widthOf(name(bar))));
  const every = Math.max(1, Math.ceil((widest + GAP) / step));
  return bars.map((bar, at) => [at, name(bar)]).filter(([at]) => at % every === 0);
}

export function dayNames(bars, step) {
  if (bars.length <= DAYS_NAMED) return regular(bars, step, dayName);
  return bars.map((bar, at) => [at, monthName(bar), new Date(bar.from).getUTCDate()])
    .filter(([, , day]) => day === 1);
}

export const monthNames = (bars, step) => regular(bars, step, monthName);

// Names below the bars. None leaves the picture, and one that would touch the last one is left out.
export function labels(names, step, width) {
  let free = 0;
  return names.map(([at, text]) => {
    const half = widthOf(text) / 2;
    const x = Math.min(Math.max((at + 0.5) * step, half + 1), width - half - 1);
    if (x - half < free) return null;
    free = x + half + GAP;
    return svg("text", { class: "tick", x, y: HEIGHT - 8, "text-anchor": "middle" }, text);
  });
}

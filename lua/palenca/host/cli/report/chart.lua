--- Draws spans of time with their totals as bars: an SVG without anything from elsewhere.
-- @module palenca.host.cli.report.chart
local date = require("palenca.util.date")
local html = require("palenca.host.cli.report.html")
local number_format = require("palenca.host.cli.report.number_format")

local chart = {}

local element = html.element

-- In the units of the picture; the axis is to the left, names are below, values above the bars.
local WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 520, 210, 76, 8, 42, 34
local NAME_WIDTH = 72
local NAMES_MAX = 6 -- of more bars, every second or third has its name

-- A round number that is not below the value, nor so far above that the bars are low.
local function round_up(value)
  local power = 10 ^ math.floor(math.log(value, 10))
  for _, factor in ipairs({ 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10 }) do
    if value <= factor * power then
      return factor * power
    end
  end
  return 10 * power
end

local function plain(value)
  return ("%.10g"):format(value)
end

-- On the axis there is room for six digits and their mark.
local function short(value, language)
  return number_format.number(value >= 1e6 and plain(value / 1e6) .. " M" or plain(value), language)
end

local function text(x, y, class, content)
  return element("text", { x = plain(x), y = plain(y), class = class }, content)
end

-- Where a day begins, and how high a value is.
local function scales(spans, max)
  local first, last = date.parse(spans[1].from), date.parse(spans[#spans].to) + 1
  local function x_of(day)
    return LEFT + (WIDTH - LEFT - RIGHT) * (day - first) / (last - first)
  end
  local function y_of(value)
    local share = math.max(0, math.min(1, value / max))
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share
  end
  return x_of, y_of
end

local function add_grid(parts, max, y_of, language)
  for _, share in ipairs({ 0, 0.5, 1 }) do
    local y = y_of(max * share)
    parts[#parts + 1] = element("line", { class = "grid", x1 = LEFT, x2 = WIDTH - RIGHT,
      y1 = plain(y), y2 = plain(y) })
    parts[#parts + 1] = text(LEFT - 6, y + 5, "axis", short(max * share, language))
  end
end

local function add_window(parts, window, spans, x_of)
  local first, last = date.parse(spans[1].from), date.parse(spans[#spans].to) + 1
  local from = math.max(first, date.parse(window.from))
  local to = math.min(last, date.parse(window.to) + 1)
  if from < to then
    parts[#parts + 1] = element("rect", { class = "window", x = plain(x_of(from)), y = TOP,
      width = plain(x_of(to) - x_of(from)), height = HEIGHT - TOP - BOTTOM })
  end
end

local function add_bar(parts, span, x_of, y_of, language)
  local from, to = x_of(date.parse(span.from)), x_of(date.parse(span.to) + 1)
  local gap = math.min(4, (to - from) / 5)
  local value = tonumber(span.total)
  local y = y_of(value or 0)
  parts[#parts + 1] = element("rect", { class = span.is_partial and "bar partial" or "bar",
    x = plain(from + gap / 2), y = plain(y), width = plain(to - from - gap),
    height = plain(HEIGHT - BOTTOM - y) },
    element("title", nil, span.from .. " – " .. span.to .. ": " .. (span.total
      and number_format.number(span.total, language) or "?")))
  if span.is_lacking then
    parts[#parts + 1] = text((from + to) / 2, y - 4, "lacking", "?")
  end
end

local function add_name(parts, span, x_of)
  local from, to = x_of(date.parse(span.from)), x_of(date.parse(span.to) + 1)
  local middle = math.min((from + to) / 2, WIDTH - NAME_WIDTH / 2)
  parts[#parts + 1] = text(middle, HEIGHT - BOTTOM + 23, "name", span.name)
end

local function add_line(parts, line, y_of)
  local value = line and tonumber(line.value)
  if value and value > 0 then
    local y = y_of(value)
    parts[#parts + 1] = element("line", { class = "average", x1 = LEFT, x2 = WIDTH - RIGHT,
      y1 = plain(y), y2 = plain(y) })
    parts[#parts + 1] = text(WIDTH - RIGHT, 16, "average-name", line.name)
  end
end

--- Draws them.
-- @tparam {table,...} spans `{from=, to=, total=, is_partial=, is_lacking=, name=}`, one after
-- the other, at least one; the total is an amount, or nil if it is not known; one that lacks the
-- amounts of some days has a question mark
-- @tparam table options `label`, for those who do not see it; `window`, `{from=, to=}`; `line`,
-- `{value=, name=}`, an average to compare with; `language`
-- @return a piece of HTML
function chart.draw(spans, options)
  local highest = tonumber(options.line and options.line.value) or 0
  for _, span in ipairs(spans) do
    highest = math.max(highest, tonumber(span.total) or 0)
  end
  local max = highest > 0 and round_up(highest) or 1
  local x_of, y_of = scales(spans, max)
  local parts = {}
  add_window(parts, options.window, spans, x_of)
  add_grid(parts, max, y_of, options.language)
  local every = math.ceil(#spans / NAMES_MAX)
  for at, span in ipairs(spans) do
    add_bar(parts, span, x_of, y_of, options.language)
    if (#spans - at) % every == 0 then
      add_name(parts, span, x_of)
    end
  end
  add_line(parts, options.line, y_of)
  return element("svg", { viewBox = ("0 0 %d %d"):format(WIDTH, HEIGHT), role = "img",
    ["aria-label"] = options.label }, parts)
end

return chart

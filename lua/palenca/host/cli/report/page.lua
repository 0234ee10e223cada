--- The page of a report: one self-contained HTML file, which asks nobody for anything.
-- @module palenca.host.cli.report.page
local chart = require("palenca.host.cli.report.chart")
local core = require("palenca.core")
local date = require("palenca.util.date")
local figure_texts = require("palenca.income.figure_texts")
local host = require("palenca.host")
local html = require("palenca.host.cli.report.html")
local style = require("palenca.host.cli.report.style")
local words_of = require("palenca.host.cli.report.words")

local element = html.element

-- Those that stand out.
local CARDS = { "monthly_income", "qualifying_income", "regularity", "stability", "trend" }

local BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

-- Of a digest in hexadecimal.
local function base64_of_hex(hex)
  local bits = hex:gsub("%x", function(digit)
    local value = tonumber(digit, 16)
    return (value // 8 % 2) .. (value // 4 % 2) .. (value // 2 % 2) .. (value % 2)
  end)
  local text = (bits .. ("0"):rep(-#bits % 6)):gsub("%d%d%d%d%d%d", function(six)
    local at = tonumber(six, 2) + 1
    return BASE64:sub(at, at)
  end)
  return text .. ("="):rep(-#text % 4)
end

local function with_currency(text, currency)
  return currency and text .. " " .. currency:upper() or text
end

local function section(title, ...)
  return element("section", nil, element("h2", nil, title), ...)
end

local function pair(name, value)
  return value and element("tr", nil, element("th", { scope = "row" }, name),
    element("td", nil, value)) or ""
end

local FACTS = { "born", "city", "role", "trips", "rating" }

-- An account that was never connected has no profile.
local function worker(one, words)
  local rows = { pair(words.name, one.name) }
  for _, id in ipairs(one.ids) do
    rows[#rows + 1] = pair(id.name, id.value)
  end
  for _, field in ipairs(FACTS) do
    rows[#rows + 1] = pair(words[field], one[field])
  end
  for _, row in ipairs(rows) do
    if row ~= "" then
      return section(words.worker, element("table", nil, rows))
    end
  end
  return section(words.worker, element("p", { class = "legend" }, words.no_worker))
end

-- A row for each, so that several still fit on the sheet.
local function people(workers, words)
  local rows = {}
  for at, one in ipairs(workers) do
    local facts = {}
    for _, id in ipairs(one.ids) do
      facts[#facts + 1] = id.name .. ": " .. id.value
    end
    for _, field in ipairs(FACTS) do
      facts[#facts + 1] = one[field] and words[field] .. ": " .. one[field]
    end
    rows[at] = element("tr", nil,
      element("th", { class = "person", scope = "row" }, one.name or "–"),
      element("td", nil, table.concat(facts, " · ")))
  end
  return section(words.people, element("table", nil, rows))
end

-- Nobody must take the income of several for one person's.
local function warning(data, words)
  local count = #data.workers
  return count > 1 and element("section", { class = "outcome undecidable" },
    element("b", nil, words.several:format(count)), element("p", nil, words.added)) or ""
end

-- A row for each platform. The total of several accounts has a row of its own: beside the first it
-- would be taken for the total of that one alone.
local function add_platform(rows, data, words, platform, lines)
  local own = (data.income.platforms or {})[platform]
  local name = platform == "" and words.account or data.platform_names[platform] or platform
  local total = own and own.total and with_currency(own.total, data.income.currency) or ""
  local is_one = #lines == 1
  rows[#rows + 1] = element("tr", nil, element("th", { scope = "row" }, name),
    element("td", nil, lines), element("td", { class = "value" }, is_one and total or ""))
  if not is_one and total ~= "" then
    rows[#rows + 1] = element("tr", nil,
      element("th", { scope = "row" }, words.total:format(name)), element("td"),
      element("td", { class = "value" }, total))
  end
end

local function accounts(data, words)
  local platforms, lines_of = {}, {}
  for _, account in ipairs(data.accounts) do
    local platform = account.platform or ""
    local lines = lines_of[platform]
    if not lines then
      lines = {}
      lines_of[platform], platforms[#platforms + 1] = lines, platform
    end
    local owner = #data.workers > 1 and data.owners[account.account]
    lines[#lines + 1] = element("div", nil, account.account or "",
      owner and owner.name and element("div", { class = "legend" }, owner.name) or "")
  end
  local rows = {}
  for _, platform in ipairs(platforms) do
    add_platform(rows, data, words, platform, lines_of[platform])
  end
  return section(words.accounts, element("table", nil, rows))
end

local function cards(figures, currency)
  local list = {}
  for _, name in ipairs(CARDS) do
    for _, figure in ipairs(figures) do
      if figure.field == name then
        local text = figure.text and figure.kind == "money" and with_currency(figure.text, currency)
          or figure.text or "–"
        list[#list + 1] = element("div", { class = "card" }, element("span", nil, figure.label),
          element("b", nil, text), element("span", nil, figure.note))
      end
    end
  end
  return element("div", { class = "cards" }, list)
end

-- With several currencies there is no figure of all; each has its own.
local function currencies(income, language)
  local rows, codes = {}, {}
  for code in pairs(income.by_currency or {}) do
    codes[#codes + 1] = code
  end
  table.sort(codes)
  for at, code in ipairs(codes) do
    local cells = {}
    for _, figure in ipairs(figure_texts.rows(income.by_currency[code], language)) do
      if figure.field == "monthly_income" or figure.field == "qualifying_income" then
        cells[#cells + 1] = element("td", { class = "note" }, figure.label)
        cells[#cells + 1] = element("td", { class = "value" }, figure.text or "–")
      end
    end
    rows[at] = element("tr", nil, element("th", { scope = "row" }, code:upper()), cells)
  end
  return #rows > 0 and element("table", { class = "currencies" }, rows) or ""
end

local function outcome(data, words)
  local verdict = data.verdict
  if not verdict then
    return ""
  end
  local texts = verdict:explain(data.language)
  return element("section", { class = "outcome " .. verdict.outcome },
    element("b", nil, words.outcome .. ": " .. words[verdict.outcome]),
    element("p", nil, texts.analyst),
    -- of several persons' income there is nothing to say to any of them
    #data.workers > 1 and "" or element("p", nil, words.for_worker .. ": " .. texts.worker))
end

local function figure_table(figures, first, last)
  local rows = {}
  for at = first, last do
    local figure = figures[at]
    rows[#rows + 1] = element("tr", nil, element("th", { scope = "row" }, figure.label),
      element("td", { class = "value" }, figure.text or "–"),
      element("td", { class = "note" }, figure.note))
  end
  return element("table", nil, rows)
end

local function problems(data, words)
  local list, people_count = {}, #data.workers
  if people_count > 1 then
    list[1] = element("li", nil, words.several:format(people_count))
  end
  for _, problem in ipairs(data.income.problems) do
    list[#list + 1] = element("li", nil, figure_texts.problem(problem, data.language))
  end
  return section(words.problems, #list > 0 and element("ul", nil, list)
    or element("p", { class = "legend" }, words.no_problems))
end

-- Up to the last day, the days that are averaged.
local function window_of(income)
  local last = date.parse(income.as_of)
  return { from = date.text(last - (income.window_days or 1) + 1), to = income.as_of }
end

-- Instead of a chart without a bar: that there is nothing, or why it is not known.
local function missing_of(spans, figures, field, none)
  for _, span in ipairs(spans) do
    if span.total then
      return nil
    end
  end
  for _, figure in ipairs(#spans > 0 and figures or {}) do
    if figure.field == field and not figure.text then
      none = figure.note
    end
  end
  return element("p", { class = "legend" }, none)
end

local function legend(...)
  return element("p", { class = "legend" }, ...)
end

local function months(income, figures, words)
  local spans, has_partial, is_lacking = {}, false, false
  for at, month in ipairs(income.months) do
    has_partial = has_partial or not month.full
    is_lacking = is_lacking or month.unknown_days > 0
    spans[at] = { from = month.from, to = month.to, total = month.total,
      is_partial = not month.full, is_lacking = month.unknown_days > 0,
      name = month.from:sub(1, 7) }
  end
  local missing = missing_of(spans, figures, "monthly_income", words.no_months)
  if missing then
    return section(words.months, missing)
  end
  return section(words.months, chart.draw(spans, {
    label = words.months,
    window = window_of(income),
    line = income.monthly_income and { value = income.monthly_income,
      name = words.monthly:format(with_currency(income.monthly_income, income.currency)) },
  }), legend(element("i"), words.window, has_partial and "; " .. words.partial or "",
    is_lacking and "; " .. words.lacking or ""))
end

local function weeks(income, figures, words)
  local spans = {}
  for at, week in ipairs(income.weeks) do
    spans[at] = { from = week.from, to = week.to, total = week.total,
      is_lacking = week.unknown_days > 0, name = week.from:sub(6) }
  end
  local missing = missing_of(spans, figures, "median_week", words.no_weeks)
  if missing then
    return section(words.weeks, missing)
  end
  return section(words.weeks, chart.draw(spans, {
    label = words.weeks,
    window = window_of(income),
    line = income.median_week and { value = income.median_week,
      name = words.median:format(with_currency(income.median_week, income.currency)) },
  }))
end

local function footer(data, words)
  return element("footer", nil,
    element("p", nil, words.source .. ": " .. data.source),
    element("p", nil, words.made:format(core.version) .. " · " .. data.made_at),
    data.is_masked and element("p", nil, words.masked) or "")
end

local function body(data, words)
  local income = data.income
  local figures = figure_texts.rows(income, data.language)
  local half = math.ceil(#figures / 2)
  return {
    element("header", nil, element("h1", nil, words.title),
      element("p", nil, words.as_of:format(income.as_of))),
    warning(data, words),
    outcome(data, words),
    cards(figures, income.currency),
    currencies(income, data.language),
    #data.workers > 1 and people(data.workers, words) or "",
    #data.workers ~= 1 and accounts(data, words) or element("div", { class = "columns" },
      worker(data.workers[1], words), accounts(data, words)),
    element("div", { class = "columns" }, months(income, figures, words),
      weeks(income, figures, words)),
    section(words.figures, element("div", { class = "columns" },
      figure_table(figures, 1, half), figure_table(figures, half + 1, #figures))),
    problems(data, words),
    footer(data, words),
  }
end

--- Makes the page.
-- @tparam table data `language`; `income` and maybe `verdict`; `accounts`, as of
-- @{palenca.income.merge}; `workers`, `{name=, ids={{name=, value=},…}, born=, city=, role=,
-- trips=, rating=}`; `owners`, account → worker; `platform_names`, code → name; `is_masked`;
-- `source` and `made_at`, texts
-- @treturn string the file
return function(data)
  local words = words_of[data.language]
  local policy = "default-src 'none'; style-src 'sha256-" .. base64_of_hex(host.sha256(style))
    .. "'"
  return table.concat({
    "<!doctype html>\n<html lang=\"" .. data.language .. "\">\n<head>\n",
    "<meta charset=\"utf-8\">\n",
    "<meta http-equiv=\"Content-Security-Policy\" content=\"" .. policy .. "\">\n",
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
    "<meta name=\"referrer\" content=\"no-referrer\">\n",
    html.text(element("title", nil, words.title .. " " .. data.income.as_of)),
    "\n<style>", style, "</style>\n</head>\n",
    html.text(element("body", nil, body(data, words))),
    "\n</html>\n",
  })
end

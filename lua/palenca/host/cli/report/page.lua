--- The page of a report: one self-contained HTML file, which asks nobody for anything.
-- @module palenca.host.cli.report.page
local account_state = require("palenca.host.cli.account_state")
local chart = require("palenca.host.cli.report.chart")
local core = require("palenca.core")
local date = require("palenca.util.date")
local figure_texts = require("palenca.income.figure_texts")
local host = require("palenca.host")
local html = require("palenca.host.cli.report.html")
local last_day = require("palenca.host.cli.last_day")
local number_format = require("palenca.host.cli.report.number_format")
local style = require("palenca.host.cli.report.style")
local verdict_texts = require("palenca.host.cli.verdict_texts")
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

local function money(data, text, currency)
  return number_format.number(currency and text .. " " .. currency:upper() or text, data.language)
end

local function section(title, ...)
  return element("section", nil, element("h2", nil, title), ...)
end

-- A row for each, so that several still fit on the sheet.
local function people(data, words)
  local workers, rows = data.workers, {}
  if #workers == 0 then
    return data.has_profiles and section(words.worker,
      element("p", { class = "legend" }, words.no_worker)) or ""
  end
  for at, one in ipairs(workers) do
    local facts = {}
    for _, id in ipairs(one.ids) do
      facts[#facts + 1] = id.name .. ": " .. id.value
    end
    facts[#facts + 1] = one.born and words.born .. ": " .. one.born
    rows[at] = element("tr", nil,
      element("th", { class = "person", scope = "row" }, one.name or "–"),
      element("td", nil, table.concat(facts, " · ")))
  end
  return section(#workers == 1 and words.worker or words.people, element("table", nil, rows))
end

-- Nobody must take the income of several for one person's.
local function warning(data, words)
  local count = #data.workers
  return count > 1 and element("section", { class = "outcome undecidable" },
    element("b", nil, words.several:format(count)), element("p", nil, words.added)) or ""
end

local function platform_name(data, words, platform)
  return not platform and words.account or data.platform_names[platform] or platform
end

local function total_of(data, platform)
  local own = (data.income.platforms or {})[platform or ""]
  return own and own.total and money(data, own.total, data.income.currency) or nil
end

-- Of each account what its profile says, and its total; by the platforms' names, then the ids.
local function account_rows(data, words)
  local rows, counts = {}, {}
  for at, account in ipairs(data.accounts) do
    local id, platform = account.account, account.platform
    local facts, details = data.facts[id] or {}, data.details[id] or {}
    local owner = #data.workers > 1 and data.owners[id]
    counts[platform or ""] = (counts[platform or ""] or 0) + 1
    rows[at] = {
      platform = platform_name(data, words, platform),
      code = platform,
      account = id or "",
      owner = owner and owner.name,
      role = facts.role and (words.roles[facts.role] or facts.role),
      city = facts.city,
      created = details.connected and details.created, -- by a login that failed, too
      connected = details.connected,
      trips = facts.trips and number_format.number(facts.trips, data.language),
      rating = facts.rating and number_format.number(facts.rating, data.language),
    }
  end
  table.sort(rows, function(one, other)
    if one.platform == other.platform then
      return one.account < other.account
    end
    return one.platform < other.platform
  end)
  for _, row in ipairs(rows) do
    row.earned = counts[row.code or ""] == 1 and total_of(data, row.code) or nil
  end
  return rows, counts
end

-- Those that an account has, if any does.
local OPTIONAL = { "role", "city", "created", "connected", "trips", "rating", "earned" }
-- How they look.
local CLASSES = { account = "id", role = "fact", city = "fact", created = "day", connected = "day",
  trips = "value", rating = "value", earned = "value" }

local function columns_of(rows)
  local columns = { "account" }
  for _, name in ipairs(OPTIONAL) do
    local is_known = false
    for _, row in ipairs(rows) do
      is_known = is_known or row[name] ~= nil
    end
    columns[#columns + 1] = is_known and name or nil
  end
  return columns
end

-- The first of the days that a total is of.
local function first_day(income)
  return date.text(date.parse(income.as_of) - math.max(income.days_observed, 1) + 1)
end

local function column_name(data, name, words)
  return name == "earned" and words.earned:format(first_day(data.income)) or words[name]
end

local function account_cells(data, row, columns, words)
  local cells = {}
  for at, name in ipairs(columns) do
    cells[at] = element("td", { class = CLASSES[name],
      ["data-label"] = column_name(data, name, words) .. ": " }, row[name] or "",
      name == "account" and row.owner and element("div", { class = "legend" }, row.owner) or "")
  end
  return cells
end

-- The total of several accounts has a row of its own: beside the first it would be taken for the
-- total of that one alone.
local function platform_total(data, row, columns, words)
  local total = total_of(data, row.code)
  return total and element("tr", nil,
    element("th", { scope = "row" }, words.total:format(row.platform, first_day(data.income))),
    element("td", { class = "value", colspan = #columns }, total)) or ""
end

local function accounts(data, words)
  local rows, counts = account_rows(data, words)
  local columns, lines = columns_of(rows), {}
  local heading = { element("th", { scope = "col" }, words.platform) }
  for _, name in ipairs(columns) do
    heading[#heading + 1] = element("th", { scope = "col", class = CLASSES[name] },
      column_name(data, name, words))
  end
  lines[1] = element("tr", { class = "heading" }, heading)
  for at, row in ipairs(rows) do
    lines[#lines + 1] = element("tr", nil, element("th", { scope = "row" }, row.platform),
      account_cells(data, row, columns, words))
    local is_last = not rows[at + 1] or rows[at + 1].code ~= row.code
    if is_last and counts[row.code or ""] > 1 then
      lines[#lines + 1] = platform_total(data, row, columns, words)
    end
  end
  return section(words.accounts, element("table", { class = "accounts" }, lines))
end

-- A figure's value as the language writes it.
local function figure_text(data, figure, currency)
  if not figure.text then
    return "–"
  elseif figure.kind == "money" then
    return money(data, figure.text, currency)
  end
  return figure.kind == "text" and figure.text or number_format.number(figure.text, data.language)
end

local function cards(data, figures)
  local list = {}
  for _, name in ipairs(CARDS) do
    for _, figure in ipairs(figures) do
      if figure.field == name then
        list[#list + 1] = element("div", { class = "card" }, element("span", nil, figure.label),
          element("b", nil, figure_text(data, figure, data.income.currency)),
          element("span", nil, figure.note))
      end
    end
  end
  return element("div", { class = "cards" }, list)
end

-- With several currencies there is no figure of all; each has its own.
local function currencies(data)
  local rows, codes = {}, {}
  local by_currency = data.income.by_currency or {}
  for code in pairs(by_currency) do
    codes[#codes + 1] = code
  end
  table.sort(codes)
  for at, code in ipairs(codes) do
    local cells = {}
    for _, figure in ipairs(figure_texts.rows(by_currency[code], data.language)) do
      if figure.field == "monthly_income" or figure.field == "qualifying_income" then
        cells[#cells + 1] = element("td", { class = "note" }, figure.label)
        cells[#cells + 1] = element("td", { class = "value" }, figure_text(data, figure))
      end
    end
    rows[at] = element("tr", nil, element("th", { scope = "row" }, code:upper()), cells)
  end
  return #rows > 0 and element("table", { class = "currencies" }, rows) or ""
end

local function notes(data)
  return figure_texts.notes(data.income, data.language, data.platform_names)
end

local function paragraphs(texts)
  local list = {}
  for at, text in ipairs(texts) do
    list[at] = element("p", nil, text)
  end
  return list
end

-- The outcome with what may move it, so that nobody needs to look for that further below.
local function outcome(data, words)
  local verdict = data.verdict
  if not verdict then
    return ""
  end
  local texts = verdict_texts.of(data)
  return element("section", { class = "outcome " .. verdict.outcome },
    element("b", nil, words.outcome .. ": " .. words[verdict.outcome]),
    element("p", nil, texts.request),
    paragraphs(texts.states),
    element("p", nil, texts.analyst),
    paragraphs(notes(data)),
    -- of several persons' income there is nothing to say to any of them
    #data.workers > 1 and "" or element("p", nil, words.for_worker .. ": " .. texts.worker))
end

local function figure_table(data, figures, first, last)
  local rows = {}
  for at = first, last do
    local figure = figures[at]
    rows[#rows + 1] = element("tr", nil, element("th", { scope = "row" }, figure.label),
      element("td", { class = "value" }, figure_text(data, figure)),
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
  for _, note in ipairs(notes(data)) do
    list[#list + 1] = element("li", nil, note)
  end
  for _, account in ipairs(data.accounts) do
    local found = data.details[account.account] or {}
    local function add(text)
      list[#list + 1] = element("li", nil, ("%s, %s: %s."):format(
        platform_name(data, words, account.platform), account.account, text))
    end
    if found.state then
      add(account_state.describe(found.state, data.language))
    end
    if found.age then
      add(last_day.describe(found.age, data.language))
    end
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

local function months(data, figures, words)
  local income = data.income
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
      name = words.monthly:format(money(data, income.monthly_income, income.currency)) },
    language = data.language,
  }), legend(element("i"), words.window, has_partial and "; " .. words.partial or "",
    is_lacking and "; " .. words.lacking or ""))
end

local function weeks(data, figures, words)
  local income, spans = data.income, {}
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
      name = words.median:format(money(data, income.median_week, income.currency)) },
    language = data.language,
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
      element("p", nil, words.as_of:format(income.as_of)
        .. last_day.explain(income.as_of_reason, data.language))),
    warning(data, words),
    outcome(data, words),
    cards(data, figures),
    currencies(data),
    people(data, words),
    accounts(data, words),
    element("div", { class = "columns" }, months(data, figures, words),
      weeks(data, figures, words)),
    section(words.figures, element("div", { class = "columns" },
      figure_table(data, figures, 1, half), figure_table(data, figures, half + 1, #figures))),
    problems(data, words),
    footer(data, words),
  }
end

--- Makes the page.
-- @tparam table data `language`; `income` and maybe `verdict` and `request`; `accounts`, as of
-- @{palenca.income.merge}; `workers`, `owners` and `facts`, as of
-- @{palenca.host.cli.report.workers}, and whether it `has_profiles` at all; `details`, as of
-- @{palenca.host.cli.income_input.read}; `platform_names`, code → name; `is_masked`; `source` and
-- `made_at`, texts
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

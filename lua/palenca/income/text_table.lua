--- Writes an income as text for people: the figures with a word on each, then weeks, months and
-- platforms with their ranges.
-- @module palenca.income.text_table
local canonical_json = require("palenca.util.canonical_json")
local date = require("palenca.util.date")
local fail = require("palenca.income.fail")
local figure_texts = require("palenca.income.figure_texts")
local labels = require("palenca.income.labels")
local redact = require("palenca.util.redact")
local text_layout = require("palenca.util.text_layout")

local function layout(rows, left)
  return table.concat(text_layout.lines(rows, left), "\n")
end

local function figure_rows(income, language)
  local rows = {}
  if income.currency then
    rows[1] = { labels.words[language].currency, income.currency, "" }
  end
  for _, figure in ipairs(figure_texts.rows(income, language)) do
    rows[#rows + 1] = { figure.label, figure.text or "-", figure.note }
  end
  return rows
end

local function sorted_names(map)
  local names = {}
  for name in pairs(map or {}) do
    names[#names + 1] = name
  end
  table.sort(names, canonical_json.is_before)
  return names
end

-- What each currency has of its own, if there are several.
local function add_currencies(parts, by_currency, language)
  for _, name in ipairs(sorted_names(by_currency)) do
    local rows = {}
    for _, figure in ipairs(figure_texts.rows(by_currency[name], language)) do
      rows[#rows + 1] = figure.text and { figure.label, figure.text, figure.note } or nil
    end
    parts[#parts + 1] = name .. "\n" .. layout(rows, { true, false, true })
  end
end

local function span_rows(spans, words, mark)
  local rows = { { words.from, words.to, words.days, words.unknown, words.total } }
  local is_marked = false
  for _, span in ipairs(spans) do
    local is_partial = mark and not span.full
    is_marked = is_marked or is_partial
    rows[#rows + 1] = {
      span.from,
      span.to .. (is_partial and "*" or ""),
      ("%d"):format(span.active_days),
      ("%d"):format(span.unknown_days),
      span.total or "-",
    }
  end
  return rows, is_marked
end

local function add_spans(parts, heading, spans, words, mark)
  if #spans > 0 then
    local rows, is_marked = span_rows(spans, words, mark)
    parts[#parts + 1] = heading .. "\n" .. layout(rows, { true, true })
      .. (is_marked and "\n" .. words.partial or "")
  end
end

local function add_platforms(parts, income, words)
  local platforms = income.platforms
  local rows = { { words.platform, words.days, words.total } }
  for _, name in ipairs(sorted_names(platforms)) do
    local platform = platforms[name]
    rows[#rows + 1] = { name, ("%d"):format(platform.active_days), platform.total or "-" }
  end
  if #rows > 1 then
    local first = date.parse(income.as_of) - income.days_observed + 1
    local days = income.days_observed > 0 and (" (%s – %s)"):format(date.text(first), income.as_of)
    parts[#parts + 1] = words.platforms .. (days or "") .. "\n" .. layout(rows, { true })
  end
end

local function add_list(parts, heading, texts)
  local lines = { heading }
  for _, text in ipairs(texts) do
    lines[#lines + 1] = "- " .. redact.escape_line(text)
  end
  if #lines > 1 then
    parts[#parts + 1] = table.concat(lines, "\n")
  end
end

local function problem_texts(problems, language)
  local texts = {}
  for at, problem in ipairs(problems) do
    texts[at] = figure_texts.problem(problem, language)
  end
  return texts
end

--- Writes the table; see @{palenca.income.table}.
return function(income, language)
  language = language == nil and "en" or language
  local words = labels.words[language]
  if not words then
    fail.value("table", 'expected "es", "pt" or "en"', language)
  elseif type(income) ~= "table" or type(income.unknown) ~= "table"
    or type(income.weeks) ~= "table" or type(income.problems) ~= "table" then
    error("palenca.income: table: expected what palenca.income.analyze returned", 0)
  end
  local parts = { layout(figure_rows(income, language), { true, false, true }) }
  add_list(parts, words.problems, problem_texts(income.problems, language))
  add_list(parts, words.notes, figure_texts.notes(income, language))
  add_currencies(parts, income.by_currency, language)
  add_spans(parts, words.weeks, income.weeks, words, false)
  add_spans(parts, words.months, income.months, words, true)
  add_platforms(parts, income, words)
  return table.concat(parts, "\n\n")
end

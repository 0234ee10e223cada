--- An income's figures and problems as texts for people.
-- @module palenca.income.figure_texts
local canonical_json = require("palenca.util.canonical_json")
local labels = require("palenca.income.labels")
local percent = require("palenca.income.percent")
local sentences = require("palenca.income.sentences")

local figure_texts = {}

local function write(income, field, kind)
  local value = income[field]
  if value == nil then
    return nil
  elseif kind == "percent" then
    return percent(value)
  elseif kind == "money" or kind == "text" then
    return value
  end
  return canonical_json.number(value)
end

--- The figures, in the order of @{palenca.income.labels}.
-- @tparam table income of @{palenca.income.analyze}, or of one of its currencies
-- @tparam string language `es`, `pt` or `en`
-- @treturn {table,...} `{field=, kind=, label=, text=, note=}`: what it is called, its value and
-- what that means; without `text` the value is not known, and the note says why
function figure_texts.rows(income, language)
  local rows = {}
  for at, figure in ipairs(labels.figures) do
    local field, kind = figure[1], figure[2]
    local row = { field = field, kind = kind, label = figure[language][1],
      note = figure[language][2], text = write(income, field, kind) }
    if not row.text then
      local why = labels.unknown[(income.unknown or {})[field]]
      row.note = labels.words[language].not_known .. (why and ": " .. why[language] or "")
    end
    rows[at] = row
  end
  return rows
end

--- What a problem means.
-- @tparam string problem a code of `income.problems`
-- @tparam string language
-- @treturn string a sentence; the code itself if there is none
function figure_texts.problem(problem, language)
  local name, detail = problem:match("^([^:]*):?(.*)$")
  local texts = sentences.reasons[name]
  return texts and (texts[language]:gsub("{detail}", { ["{detail}"] = labels.warning(detail,
    language) })) or problem
end

-- Such as ` (didi: 18)`.
local function platforms_of(income, names)
  local parts = {}
  for platform, own in pairs(income.platforms or {}) do
    if (own.uncounted_rows or 0) > 0 then
      parts[#parts + 1] = ("%s: %d"):format(names and names[platform] or platform,
        own.uncounted_rows)
    end
  end
  table.sort(parts, canonical_json.is_before)
  return #parts > 0 and " (" .. table.concat(parts, ", ") .. ")" or ""
end

--- What is to be known of an income beside its problems.
-- @tparam table income of @{palenca.income.analyze}
-- @tparam string language
-- @tparam ?{[string]=string} names what people call the platforms, by their codes
-- @treturn {string,...} sentences
function figure_texts.notes(income, language, names)
  local count = income.uncounted_rows or 0
  return { count > 0 and (sentences.notes.uncounted_rows[language]:gsub("{(%a+)}", {
    count = ("%d"):format(count),
    of = platforms_of(income, names),
  })) or nil }
end

return figure_texts

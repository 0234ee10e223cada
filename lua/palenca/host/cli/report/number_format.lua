--- Writes numbers as a language does, on the page of a report. In Spanish, whose countries have
-- different marks, thousands are apart by a narrow blank, which nobody takes for decimals.
-- @module palenca.host.cli.report.number_format
local number_format = {}

local MARKS = {
  es = { thousands = "\u{202f}", decimals = "." },
  pt = { thousands = ".", decimals = "," },
  en = { thousands = ",", decimals = "." },
}

--- Writes a number.
-- @tparam string text decimal digits, maybe with a sign, a point for decimals, and a unit
-- @tparam string language `es`, `pt` or `en`
-- @treturn string such as `15,208.33 MXN`; what is no number stays as it is
function number_format.number(text, language)
  local marks = MARKS[language]
  local sign, whole, decimals, rest = text:match("^(%-?)(%d+)%.?(%d*)(.*)$")
  if not whole then
    return text
  end
  local first = (#whole - 1) % 3 + 1
  local grouped = whole:sub(1, first) .. whole:sub(first + 1):gsub("%d%d%d", function(three)
    return marks.thousands .. three
  end)
  return sign .. grouped .. (decimals ~= "" and marks.decimals .. decimals or "") .. rest
end

--- Writes the amounts with a currency, and the percentages, of a sentence.
-- @tparam string text such as `The highest is 4562.50 MXN.`
-- @tparam string language
-- @treturn string
function number_format.sentence(text, language)
  local function write(number)
    return number_format.number(number, language)
  end
  return (text:gsub("%d+%.?%d* %u%u%u%f[^%w]", write):gsub("%d+%.%d+ %%", write))
end

return number_format

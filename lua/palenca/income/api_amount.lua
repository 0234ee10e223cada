--- Reads amounts of the API into whole minor units, as the exact decimals that they are: numbers as
-- the shortest decimal that names them, texts digit by digit.
-- @module palenca.income.api_amount
local canonical_json = require("palenca.util.canonical_json")

local floor = math.floor

local api_amount = {}

-- Fifteen digits of minor units.
local LIMIT = 999999999999999

local function digits_of_text(text)
  local sign, whole, point, fraction = text:match("^(%-?)(%d+)(%.?)(%d*)$")
  if not sign or (point == "") ~= (fraction == "") then
    return nil
  end
  fraction = fraction:gsub("0+$", "")
  return whole .. fraction, #fraction, sign == "-"
end

local function split(digits, places, decimals)
  local cut = places - decimals
  if cut <= 0 then
    digits = digits:gsub("^0+", "")
    if #digits - cut > 15 then
      return digits ~= "" and digits or "0", nil, digits ~= ""
    end
    return digits .. ("0"):rep(-cut), nil
  end
  digits = ("0"):rep(cut - #digits) .. digits
  local whole = digits:sub(1, -cut - 1):gsub("^0+", "")
  return whole, digits:sub(-cut), #whole > 15
end

local function read_slowly(value, decimals)
  local digits, places, negative
  if type(value) == "string" then
    digits, places, negative = digits_of_text(value)
  elseif type(value) == "number" and value == value and math.abs(value) ~= math.huge then
    negative = value < 0
    digits, places = canonical_json.shortest(math.abs(value + 0.0))
    places = #digits - places
  end
  if not digits then
    return nil, "expected a finite number or decimal text"
  end
  local whole, extra, is_long = split(digits, places, decimals)
  if is_long then
    return nil, "expected at most 15 digits of minor units"
  end
  local minor = whole == "" and 0 or tonumber(whole)
  return negative and 0 - minor or minor, extra, negative
end

--- Reads an amount.
-- @param value a number, or text such as `"-53.25"`
-- @tparam integer decimals those of the currency
-- @treturn ?integer whole minor units, cut toward zero; nil if it is not an amount
-- @treturn ?string the digits after those, if there are any; or what was expected
-- @treturn ?boolean with such digits: whether the amount is negative
function api_amount.read(value, decimals)
  if type(value) == "number" then
    local scale = decimals == 2 and 100.0 or 10.0 ^ decimals
    local minor = floor(value * scale + 0.5)
    -- The double nearest to that decimal: so it is the decimal that the number names.
    if minor / scale == value and minor <= LIMIT and minor >= -LIMIT then
      return minor
    end
  end
  return read_slowly(value, decimals)
end

--- Whether two values are the same amount, as 179, 179.0 and "179.00" are.
-- @param a a valid amount or nil
-- @param b a valid amount or nil
-- @treturn boolean
function api_amount.is_same(a, b)
  if a == b then
    return true
  elseif a == nil or b == nil then
    return false
  end
  local whole, extra, negative = api_amount.read(a, 0)
  local other_whole, other_extra, other_negative = api_amount.read(b, 0)
  return whole == other_whole and extra == other_extra
    and (extra == nil or negative == other_negative)
end

return api_amount

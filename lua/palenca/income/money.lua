--- Writes whole minor units (cents, or whole pesos where there are no cents) as exact decimal text.
-- @module palenca.income.money
local fail = require("palenca.income.fail")

local floor = math.floor

local money = {}

-- The largest integer that a double distinguishes from its neighbors.
local LIMIT = 9007199254740991
-- ISO 4217: the decimals of the currencies that do not have two.
local DECIMALS = {
  bif = 0, clp = 0, djf = 0, gnf = 0, isk = 0, jpy = 0, kmf = 0, krw = 0, pyg = 0, rwf = 0, ugx = 0,
  uyi = 0, vnd = 0, vuv = 0, xaf = 0, xof = 0, xpf = 0,
  bhd = 3, iqd = 3, jod = 3, kwd = 3, lyd = 3, omr = 3, tnd = 3,
  clf = 4, uyw = 4,
}

local function decimals_of(currency)
  return DECIMALS[currency] or 2
end

--- The decimals of a currency in ISO 4217.
-- @tparam ?string currency lower case; one that is not known here has two
-- @treturn integer
money.decimals = decimals_of

--- Whether a value is an exact integer.
-- @param value any value
-- @treturn boolean true for a whole number between -(2^53 - 1) and 2^53 - 1
function money.is_whole(value)
  return type(value) == "number" and value >= -LIMIT and value <= LIMIT and floor(value) == value
end

--- What is wrong with the decimals of an amount that a person wrote: three are thousands where a
-- point separates these.
-- @tparam string text such as `"900.000"`
-- @tparam ?string currency lower case; of an unknown one there may be two decimals, and zeros in
-- their place for one without any
-- @treturn ?string a sentence; nil if nothing is
function money.decimals_problem(text, currency)
  local whole, fraction = text:match("^(%d+)%.(%d+)$")
  local most = math.max(2, decimals_of(currency))
  if not whole or #fraction <= most then
    return nil
  end
  local other = fraction:find("[^0]", most + 1) and (", or at most %d decimals"):format(most)
    or (" or %s.%s"):format(whole, fraction:sub(1, most))
  return ("'%s' has %s decimals; write %s%s"):format(text,
    #fraction == 3 and "three" or ("%d"):format(#fraction),
    (whole .. fraction):match("^0*(%d+)$"), other)
end

--- Writes minor units as exact decimal text; see @{palenca.income.format}.
function money.format(minor, currency)
  if not money.is_whole(minor) then
    fail.value("format", "expected whole minor units", minor)
  elseif currency ~= nil and type(currency) ~= "string" then
    fail.value("format", "expected a currency", currency)
  end
  local decimals = decimals_of(currency and currency:lower())
  local digits = ("%0" .. decimals + 1 .. "d"):format(math.abs(minor))
  if decimals > 0 then
    digits = digits:sub(1, -decimals - 1) .. "." .. digits:sub(-decimals)
  end
  return (minor < 0 and "-" or "") .. digits
end

return money

--- Exact amounts of money: whole minor units (cents, or whole pesos where there are no cents).
-- @module palenca.income.money
local floor = math.floor

local money = {}

-- The largest whole number that a double tells apart from its neighbours.
local LIMIT = 9007199254740991
-- Fifteen digits survive the way through a double; of a longer amount the cents may not.
local AMOUNT_LIMIT = 999999999999999
local DECIMALS = { clp = 0, pyg = 0 }

local function decimals_of(currency)
  return DECIMALS[currency] or 2
end

--- The decimals that ISO 4217 gives a currency.
-- @tparam ?string currency lower case; one that is not known here has two
-- @treturn integer
money.decimals = decimals_of

--- Tells whether a value is a number that counts something exactly.
-- @param value any value
-- @treturn boolean true for a whole number between -(2^53 - 1) and 2^53 - 1
function money.is_whole(value)
  return type(value) == "number" and value >= -LIMIT and value <= LIMIT and floor(value) == value
end

--- Reads an amount as the decimal that its shortest text names, rounded half away from zero.
-- @tparam number value the amount
-- @tparam ?string currency lower case
-- @treturn ?integer minor units; nil if they have more than 15 digits or are not a number
-- @treturn ?boolean whether decimals were rounded off
function money.parse(value, currency)
  local scale = 10 ^ decimals_of(currency)
  local size = math.abs(value + 0.0)
  local minor = floor(size * scale)
  -- The product may fall short (4.35 * 100 is 434.99..), so it is not trusted with the half;
  -- the quotient is the very double that the decimal halfway was read as.
  if size >= (minor + 0.5) / scale then
    minor = minor + 1
  end
  if not (minor >= 0 and minor <= AMOUNT_LIMIT) then
    return nil
  end
  -- 0 - 0 rather than -0: LuaJIT has a negative zero.
  return value < 0 and 0 - minor or minor, minor / scale ~= size
end

--- Writes minor units as exact decimal text; see @{palenca.income.format}.
function money.format(minor, currency)
  if not money.is_whole(minor) then
    error("palenca.income: format: expected whole minor units", 0)
  elseif currency ~= nil and type(currency) ~= "string" then
    error("palenca.income: format: expected a currency, got " .. type(currency), 0)
  end
  local decimals = decimals_of(currency and currency:lower())
  local digits = ("%0" .. decimals + 1 .. "d"):format(math.abs(minor))
  if decimals > 0 then
    digits = digits:sub(1, -decimals - 1) .. "." .. digits:sub(-decimals)
  end
  return (minor < 0 and "-" or "") .. digits
end

--- Adds to a sum; raises if the result is too large to be exact.
-- @tparam ?integer sum nil as long as nothing was added
-- @tparam ?integer more nil if there is nothing to add
-- @treturn ?integer the new sum
function money.add(sum, more)
  if more == nil then
    return sum
  end
  sum = (sum or 0) + more
  if not money.is_whole(sum) then
    error("palenca.income: a sum is too large to be exact", 0)
  end
  return sum
end

--- What part of a whole is, in percent, cut to one decimal.
-- @tparam integer part at least zero
-- @tparam integer whole above zero
-- @treturn number
function money.percent(part, whole)
  local times = floor(part / whole)
  local tenths, rest, sum = times * 1000, part - times * whole, 0
  -- A thousand additions, because the product may pass the limit.
  for _ = 1, 1000 do
    sum = sum - whole + rest
    if sum >= 0 then
      tenths = tenths + 1
    else
      sum = sum + whole
    end
  end
  return tenths / 10
end

--- A percentage of an amount, rounded down.
-- @tparam integer minor at least zero
-- @tparam number percent 0 to 100 in steps of 0.1
-- @treturn integer
function money.share(minor, percent)
  local tenths = floor(percent * 10 + 0.5)
  -- In two parts, so that the product stays below the limit.
  return floor(minor / 1000) * tenths + floor(minor % 1000 * tenths / 1000)
end

return money

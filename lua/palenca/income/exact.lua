--- Computes with integers of any size, exactly, and with quotients of them that are rounded once.
--
-- A value is a Lua number that is whole and below 2^53, or a table of limbs in base 10^7, the
-- lowest first, with `negative`. Both may be given wherever a value is taken.
-- @module palenca.income.exact
local floor, fmod, abs, max = math.floor, math.fmod, math.abs, math.max

local exact = {}

local BASE, DIGITS = 10000000, 7
local LIMIT = 9007199254740991

--- The digits of a limb.
exact.LIMB_DIGITS = DIGITS

local function trimmed(limbs)
  while #limbs > 0 and limbs[#limbs] == 0 do
    limbs[#limbs] = nil
  end
  if #limbs == 0 then
    limbs.negative = false
  end
  return limbs
end

local function big(value)
  if type(value) == "table" then
    return value
  end
  local limbs, rest = { negative = value < 0 }, abs(value)
  while rest > 0 do
    limbs[#limbs + 1] = rest % BASE
    rest = floor(rest / BASE)
  end
  return limbs
end

--- Reads digits.
-- @tparam string text decimal digits, any number of them
-- @tparam boolean negative
-- @treturn table the value
function exact.from_digits(text, negative)
  local limbs = { negative = negative }
  for last = #text, 1, -DIGITS do
    limbs[#limbs + 1] = tonumber(text:sub(max(1, last - DIGITS + 1), last))
  end
  return trimmed(limbs)
end

local function compare_sizes(a, b)
  if #a ~= #b then
    return #a < #b and -1 or 1
  end
  for at = #a, 1, -1 do
    if a[at] ~= b[at] then
      return a[at] < b[at] and -1 or 1
    end
  end
  return 0
end

local function add_sizes(a, b)
  local sum, carry = { negative = false }, 0
  for at = 1, max(#a, #b) do
    local limb = (a[at] or 0) + (b[at] or 0) + carry
    carry = limb >= BASE and 1 or 0
    sum[at] = limb - carry * BASE
  end
  if carry > 0 then
    sum[#sum + 1] = carry
  end
  return sum
end

local function subtract_sizes(a, b) -- a is not the smaller one
  local rest, borrow = { negative = false }, 0
  for at = 1, #a do
    local limb = a[at] - (b[at] or 0) - borrow
    borrow = limb < 0 and 1 or 0
    rest[at] = limb + borrow * BASE
  end
  return trimmed(rest)
end

--- Adds two values.
-- @param a
-- @param b
-- @return the sum
function exact.add(a, b)
  if type(a) == "number" and type(b) == "number" and abs(a + b) <= LIMIT then
    return a + b
  end
  a, b = big(a), big(b)
  local sum
  if a.negative == b.negative then
    sum = add_sizes(a, b)
    sum.negative = a.negative and #sum > 0
  elseif compare_sizes(a, b) >= 0 then
    sum = subtract_sizes(a, b)
    sum.negative = a.negative and #sum > 0
  else
    sum = subtract_sizes(b, a)
    sum.negative = b.negative and #sum > 0
  end
  return sum
end

local function negated(a)
  local copy = { negative = not a.negative and #a > 0 }
  for at = 1, #a do
    copy[at] = a[at]
  end
  return copy
end

--- Multiplies by a small whole number.
-- @param a
-- @tparam integer factor 0 to 9 x 10^8, so that a limb's product stays below 2^53
-- @return the product
function exact.times(a, factor)
  if type(a) == "number" and abs(a) <= LIMIT / factor then
    return a * factor + 0 -- no negative zero
  end
  a = big(a)
  local product, carry = { negative = a.negative }, 0
  for at = 1, #a do
    local limb = a[at] * factor + carry
    carry = floor(limb / BASE)
    product[at] = limb - carry * BASE
  end
  while carry > 0 do
    product[#product + 1] = carry % BASE
    carry = floor(carry / BASE)
  end
  return trimmed(product)
end

--- Multiplies by a power of 10^7.
-- @param a
-- @tparam integer limbs the exponent
-- @return the product
function exact.shift(a, limbs)
  if limbs == 0 then
    return a
  end
  a = big(a)
  if #a == 0 then
    return a
  end
  local shifted = { negative = a.negative }
  for at = 1, limbs do
    shifted[at] = 0
  end
  for at = 1, #a do
    shifted[limbs + at] = a[at]
  end
  return shifted
end

--- The sign of a value.
-- @param a
-- @treturn integer -1, 0 or 1
function exact.sign(a)
  if type(a) == "number" then
    return a > 0 and 1 or a < 0 and -1 or 0
  end
  return #a == 0 and 0 or a.negative and -1 or 1
end

--- Compares two values.
-- @param a
-- @param b
-- @treturn integer -1, 0 or 1, as a is below, equal to or above b
function exact.compare(a, b)
  if type(a) == "number" and type(b) == "number" then
    return a < b and -1 or a > b and 1 or 0
  end
  return exact.sign(exact.add(a, negated(big(b))))
end

-- Relative to BASE^top: its first four limbs are more than a double can hold.
local function estimate(a, top)
  local sum = 0
  for at = #a, max(1, #a - 3), -1 do
    sum = sum + a[at] * BASE ^ (at - top)
  end
  return a.negative and -sum or sum
end

local function times_number(b, factor)
  local product, size, place = { negative = false }, abs(factor), 0
  while size > 0 do
    product = exact.add(product, exact.shift(exact.times(b, size % BASE), place))
    size, place = floor(size / BASE), place + 1
  end
  return factor < 0 and negated(product) or product
end

--- Divides, rounding toward minus infinity.
-- @param a
-- @param b above zero
-- @treturn ?integer the quotient; nil if it passes 2^53 - 1
function exact.floor_div(a, b)
  if type(a) == "number" and type(b) == "number" then
    local rest = fmod(a, b) -- exact, and so is what is left without it
    return floor((a - rest) / b) - (rest < 0 and 1 or 0) + 0
  end
  local rest, quotient = big(a), 0
  b = big(b)
  local top = #b
  if #rest - top > 3 then
    return nil
  end
  -- Each round leaves about 10^-14 of what was there; the last steps are single ones.
  while true do
    local part = estimate(rest, top) / estimate(b, top)
    part = part < 0 and -floor(-part) or floor(part)
    if abs(part) < 2 then
      break
    elseif abs(part) > LIMIT then
      return nil
    end
    quotient = quotient + part
    rest = exact.add(rest, times_number(b, -part))
  end
  while rest.negative do
    quotient, rest = quotient - 1, exact.add(rest, b)
  end
  while compare_sizes(rest, b) >= 0 do
    quotient, rest = quotient + 1, subtract_sizes(rest, b)
  end
  if abs(quotient) > LIMIT then
    return nil
  end
  return floor(quotient) + 0
end

--- Writes the digits of a value's size.
-- @param a
-- @treturn string decimal digits without leading zeros, `"0"` for zero
function exact.digits(a)
  a = big(a)
  local parts = {}
  for at = #a, 1, -1 do
    parts[#parts + 1] = ("%07d"):format(a[at])
  end
  local text = table.concat(parts):gsub("^0+", "")
  return text == "" and "0" or text
end

return exact

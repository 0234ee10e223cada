--- Deterministic pseudo-random streams, each named by a text, with no state shared between them.
-- @module palenca.sandbox.data.random
--
-- math.random has one hidden state for the whole program, so one more request would change
-- every later name and amount; each purpose has its own stream.
local random = {}
random.__index = random

-- FNV-1a over 64 bits: near names ("1/users", "2/users") must start far apart.
local function hash(text)
  local value = 0xcbf29ce484222325
  for index = 1, #text do
    value = (value ~ text:byte(index)) * 0x100000001b3
  end
  return value
end

--- Opens a stream.
-- @param ... strings or numbers that name it; equal names have equal streams
-- @treturn random the stream
function random.new(...)
  return setmetatable({ state = hash(table.concat({ ... }, "/")) }, random)
end

-- splitmix64
local STEP = 0x9e3779b97f4a7c15

local function mix(value)
  value = (value ~ (value >> 30)) * 0xbf58476d1ce4e5b9
  value = (value ~ (value >> 27)) * 0x94d049bb133111eb
  return value ~ (value >> 31)
end

--- Opens a stream for one of many numbered things, which does not depend on what was drawn for
-- the others. The stream it is taken from must not have been drawn from.
-- @tparam integer number which
-- @treturn random the stream
function random:fork(number)
  return setmetatable({ state = mix(mix(self.state) + number * STEP) }, random)
end

--- The next 64 bits.
-- @treturn integer any integer, negative ones too
function random:bits()
  self.state = self.state + STEP
  return mix(self.state)
end

--- A whole number between two bounds, both included.
-- @tparam integer low the lower bound
-- @tparam integer high the upper bound
-- @treturn integer the number
function random:between(low, high)
  return low + (self:bits() >> 1) % (high - low + 1)
end

--- A number from 0 up to but not including 1.
-- @treturn number the number
function random:real()
  return (self:bits() >> 11) * 2.0 ^ -53
end

--- True with a given probability.
-- @tparam number probability from 0 (never) to 1 (always)
-- @treturn boolean the outcome
function random:chance(probability)
  return self:real() < probability
end

--- One item of a list.
-- @tparam table list a list that is not empty
-- @return the item
function random:pick(list)
  return list[self:between(1, #list)]
end

--- A text of decimal digits.
-- @tparam integer count how many
-- @treturn string the digits
function random:digits(count)
  local digits = {}
  for index = 1, count do
    digits[index] = self:between(0, 9)
  end
  return table.concat(digits)
end

--- A text of hexadecimal digits, in lower case.
-- @tparam integer count how many, a multiple of 16
-- @treturn string the digits
function random:hex(count)
  local words = {}
  for index = 1, count // 16 do
    words[index] = ("%016x"):format(self:bits())
  end
  return table.concat(words)
end

--- A UUID of version 4.
-- @treturn string the UUID in lower case
function random:uuid()
  local high, low = self:bits(), self:bits()
  return ("%08x-%04x-4%03x-%x%03x-%012x"):format(
    high >> 32, high >> 16 & 0xffff, high & 0xfff,
    8 | low >> 62, low >> 48 & 0xfff, low & 0xffffffffffff)
end

return random

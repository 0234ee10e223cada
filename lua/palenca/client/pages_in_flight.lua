--- How many pages of a search are requested at once where no option says it: over HTTP/2, whose
-- requests share a connection, as many as the rate limit still permits; over HTTP/1.1, where each
-- needs a connection of its own, few at first, and more while responses do not slow down.
-- @module palenca.client.pages_in_flight
local pages_in_flight = {}

-- Also if the limit permits fewer: they wait for their turn, which nobody has to notice then.
local FIRST = 8
local HTTP1_MAX = 16
local HTTP2_MAX = 64
-- Bytes of the pages in flight together, if they are more than the first.
local BYTES_MAX = 32 * 1024 * 1024

-- Over HTTP/1.1, medians are compared of the first pages and of the last ones.
local SAMPLE = 8
local FASTER, SLOWER = 1.25, 1.5
-- Seconds that a response may take longer for reasons of this machine.
local NOISE = 0.005

local function of_connection(given)
  if (given.http_version or 1) >= 2 then
    return HTTP2_MAX
  end
  local before = given.before or FIRST
  if not given.first or not given.recent then
    return math.min(before, FIRST)
  elseif given.recent <= given.first * FASTER + NOISE then
    before = before + 1
  elseif given.recent > given.first * SLOWER + NOISE then
    before = before - 1
  end
  return math.max(FIRST, math.min(before, HTTP1_MAX))
end

-- The server has counted requests of others, who have the same key, if it permits less than what is
-- left here without all that are in flight. Pages beyond that would be rejected; those beyond what
-- is left here only wait.
local function of_limit(given)
  local left, remaining = given.turns_left, given.remaining
  if remaining and (not left or remaining + (given.in_flight or 0) < left) then
    return remaining
  end
  return left and math.max(left, FIRST) or HTTP2_MAX
end

--- The number of pages to have in flight.
-- @tparam table given what is known
-- @tparam ?integer given.option what the caller has set, and then is the number
-- @tparam ?integer given.http_version of the last response
-- @tparam ?integer given.turns_left requests that the rate limit of this machine permits; nil: any
-- @tparam ?integer given.remaining those that the server does, by the last response; nil: it does
-- not say
-- @tparam ?integer given.in_flight pages requested that have not been handed on
-- @tparam ?number given.first seconds that the first pages took, their median; nil: not yet known
-- @tparam ?number given.recent seconds that the last ones took, likewise
-- @tparam ?integer given.before the number so far
-- @tparam ?integer given.page_bytes of the largest page
-- @treturn integer at least 1
function pages_in_flight.choose(given)
  if given.option then
    return given.option
  end
  local of_memory = math.max(FIRST, math.floor(BYTES_MAX / math.max(given.page_bytes or 1, 1)))
  return math.max(1, math.min(of_connection(given), of_limit(given), of_memory))
end

local function median(list)
  local sorted = {}
  for at, value in ipairs(list) do
    sorted[at] = value
  end
  table.sort(sorted)
  local middle = math.floor(#sorted / 2)
  return (sorted[middle] + sorted[middle + 1]) / 2
end

local Meter = {}
Meter.__index = Meter

--- Observes the pages of one reading.
-- @tparam ?integer option what the caller has set
-- @treturn table with `size`, the number of pages to have in flight, 1 until the first has come;
-- `is_shared`, whether they share a connection; and @{Meter:add}
function pages_in_flight.meter(option)
  return setmetatable({
    option = option, size = 1, is_shared = false, page_bytes = 0, last = {}, count = 0,
  }, Meter)
end

local function add_seconds(self, seconds)
  self.last[self.count % SAMPLE + 1] = seconds
  self.count = self.count + 1
  self.recent = #self.last == SAMPLE and median(self.last) or nil
  self.first = self.first or self.recent
end

--- Takes a page into account; sets `size` and `is_shared`.
-- @function Meter:add
-- @tparam table result the engine's
-- @tparam integer in_flight pages requested that have not been handed on
function Meter:add(result, in_flight)
  self.is_shared = (result.http_version or 1) >= 2
  if self.option then
    self.size = self.option
    return
  end
  local is_first = self.page_bytes == 0
  -- the first page is alone, and no measure for those that are not
  if result.response_seconds and not is_first then
    add_seconds(self, result.response_seconds)
  end
  self.page_bytes = math.max(self.page_bytes, #(result.body or ""), 1)
  self.size = pages_in_flight.choose {
    http_version = result.http_version,
    turns_left = result.turns_left,
    remaining = result.rate_remaining,
    in_flight = in_flight,
    first = self.first,
    recent = self.recent,
    before = not is_first and self.size or nil,
    page_bytes = self.page_bytes,
  }
end

return pages_in_flight

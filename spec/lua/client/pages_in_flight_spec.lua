--- How many pages of a search are in flight without a setting: the rule as a table, and what comes
--- of it with servers that are fast, slow, uneven or busy.
local pages_in_flight = require("palenca.client.pages_in_flight")

local MIB = 1024 * 1024
local SEEDS = 30

describe("the number of pages in flight", function()
  for _, row in ipairs {
    -- what the caller has set holds, whatever is known
    { 1, { option = 1, http_version = 2 } },
    { 100, { option = 100, http_version = 1 } },
    { 16, { option = 16, http_version = 2, turns_left = 0, remaining = 0, page_bytes = 16 * MIB } },

    -- over HTTP/2 as many as the limit permits
    { 64, { http_version = 2 } },
    { 64, { http_version = 3 } },
    { 64, { http_version = 2, turns_left = 114 } },
    { 64, { http_version = 2, turns_left = 64 } },
    { 63, { http_version = 2, turns_left = 63 } },
    { 20, { http_version = 2, turns_left = 20, remaining = 25 } },
    -- they do not become fewer because responses slow down, nor grow from before
    { 64, { http_version = 2, first = 0.1, recent = 1, before = 8 } },
    { 30, { http_version = 2, turns_left = 30, before = 64 } },
    -- some always wait for their turn
    { 8, { http_version = 2, turns_left = 3 } },
    { 8, { http_version = 2, turns_left = 0, remaining = 0 } },

    -- what others have used of the limit, as the server says
    { 3, { http_version = 2, turns_left = 100, remaining = 3 } },
    { 1, { http_version = 2, turns_left = 100, remaining = 0 } },
    { 3, { http_version = 1, turns_left = 100, remaining = 3 } },
    { 50, { http_version = 2, turns_left = 100, remaining = 50 } },
    { 64, { http_version = 2, turns_left = 100, remaining = 90 } },
    { 5, { http_version = 2, remaining = 5 } },
    { 64, { http_version = 2, remaining = 1000 } },
    -- but not what is in flight from here, which is counted twice
    { 64, { http_version = 2, turns_left = 64, remaining = 30, in_flight = 34 } },
    { 29, { http_version = 2, turns_left = 64, remaining = 29, in_flight = 34 } },

    -- over HTTP/1.1, or if it is not known, 8 at first
    { 8, {} },
    { 8, { http_version = 1 } },
    { 8, { http_version = 1, turns_left = 114, remaining = 119 } },
    { 8, { http_version = 1, turns_left = 0 } },
    { 8, { http_version = 1, before = 64 } },
    -- growing by one with each page, to 16
    { 9, { http_version = 1, before = 8, first = 0.1, recent = 0.1 } },
    { 15, { http_version = 1, before = 14, first = 0.1, recent = 0.05 } },
    { 16, { http_version = 1, before = 15, first = 0.1, recent = 0.1 } },
    { 16, { http_version = 1, before = 16, first = 0.1, recent = 0.1 } },
    { 16, { http_version = 1, before = 64, first = 0.1, recent = 0.1 } },
    { 10, { http_version = 1, before = 16, first = 0.1, recent = 0.1, turns_left = 10 } },
    { 8, { http_version = 1, before = 3, first = 0.1, recent = 0.1 } },
    -- while responses do not slow down: not by more than a quarter and 5 ms
    { 11, { http_version = 1, before = 10, first = 0.1, recent = 0.129 } },
    { 10, { http_version = 1, before = 10, first = 0.1, recent = 0.131 } },
    { 10, { http_version = 1, before = 10, first = 0.1, recent = 0.154 } },
    { 9, { http_version = 1, before = 10, first = 0.1, recent = 0.156 } },
    { 8, { http_version = 1, before = 8, first = 0.1, recent = 10 } },
    { 11, { http_version = 1, before = 10, first = 0.0005, recent = 0.005 } },

    -- large pages are not to fill the memory
    { 64, { http_version = 2, page_bytes = MIB / 2 } },
    { 32, { http_version = 2, page_bytes = MIB } },
    { 8, { http_version = 2, page_bytes = 16 * MIB } },
    { 12, { http_version = 1, before = 12, first = 1, recent = 1, page_bytes = 2.6 * MIB } },
  } do
    local expected, given = row[1], row[2]
    local names = {}
    for name, value in pairs(given) do
      names[#names + 1] = name .. "=" .. tostring(value)
    end
    table.sort(names)
    it(("is %d with %s"):format(expected, table.concat(names, " ")), function()
      local number = pages_in_flight.choose(given)
      assert.equal(expected, number)
      assert.equal(math.floor(number), number)
    end)
  end
end)

describe("a meter of pages", function()
  local function result(seconds, more)
    local all = { body = "x", http_version = 1, response_seconds = seconds }
    for name, value in pairs(more or {}) do
      all[name] = value
    end
    return all
  end

  it("asks for one page before the first has come", function()
    assert.equal(1, pages_in_flight.meter().size)
  end)

  it("compares the first pages behind the first one with the last ones", function()
    local meter = pages_in_flight.meter()
    meter:add(result(9), 0) -- alone, and slow
    for _ = 1, 7 do
      meter:add(result(0.1), 0)
      assert.equal(8, meter.size)
    end
    for size = 9, 12 do
      meter:add(result(0.1), 0)
      assert.equal(size, meter.size)
    end
    for _ = 1, 3 do -- a few that are slow do not count
      meter:add(result(7), 0)
    end
    assert.equal(15, meter.size)
    for _ = 1, 30 do
      meter:add(result(0.3), 0)
    end
    assert.equal(8, meter.size)
    for _ = 1, 30 do
      meter:add(result(0.1), 0)
    end
    assert.equal(16, meter.size)
  end)

  it("takes the version and the rest of the limit from the last page", function()
    local meter = pages_in_flight.meter()
    meter:add(result(0.1, { http_version = 2, turns_left = 100, rate_remaining = 110 }), 0)
    assert.same({ 64, true }, { meter.size, meter.is_shared })
    meter:add(result(0.1, { http_version = 2, turns_left = 30, rate_remaining = 40 }), 63)
    assert.same({ 30, true }, { meter.size, meter.is_shared })
    meter:add(result(0.1, { turns_left = 90, rate_remaining = 100 }), 29)
    assert.same({ 8, false }, { meter.size, meter.is_shared })
  end)

  it("remembers the largest page", function()
    local meter = pages_in_flight.meter()
    meter:add(result(0.1, { http_version = 2, body = ("x"):rep(MIB) }), 0)
    meter:add(result(0.1, { http_version = 2 }), 0)
    assert.equal(32, meter.size)
  end)

  it("leaves a setting alone, and says whether a connection is shared", function()
    local meter = pages_in_flight.meter(3)
    meter:add(result(0.1, { http_version = 2, turns_left = 100 }), 0)
    assert.same({ 3, true }, { meter.size, meter.is_shared })
  end)

  it("needs nothing to be known, as in a recording", function()
    local meter = pages_in_flight.meter()
    for _ = 1, 50 do
      meter:add({ status = 200 }, 0)
      assert.equal(8, meter.size)
    end
  end)

  -- ---- servers -----------------------------------------------------------------------

  -- Numbers from 0 to 1, the same in each run and on each Lua.
  local function generator(seed)
    local state = seed * 7919 + 1
    return function()
      state = (state * 16807) % 2147483647
      return state / 2147483647
    end
  end

  -- About a normal distribution.
  local function normal(random)
    local sum = -6
    for _ = 1, 12 do
      sum = sum + random()
    end
    return sum
  end

  -- Reads pages from a server whose responses take `seconds(in_flight, n)`; returns the mean of the
  -- number in flight over the last half of the pages.
  local function read(pages, seconds)
    local meter = pages_in_flight.meter()
    local sent_with, asked, sum = { 1 }, 1, 0
    for page = 1, pages do
      meter:add(result(seconds(sent_with[page], page)), asked - page)
      while asked < pages and asked - page < meter.size do
        asked = asked + 1
        sent_with[asked] = asked - page
      end
      for later = page + 1, asked do -- what is in flight is slowed down by what comes
        sent_with[later] = math.max(sent_with[later], asked - page)
      end
      sum = sum + (page > pages / 2 and meter.size or 0)
    end
    return sum / (pages / 2)
  end

  local function mean_of_seeds(pages, server)
    local sum = 0
    for seed = 1, SEEDS do
      sum = sum + read(pages, server(generator(seed)))
    end
    return sum / SEEDS
  end

  it("grows to nearly 16 however uneven the responses of a fast server are", function()
    for _, deviation in ipairs { 0, 0.1, 0.3, 0.6 } do
      local mean = mean_of_seeds(128, function(random)
        return function() return 0.05 * math.exp(deviation * normal(random)) end
      end)
      assert.is_true(mean > 15, ("%g: %g"):format(deviation, mean))
    end
  end)

  it("is not fooled by single responses that are very late", function()
    local mean = mean_of_seeds(128, function(random)
      return function() return random() < 0.1 and 2 or 0.05 end
    end)
    assert.is_true(mean > 15, mean)
  end)

  it("stays near 8 where a server handles no more at once", function()
    for _, deviation in ipairs { 0, 0.1, 0.3 } do
      local mean = mean_of_seeds(256, function(random)
        return function(in_flight)
          return 0.05 * math.max(1, in_flight / 8) * math.exp(deviation * normal(random))
        end
      end)
      assert.is_true(mean < 11, ("%g: %g"):format(deviation, mean))
    end
  end)

  it("goes back to 8 when a server becomes slow", function()
    local mean = read(256, function(_, page) return page < 100 and 0.05 or 0.2 end)
    assert.is_true(mean < 9, mean)
  end)
end)

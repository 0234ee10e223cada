--- The answer of a search: rows that come in pages.
--
-- The first page tells how many there are; the others are asked for in parallel, within the rate
-- limit, and handed on in order. A history that changes while it is read is read again, or said
-- to be incomplete. What pages cannot show: a row that goes from the middle, while another comes in
-- behind it, or a change that is taken back, in the moment of one reading. Some searches are not
-- counted by the API: their pages are read one after the other, until one is empty, and are never
-- said to be complete.
-- @classmod palenca.pager
local check = require("palenca.check")
local reading = require("palenca.reading")
local runtime = require("palenca.runtime")

local Pager = {}
Pager.__index = Pager

local DEFAULT_ITEMS_PER_PAGE = 100
local READINGS = 3

--- A pager over a search. Nothing is sent yet.
-- @param client the client
-- @tparam table operation of palenca.resources
-- @tparam string path the path, filled in
-- @tparam table fields the caller's fields
-- @treturn Pager
local function new(client, operation, path, fields)
  return setmetatable({
    client = client,
    operation = operation,
    path = path,
    fields = fields,
    items_per_page = fields.items_per_page or DEFAULT_ITEMS_PER_PAGE,
  }, Pager)
end

--- One page.
-- @tparam number n the page, from 1
-- @treturn ?{table,...} its rows (none beyond the last page); or nil
-- @treturn table meta, with `pagination`; or the error
function Pager:page(n)
  check.value("page", n, "positive", 2)
  return reading.rows_of(self, runtime.wait(reading.submit(self, n)))
end

-- A second coroutine would wait for the same page, and rows would be handed to one or the other.
local function read_page(self)
  if self.busy then
    error("this pager is being read by another coroutine; make one for each", 3)
  end
  self.busy = true
  local rows, err = self.next_page()
  self.busy = false
  return rows, err
end

--- The next row: nil at the end; nil and the error after a failure. The rows handed out so far
-- are the whole history only once it has answered nil without an error.
-- @treturn ?table the row
-- @treturn ?palenca.errors.Error the error
function Pager:next()
  if self.failed then
    return nil, self.failed
  end
  if not self.next_page then
    self.next_page, self.stop_reading = reading.begin(self)
    self.rows, self.at = {}, 0
  end
  while self.rows and self.at >= #self.rows do
    local rows, err = read_page(self)
    if err then
      self.failed = err
      self.stop_reading()
      return nil, err
    end
    self.rows, self.at = rows, 0
  end
  if not self.rows then
    return nil
  end
  self.at = self.at + 1
  return self.rows[self.at]
end

--- Ends the reading: requests under way are given up. For a loop that is left early; Lua 5.4 does
-- it by itself then.
function Pager:stop()
  if self.stop_reading then
    self.stop_reading()
  end
  self.next_page = self.next_page or function() end
  self.rows = nil
end

--- Iterates over all rows, newest first; raises the error if one cannot be read or if the history
-- changes meanwhile.
-- @treturn function for a generic `for`
function Pager:each()
  local at_exit = setmetatable({}, {
    __close = function()
      self:stop()
    end,
  })
  return function()
    local row, err = self:next()
    if err then
      error(err, 0)
    end
    return row
  end, nil, nil, at_exit
end

local function read_all(self)
  local page, stop, report = reading.begin(self)
  local all = {}
  while true do
    local rows, err = page()
    if not rows then
      stop()
      return all, err, report
    end
    for _, row in ipairs(rows) do
      all[#all + 1] = row
    end
  end
end

--- All rows. If they change while being read, they are read again, three times at most.
-- @treturn ?{table,...} the rows; nil if one of the requests failed
-- @treturn table a report `{complete=, rows=, total_items=, total_pages=, readings=, reason=}`;
-- or the error. `complete` is true only if as many rows came as the API counted, no page repeated a
-- row of the one before, and the first page was still the same after all had come; otherwise
-- `reason` says why not.
function Pager:all()
  local all, err, counted
  local readings = 0
  repeat
    readings = readings + 1
    all, err, counted = read_all(self)
  until not err or err.code ~= "inconsistent_pages" or readings == READINGS
  if err and err.code ~= "inconsistent_pages" then
    return nil, err
  end
  local complete, total_items, total_pages, reason = counted()
  return all,
    {
      complete = err == nil and complete,
      rows = #all,
      total_items = total_items,
      total_pages = total_pages,
      readings = readings,
      reason = err and err.message or reason,
    }
end

return { new = new }

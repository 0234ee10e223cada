--- The answer of a search: rows that come in pages.
--
-- The first page tells how many there are; the others are asked for in parallel, within the rate
-- limit, and handed on in order. A history that changes while it is read is read again, or said
-- to be incomplete. What pages cannot show: a row that goes from the middle, while another comes in
-- behind it, in the moment of one reading.
-- @classmod palenca.pager
local check = require("palenca.check")
local core = require("palenca.core")
local errors = require("palenca.errors")
local runtime = require("palenca.runtime")

local Pager = {}
Pager.__index = Pager

local WINDOW = 8
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

local function submit(self, page)
  local body = self.operation.body(self.fields, page, self.items_per_page)
  return self.client:_submit(self.operation.method, self.path, body, self.operation.safe)
end

-- A list with holes would end early, and look whole.
local function is_list_of_rows(value)
  local count = 0
  for _, row in pairs(value) do
    count = count + 1
    if type(row) ~= "table" then
      return false
    end
  end
  for at = 1, count do
    if value[at] == nil then
      return false
    end
  end
  return true
end

local function rows_of(self, result)
  local data, meta = self.client:_read(result)
  if data == nil then
    return nil, meta
  end
  local rows = type(data) == "table" and data[self.operation.search] or {}
  local problem
  if type(data) ~= "table" or type(meta.pagination) ~= "table" then
    problem = "the answer has no pagination"
  elseif type(rows) ~= "table" or not is_list_of_rows(rows) then
    problem = "the answer's rows are not a list of objects"
  end
  if not problem then
    return rows, meta
  end
  return nil, errors.new({
    kind = "protocol",
    message = problem,
    status = result.status,
    request_id = result.request_id,
    attempts = result.attempts,
  })
end

-- The same text for rows with the same content.
local function identity(row)
  local parts = {}
  for name, value in pairs(row) do
    parts[#parts + 1] = tostring(name)
      .. "="
      .. (type(value) == "table" and "{" .. identity(value) .. "}" or tostring(value))
  end
  table.sort(parts)
  return table.concat(parts, ",")
end

local function identities(rows)
  local list = {}
  for at, row in ipairs(rows) do
    list[at] = identity(row)
  end
  return list
end

-- When a row comes in at the front while another goes, the totals stay as they were, but the last
-- rows of a page are the first of the next one.
local function overlap(previous, rows)
  local seen = {}
  for _, row in ipairs(previous) do
    seen[identity(row)] = true
  end
  for _, row in ipairs(rows) do
    if seen[identity(row)] then
      return true
    end
  end
  return false
end

local function inconsistent(reason, meta)
  return errors.new({
    kind = "protocol",
    code = "inconsistent_pages",
    message = reason,
    status = meta.status,
    request_id = meta.request_id,
    attempts = meta.attempts,
  })
end

-- When a row at the front goes while another comes in at the back, the totals stay as they were and
-- no row comes twice, but one between two pages is missed: the first page is another one then.
local function look_again(self, first, total_items)
  local rows, meta = rows_of(self, runtime.wait(submit(self, 1)))
  if not rows then
    return meta
  end
  local same = #rows == #first and meta.pagination.total_items == total_items
  for at, row in ipairs(rows) do
    same = same and identity(row) == first[at]
  end
  return not same and inconsistent("the first page changed while the others were read", meta) or nil
end

-- One reading of all pages, in order: page() → rows | nil at the end | nil, err.
local function reading(self)
  local paging = core.paging(WINDOW)
  local calls, expected, previous, first = {}, 1, {}, nil
  local function next_call()
    for page in function() return paging:next() end do
      calls[page] = submit(self, page)
    end
    return calls[expected]
  end
  local function at_end()
    local _, total_items, total_pages = paging:totals()
    if total_pages > 1 then
      return nil, look_again(self, first, total_items)
    end
  end
  local function page()
    local call = next_call()
    if not call then
      return at_end()
    end
    local rows, meta = rows_of(self, runtime.wait(call))
    calls[expected] = nil
    if not rows then
      return nil, meta
    end
    local ok, reason = paging:accept(meta.pagination, #rows)
    if ok and overlap(previous, rows) then
      ok, reason = false, "a row came twice: the rows moved while they were read"
    end
    if not ok then
      return nil, inconsistent(reason, meta)
    end
    previous, first, expected = rows, first or identities(rows), expected + 1
    return rows
  end
  local function stop()
    for _, call in pairs(calls) do
      runtime.cancel(call)
    end
    calls = {}
  end
  return page, stop, paging
end

--- One page.
-- @tparam number n the page, from 1
-- @treturn ?{table,...} its rows (none beyond the last page); or nil
-- @treturn table meta, with `pagination`; or the error
function Pager:page(n)
  check.value("page", n, "positive", 2)
  return rows_of(self, runtime.wait(submit(self, n)))
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
    self.next_page, self.stop_reading = reading(self)
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
  local page, stop, paging = reading(self)
  local all = {}
  while true do
    local rows, err = page()
    if not rows then
      stop()
      return all, err, paging
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
-- row of the one before, and the first page was still the same at the end; otherwise `reason` says
-- why not.
function Pager:all()
  local all, err, paging
  local readings = 0
  repeat
    readings = readings + 1
    all, err, paging = read_all(self)
  until not err or err.code ~= "inconsistent_pages" or readings == READINGS
  if err and err.code ~= "inconsistent_pages" then
    return nil, err
  end
  local _, total_items, total_pages = paging:totals()
  return all,
    {
      complete = err == nil and paging:complete(),
      rows = #all,
      total_items = total_items,
      total_pages = total_pages,
      readings = readings,
      reason = err and err.message,
    }
end

return { new = new }

--- Reads the pages of one search and hands them on in order.
--
-- Pages that the API counts are requested in parallel, and checked against its count; those of the
-- other searches one after the other.
-- @module palenca.client.page_reader
local core = require("palenca.core")
local errors = require("palenca.errors")
local pages_in_flight = require("palenca.client.pages_in_flight")
local runtime = require("palenca.runtime")

local page_reader = {}

--- Why the report on a search that the API does not count says that it is not complete.
page_reader.NOT_COUNTED = "the API does not say how many rows there are"

--- Requests a page.
-- @tparam table self of the pager
-- @tparam number page from 1
-- @tparam ?boolean low_priority whether other calls go first; always so after the first page
-- @tparam ?integer group the number of the reading, whose pages take turns with other calls and are
-- measured
-- @tparam ?boolean share_connection of the engine
-- @treturn call for the runtime to wait for
function page_reader.submit(self, page, low_priority, group, share_connection)
  local body = self.operation.body(self.fields, page, self.items_per_page)
  -- the first page has priority over the rest of another search
  return self.client:_submit(self.operation.method, self.path, body, {
    idempotent = self.operation.idempotent, low_priority = low_priority or page > 1,
    group = group, share_connection = share_connection,
  })
end

local submit = page_reader.submit

-- A list with holes would end early, and look complete.
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

--- The rows of a page.
-- @tparam table self of the pager
-- @tparam table result the engine's
-- @treturn ?{table,...} the rows; or nil
-- @treturn table meta; or the error
function page_reader.rows_of(self, result)
  local data, meta = self.client:_read(result, "page", self.operation.method, self.path)
  if data == nil then
    return nil, meta
  end
  local operation = self.operation
  local rows, problem = data[operation.search], nil
  if rows == nil then
    -- where no shape is published, the rows may be all there is
    rows = operation.uncounted and data or {}
  end
  if not meta.pagination and not operation.uncounted then
    problem = "the response has no pagination"
  elseif type(rows) ~= "table" or not is_list_of_rows(rows) then
    problem = "the response's rows are not a list of objects"
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

local rows_of = page_reader.rows_of

-- Whether two pages have the same rows, by their hashes.
local function is_same(one, other)
  return table.concat(one, "\n") == table.concat(other, "\n")
end

-- When a row is added at the front while another is removed, the totals do not change, but the last
-- rows of a page are the first of the next one.
local function overlap(previous, now)
  local seen = {}
  for _, row in ipairs(previous) do
    seen[row] = true
  end
  for _, row in ipairs(now) do
    if seen[row] then
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

-- When a row is removed at the front while another is added at the end, the totals do not change
-- and no row is repeated, but one between two pages is missed: the first page has changed then.
local function first_changed(self, result, first, total_items)
  local rows, meta = rows_of(self, result)
  if not rows then
    return meta
  end
  local pagination = meta.pagination or {}
  if pagination.total_items == total_items and is_same(core.row_hashes(rows), first) then
    return nil
  end
  return inconsistent("the first page changed while the others were read", meta)
end

-- The number of rows, if the API counts them.
local function count_in(meta)
  local total = meta.pagination and meta.pagination.total_items
  local is_count = type(total) == "number" and total >= 0 and total == math.floor(total)
  return is_count and total or nil
end

-- A read can be continued after an interruption while it waits: no row of the page has been
-- returned yet.
local function wait(current, call)
  local result = runtime.wait(call)
  current.is_checking = true
  current.requests = (current.requests or 0) + (result.attempts or 0)
  return result
end

-- Some may be on their way already: each counts as a request.
local function abort(current, call)
  runtime.cancel(call)
  current.requests = (current.requests or 0) + 1
end

-- Reads pages that the API does not count: it ends with an empty page, or with one that is the same
-- as the one before, which a server returns that has no pages. A server may count them after all:
-- then they are checked as far as that goes.
local function uncounted(self)
  local current = {}
  local number, previous, first, count, total, call = 1, nil, nil, 0, nil, nil
  local is_counted, is_at_end = true, false
  local function read(page, low_priority)
    current.is_checking = false
    call = submit(self, page, low_priority)
    local result = wait(current, call)
    call = nil
    return result
  end
  local function at_end()
    is_at_end = true
    is_counted = is_counted and total == count
    if is_counted and number > 2 then
      return nil, first_changed(self, read(1, true), first, total)
    end
  end
  function current.page()
    if is_at_end then
      return at_end()
    end
    local rows, meta = rows_of(self, read(number))
    if not rows then
      return nil, meta
    end
    local last, now, said = previous, core.row_hashes(rows), count_in(meta)
    is_counted = is_counted and said ~= nil and (total == nil or said == total)
    total = said
    if #rows == 0 or last and is_same(last, now) then
      return at_end()
    elseif last and overlap(last, now) then
      return nil, inconsistent("a row came twice: the rows moved while they were read", meta)
    end
    number, previous, first, count = number + 1, now, first or now, count + #rows
    return rows
  end
  function current.stop()
    if call then
      abort(current, call)
    end
    call = nil
  end
  function current.report()
    local complete = is_at_end and is_counted
    return complete, total, nil, not complete and page_reader.NOT_COUNTED or nil
  end
  return current
end

local readings = 0

-- Reads pages that the API counts: the first has the number. It is requested once more at the end,
-- after every other page has arrived: the order in which a server reads concurrent requests is not
-- that of its responses.
local function counted(self)
  local current, paging = {}, core.paging(1)
  local meter = pages_in_flight.meter(self.client.pages_in_flight)
  local calls, asked, expected, previous, first, look = {}, 0, 1, {}, nil, nil
  readings = readings + 1
  local group = readings
  -- Requests that were aborted before are sent again.
  local function next_call()
    local page = paging:next()
    while page do
      asked = page
      page = paging:next()
    end
    -- an error that a hook raised may have come between the two
    if asked < expected and not paging:complete() then
      asked = expected
    end
    for number = expected, asked do
      calls[number] = calls[number] or submit(self, number, false, group, meter.is_shared)
    end
    return calls[expected]
  end
  local function at_end()
    assert(paging:complete(), "a page was not asked for")
    if expected > 2 then
      look = look or submit(self, 1, true)
      local result = wait(current, look)
      local _, total_items = paging:totals()
      look = nil
      return nil, first_changed(self, result, first, total_items)
    end
  end
  local function look_ahead()
    look = submit(self, 1, true)
  end
  function current.page()
    current.is_checking = false
    local call = next_call()
    if not call then
      return at_end()
    end
    local result = wait(current, call)
    local rows, meta = rows_of(self, result)
    calls[expected] = nil
    if not rows then
      return nil, meta
    end
    meter:add(result, asked - expected)
    paging:set_window(meter.size)
    local ok, reason = paging:accept(meta.pagination, #rows)
    local now = core.row_hashes(rows)
    if ok and overlap(previous, now) then
      ok, reason = false, "a row came twice: the rows moved while they were read"
    end
    if not ok then
      return nil, inconsistent(reason, meta)
    end
    previous, first, expected = now, first or now, expected + 1
    if expected > 2 and paging:complete() then
      -- in flight while the caller uses the last rows; if it cannot be sent, at_end has the error
      pcall(look_ahead)
    end
    return rows
  end
  function current.stop()
    for _, call in pairs(calls) do
      abort(current, call)
    end
    if look then
      abort(current, look)
    end
    calls, look = {}, nil
  end
  function current.report()
    local _, total_items, total_pages = paging:totals()
    return paging:complete(), total_items, total_pages
  end
  return current
end

--- Starts to read.
-- @tparam table self of the pager
-- @treturn table `page()` → the next rows; nil at the end; nil and the error, whose code is
-- `inconsistent_pages` if the rows changed meanwhile. `stop()` aborts the requests that are
-- in flight; `page` sends them again. `report()` → whether all counted rows came, the rows
-- counted, the pages counted, and why a successful read is not known to be complete.
-- `requests` is how many were made, retries and those that were aborted included.
-- `is_checking` is true from when a page has come until `page` is called again: an interruption
-- then loses that page
function page_reader.start(self)
  return (self.operation.uncounted and uncounted or counted)(self)
end

return page_reader

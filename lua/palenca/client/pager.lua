--- Iterates over the response of a search: rows that come in pages.
--
-- The first page says how many there are; the others are requested in parallel, within the rate
-- limit, and returned in order. A history that changes while it is read is read again, or reported
-- as incomplete. Pages cannot show a row that is removed in the middle while another is
-- added after it, nor a change that is undone, during one read. Some searches are not
-- counted by the API: their pages are read one after the other, until one is empty, and are never
-- reported as complete.
-- @classmod palenca.client.pager
local argcheck = require("palenca.util.argcheck")
local inspection = require("palenca.client.inspection")
local page_reader = require("palenca.client.page_reader")
local runtime = require("palenca.runtime")
local suggest = require("palenca.util.suggest")

local Pager = {}

local DEFAULT_ITEMS_PER_PAGE = 100
local READINGS = 3

-- The hidden state of a pager.
local states = setmetatable({}, { __mode = "k" })

local NAME = "palenca pager"
local NOT_ROWS = "a pager is not the list of its rows: call :all() for that, or :each() or :next()"

local function reject_pairs()
  error(NOT_ROWS, 3)
end

-- The level of the nearest code of Lua: `ipairs` indexes by a function of C.
local function nearest_lua()
  local level = 3
  local info = debug.getinfo(level, "l")
  while info and info.currentline < 0 do
    level = level + 1
    info = debug.getinfo(level, "l")
  end
  return info and level - 1 or 0
end

-- In place of its rows, it is asked for a row, or for a field of a list of accounts.
setmetatable(Pager, {
  __index = function(_, key)
    local meant = suggest.nearest(key, Pager)
    if meant then
      error(("a pager has no function '%s'; did you mean ':%s()'?"):format(key, meant), 2)
    elseif type(key) == "number" or type(key) == "string" and not key:find("^_") then
      error(NOT_ROWS, nearest_lua())
    end
  end,
})

local meta = {
  __index = Pager,
  __len = function()
    error(NOT_ROWS, 2)
  end,
  __call = function() -- as the iterator of a `for`
    error(NOT_ROWS, 2)
  end,
  __name = NAME,
  __pairs = reject_pairs,
  __ipairs = reject_pairs, -- Lua 5.2 only; later ones index
  __tostring = function()
    return NAME .. ": its rows come from :all(), :each() or :next()"
  end,
}

-- Lua 5.1 and LuaJIT take the length of a table without asking, and ipairs its first item: there a
-- pager is a userdata, which has neither.
local newproxy = rawget(_G, "newproxy")
local template = newproxy and newproxy(true)
for name, value in pairs(template and meta or {}) do
  getmetatable(template)[name] = value
end

--- A pager over a search. Nothing is sent yet.
-- @param client the client
-- @tparam table operation of palenca.client.resources
-- @tparam string path the path, filled in
-- @tparam table fields the caller's fields
-- @treturn Pager
local function new(client, operation, path, fields)
  local self = template and newproxy(template) or setmetatable({}, meta)
  states[self] = {
    client = client,
    operation = operation,
    path = path,
    fields = fields,
    items_per_page = fields.items_per_page or DEFAULT_ITEMS_PER_PAGE,
    rows = {}, -- those of the last page
    at = 0, -- which of them was handed out last
    by = setmetatable({}, { __mode = "v" }), -- `reader`: the coroutine that reads a page
  }
  return self
end

local function state_of(pager)
  return states[pager] or error("call a pager's functions with a colon, as in pager:all()", 3)
end

--- One page.
-- @tparam number n the page, from 1
-- @treturn ?{table,...} its rows (none beyond the last page); or nil
-- @treturn palenca.client.Meta with `pagination`; or the error
function Pager:page(n)
  local state = state_of(self)
  argcheck.value("pager:page: page", n, "positive", 2)
  return page_reader.rows_of(state, runtime.wait(page_reader.submit(state, n)))
end

local YIELDS_IN_PCALL = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil
local MAIN = "the main coroutine of Lua 5.1"

local function running()
  return coroutine.running() or MAIN
end

-- A coroutine of Lua 5.1 could not wait within a protected call.
local function can_protect()
  return YIELDS_IN_PCALL or running() == MAIN
end

-- As pcall, where it can be.
local function try(page, ...)
  if can_protect() then
    return pcall(page, ...)
  end
  return true, page(...)
end

local function has_reader(self)
  local reader = self.by.reader
  if reader == nil or reader == MAIN then
    return reader ~= nil
  elseif reader == running() then
    return self.is_protected -- else an error has got it here without being seen
  end
  local status = coroutine.status(reader)
  return status ~= "dead" and status ~= "zombie" -- as nginx calls those that have ended
end

-- A second coroutine would wait for the same page, and each row would go to one of the two. A
-- coroutine that has ended, or cannot be resumed any more, does not count.
local function is_being_read(self)
  if not self.is_reading or not has_reader(self) then
    return false
  end
  collectgarbage()
  return self.by.reader ~= nil
end

-- A read that was interrupted while it waited is repeated, since the state of its requests is not
-- known. If it was interrupted later, the rows of the page would be lost.
local function resume_reading(self)
  self.reader.stop()
  if self.reader.is_checking then
    error("an error interrupted this pager while it checked a page; make another pager", 4)
  end
end

-- A hook may raise an error anywhere: the reading coroutine is recorded inside the protected call.
local function page_of(self)
  self.by.reader = running()
  local rows, err = self.reader.page()
  self.by.reader = nil
  return rows, err
end

local function read_page(self)
  if is_being_read(self) then
    error("this pager is being read by another coroutine; make one for each", 3)
  elseif self.is_reading then
    resume_reading(self)
  end
  self.reader = self.reader or page_reader.start(self)
  self.is_protected = can_protect()
  self.is_reading = true
  local ok, rows, err = try(page_of, self)
  if not ok then
    self.by.reader = nil
    error(rows, 0)
  end
  self.rows, self.at = rows or {}, 0
  self.failed, self.is_ended = err, self.is_ended or not rows
  if err then
    self.reader.stop()
  end
  self.is_reading = false
end

--- The next row: nil at the end; nil and the error after a failure. The rows returned so far
-- are the complete history only once it has returned nil without an error.
--
-- An error that is raised from within (by the runtime, or because the coroutine is ended) leaves
-- the pager as it was: the next call goes on with the same row, or raises if it cannot.
-- @treturn ?table the row
-- @treturn ?palenca.errors.Error the error
function Pager:next()
  local state = state_of(self)
  while state.at >= #state.rows and not state.is_ended do
    read_page(state)
  end
  if state.failed then
    return nil, state.failed
  elseif state.is_ended then
    return nil
  end
  state.at = state.at + 1
  return state.rows[state.at]
end

local function give_up(self)
  if self.reader then
    self.reader.stop()
  end
end

--- Ends the read: requests in flight are aborted, and there are no more rows. For a loop that
-- is left early; from Lua 5.4 on the requests are aborted automatically.
function Pager:stop()
  local state = state_of(self)
  give_up(state)
  state.is_ended, state.rows, state.at = true, {}, 0
end

--- Iterates over all rows, newest first; raises the error if one cannot be read or if the history
-- changes meanwhile. A loop that was left early can be continued.
-- @treturn function for a generic `for`
function Pager:each()
  local state = state_of(self)
  local at_exit = setmetatable({}, {
    __close = function()
      give_up(state)
    end,
  })
  return function()
    local row, err = self:next()
    if err then
      error(err, 0)
    end
    return row, row and inspection.beside_row or nil
  end, nil, nil, at_exit
end

local function read_all(self)
  local current = page_reader.start(self)
  local all = {}
  while true do
    local ok, rows, err = try(current.page)
    if not ok then
      current.stop()
      error(rows, 0)
    elseif not rows then
      current.stop()
      return all, err, current.report, current.requests
    end
    for _, row in ipairs(rows) do
      all[#all + 1] = row
    end
  end
end

--- All rows. If they change while being read, they are read again, up to three times.
-- @treturn ?{table,...} the rows; nil if one of the requests failed
-- @treturn Report or the error. `complete` is true only if as many rows came as the API counted, no
-- page repeated a row of the one before, and the first page was still the same after all had come;
-- otherwise `reason` says why not.
function Pager:all()
  local state = state_of(self)
  local all, err, counted, sent
  local readings, requests = 0, 0
  repeat
    all, err, counted, sent = read_all(state)
    readings, requests = readings + 1, requests + (sent or 0)
  until not err or err.code ~= "inconsistent_pages" or readings == READINGS
  if err and err.code ~= "inconsistent_pages" then
    return nil, err
  end
  local complete, total_items, total_pages, reason = counted()
  local report = {
    complete = err == nil and complete,
    rows = #all,
    total_items = total_items,
    total_pages = total_pages,
    readings = readings,
    requests = requests,
    reason = err and err.message or reason,
  }
  if inspection.on_report then
    inspection.on_report(report)
  end
  return all, report
end

--- How the reading of all rows went; see @{Pager:all}.
-- @table Report
-- @tfield boolean complete whether every row that the API counted was delivered once
-- @tfield integer rows how many rows came
-- @tfield ?integer total_items how many rows the API counted
-- @tfield ?integer total_pages how many pages
-- @tfield integer readings how often they were read
-- @tfield integer requests of all readings, with retries and those that were aborted because the
-- rows changed
-- @tfield ?string reason why it is not complete

return { new = new }

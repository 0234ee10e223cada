--- Injects faults: slow or failing responses, lost webhooks, shifting pages.
-- @module palenca.sandbox.delivery.faults
local api_values = require("palenca.util.api_values")
local constants = require("palenca.sandbox.data.vendor_constants")
local date = require("palenca.util.date")
local render = require("palenca.sandbox.data.render")
local validate = require("palenca.sandbox.http.validate")

local faults = {}
faults.__index = faults

--- The fields of each kind of fault besides `probability` and `times`: for requests `method` and
-- `path` (a prefix) say which, for webhooks `action`.
faults.kinds = {
  latency = { "method", "path", "seconds" },
  error = { "method", "path", "status", "code", "retry_after" },
  drop = { "method", "path" },
  cut = { "method", "path" },
  webhook_lose = { "action" },
  webhook_duplicate = { "action" },
  webhook_delay = { "action", "seconds" },
  webhook_reorder = { "action" },
  earning_added = { "method", "path" },
  earning_removed = { "method", "path" },
  earning_corrected = { "method", "path" },
}

--- The default values of a fault's fields.
faults.defaults = {
  latency = { seconds = 1 },
  error = { status = 503, code = "service_unavailable" },
  webhook_delay = { seconds = 30 },
}

local methods = { GET = true, POST = true, PUT = true, PATCH = true, DELETE = true }

local fields = {
  { name = "kind", check = validate.one_of(faults.kinds, "kind of fault"), required = true },
  { name = "probability", check = validate.number(0, 1) },
  { name = "times", check = validate.integer(1, 1000000) },
  { name = "method", check = validate.one_of(methods, "method") },
  { name = "path", check = validate.string },
  { name = "action", check = validate.one_of_few(constants.events) },
  { name = "seconds", check = validate.number(0, 600) },
  { name = "status", check = validate.integer(400, 599) },
  { name = "code", check = validate.string },
  { name = "retry_after", check = validate.integer(0, 3600) },
}

local fault_shape = render.shape {
  "fault_id", "kind", "probability", "times", "method", "path", "action", "seconds", "status",
  "code", "retry_after", "hits",
}

--- Creates an empty list of faults.
-- @tparam store store whose chance is drawn from
-- @tparam function on_change called when a fault came, went or hit
-- @treturn faults the list
function faults.new(store, on_change)
  return setmetatable({ store = store, on_change = on_change, list = {}, last = 0 }, faults)
end

--- The fields of a kind, as keys.
-- @tparam string kind
-- @treturn table
function faults.names(kind)
  local known = { kind = true, probability = true, times = true }
  for _, name in ipairs(faults.kinds[kind]) do
    known[name] = true
  end
  return known
end

--- Validates a fault. Fields that its kind does not have are rejected.
-- @tparam table given as it was written
-- @treturn ?table the fault
-- @treturn ?table without one: the faults of what was written, as @{validate} has them
function faults.read(given)
  local fault, wrong = validate.strict_object(fields, given, "body")
  if not fault then
    return nil, wrong
  end
  wrong = validate.strangers(given, faults.names(fault.kind), "body")
  if #wrong > 0 then
    return nil, wrong
  end
  return fault
end

--- Adds a fault.
-- @tparam table given `kind`, `probability`, `times`, and what its kind takes; checked already
-- @treturn table the fault
function faults:add(given)
  self.last = self.last + 1
  local fault = { fault_id = self.last, hits = 0, probability = 1 }
  for name, value in pairs(faults.defaults[given.kind] or {}) do
    fault[name] = value
  end
  for name, value in pairs(given) do
    fault[name] = value
  end
  if fault.kind == "error" then
    fault.code = given.code or api_values.code_of(fault.status)
  end
  table.insert(self.list, fault)
  self.on_change("fault")
  return fault
end

--- Removes a fault.
-- @tparam ?integer fault_id which; nil: all
-- @treturn boolean whether there was one
function faults:remove(fault_id)
  local kept, removed = {}, false
  for _, fault in ipairs(self.list) do
    if fault_id and fault.fault_id ~= fault_id then
      kept[#kept + 1] = fault
    else
      removed = true
    end
  end
  self.list = kept
  self.on_change("fault")
  return removed
end

--- The JSON of a fault.
function faults.render(fault)
  return fault_shape(fault)
end

local function fits(fault, subject)
  return (not fault.method or fault.method == subject.method)
    and (not fault.path or (subject.path or ""):sub(1, #fault.path) == fault.path)
    and (not fault.action or fault.action == subject.action)
end

--- Whether a fault of a kind applies now; that counts as one of its `times`.
-- @tparam string kind its kind
-- @tparam table subject `method` and `path` of the request, or the webhook's `action`
-- @treturn ?table the fault
function faults:strike(kind, subject)
  for at, fault in ipairs(self.list) do
    if fault.kind == kind and fits(fault, subject)
      and self.store:stream("faults"):chance(fault.probability) then
      fault.hits = fault.hits + 1
      if fault.times then
        fault.times = fault.times - 1
        if fault.times <= 0 then
          table.remove(self.list, at)
        end
      end
      self.on_change("fault")
      return fault
    end
  end
  return nil
end

local function reversed(list)
  local turned = {}
  for at, item in ipairs(list) do
    turned[#list + 1 - at] = item
  end
  return turned
end

-- Separates lost and delayed deliveries; the others keep their order.
local function sort_out(self, queue, webhook, events, login_id)
  local kept, made = {}, {}
  for _, event in ipairs(events) do
    local subject = { action = event.webhook_action }
    local delay = self:strike("webhook_delay", subject)
    if self:strike("webhook_lose", subject) then
      made[#made + 1] = queue:lose(webhook, event, login_id)
    elseif delay then
      local later = queue:queue(webhook, { event }, delay.seconds, { login_id = login_id })
      made[#made + 1] = later[1]
    else
      kept[#kept + 1] = event
    end
    if self:strike("webhook_duplicate", subject) then
      local again = queue:queue(webhook, { event }, 0, { login_id = login_id })
      made[#made + 1] = again[1]
    end
  end
  return kept, made
end

--- Queues the deliveries of a webhook, with the faults that apply.
-- @tparam deliveries queue the queue
-- @tparam table webhook the webhook
-- @tparam table events in order, each with the fields of a delivery's `data`
-- @tparam ?string login_id the login they are about
-- @treturn table the deliveries
function faults:deliver(queue, webhook, events, login_id)
  if #self.list == 0 then
    return queue:queue(webhook, events, 0, { login_id = login_id })
  end
  if self:strike("webhook_reorder", { action = events[1].webhook_action }) then
    events = reversed(events)
  end
  local kept, made = sort_out(self, queue, webhook, events, login_id)
  if #kept > 0 then
    local sent = queue:queue(webhook, kept, 0, { login_id = login_id })
    table.move(sent, 1, #sent, #made + 1, made)
  end
  return made
end

-- A day that the history has no row for: the one after its newest.
local function new_row(rows)
  local newest = rows[1]
  return {
    amount = 100.0,
    currency = newest.currency,
    earning_date = date.text(date.parse(newest.earning_date) + 1),
    cash_amount = newest.cash_amount and 0.0,
    count_trips = 4,
  }
end

--- Changes the earnings of an account if a fault says so, as if the platform had updated them right
-- after a page was read: the next page is that of a changed history.
-- @tparam table account the account
-- @tparam table subject `method` and `path` of the request
function faults:shift_earnings(account, subject)
  if #self.list == 0 then
    return
  end
  local rows = self.store:earnings_of(account):rows()
  local changed = false
  if #rows > 0 and self:strike("earning_added", subject) then
    table.insert(rows, 1, new_row(rows))
    changed = true
  end
  if #rows > 0 and self:strike("earning_removed", subject) then
    table.remove(rows, 1)
    changed = true
  end
  if #rows > 0 and self:strike("earning_corrected", subject) then
    local corrected = {}
    for name, value in pairs(rows[1]) do
      corrected[name] = value
    end
    corrected.amount = (rows[1].amount or 0.0) + 1.0
    rows[1] = corrected
    changed = true
  end
  if changed then
    self.store:save("earnings", { account_id = account.account_id, rows = rows })
  end
end

return faults

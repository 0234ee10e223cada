--- The webhook of an event that a test sends.
-- @module palenca.testing.webhook
local api_values = require("palenca.util.api_values")
local argcheck = require("palenca.util.argcheck")
local json = require("palenca.util.json")
local suggest = require("palenca.util.suggest")
local webhook_actions = require("palenca.util.webhook_actions")
local worker = require("palenca.testing.worker")

local webhook = {}

--- The fields of an event, and what else is known of it, as of @{palenca.util.argcheck}.
webhook.EVENT_FIELDS = {
  account_id = "string", user_id = "string", external_id = "string", platform = "string",
  status_details = "string", webhook_id = "string", id = "any", attempt = "positive",
  replay = "positive", received_at = "any", body = "string", traceparent = "string",
  request_id = "string",
}
local BODY_FIELDS = { "account_id", "user_id", "external_id", "platform", "status_details",
  "webhook_id" }

--- Those, and of the dead letter that it is.
webhook.DEAD_FIELDS = { error = "any", call = "positive" }
for name, kind in pairs(webhook.EVENT_FIELDS) do
  webhook.DEAD_FIELDS[name] = kind
end

--- Raises what is wrong with an event that a test sends.
-- @tparam string what the method that is called, such as `test:event`
-- @tparam string action
-- @tparam table subject a worker, or fields
-- @tparam table more fields
-- @tparam {[string]=string} fields one of the tables above
-- @tparam integer level whose mistake it is, as for `error`
function webhook.check(what, action, subject, more, fields, level)
  argcheck.value(what .. ": action", action, "string", level + 1)
  if not webhook_actions[action] then
    error(("%s: no documented action is '%s'%s"):format(what, tostring(action),
      suggest.text(action, webhook_actions)), level + 1)
  end
  argcheck.value(what .. ": the worker", subject, "table", level + 1)
  argcheck.fields(what, more, fields, level + 1)
  argcheck.one_of(what .. ": platform", more.platform or rawget(subject, "platform"),
    api_values.platforms, level + 1)
  worker.check_details(what, more.status_details or rawget(subject, "status_details"), level + 1)
end

local function body_of(action, subject, more)
  local data = { webhook_action = action }
  for _, name in ipairs(BODY_FIELDS) do
    data[name] = more[name] or rawget(subject, name)
  end
  return json.encode { data = data }
end

--- Makes one.
-- @tparam palenca.testing.session self
-- @tparam string action
-- @tparam table subject a worker, or fields
-- @tparam table more fields, which have priority
-- @tparam integer attempt unless it is among them
-- @treturn string the body
-- @treturn table what else is known of its event, as a lease has it
function webhook.new(self, action, subject, more, attempt)
  self.last_event = self.last_event + 1
  local function field(name, default)
    local value = more[name]
    if value == nil and not self.is_worker[subject] then
      value = subject[name]
    end
    return value == nil and default or value
  end
  return field("body") or body_of(action, subject, more), {
    id = field("id", self.last_event),
    attempt = field("attempt", attempt),
    replay = field("replay", 0),
    received_at = field("received_at", self:now()),
    traceparent = more.traceparent, request_id = more.request_id,
  }
end

return webhook

--- Makes the event that a script's handlers are called with.
-- @module palenca.webhook.script_event
local core = require("palenca.core")
local handlers = require("palenca.handlers")
local json = require("palenca.util.json")

local script_event = {}

--- Reads what an event is, and finds its handlers.
-- @tparam string body of the webhook
-- @treturn ?table the event as far as a scan of the body tells; nil if it is no webhook
-- @treturn {table,...} the handlers, as `palenca.handlers` has them
-- @treturn ?string why it is no webhook
function script_event.scan(body)
  local event, reason = core.scan_webhook(body)
  return event, event and handlers.matching(event.action) or {}, reason
end

--- Adds what costs most of it, and is for handlers only.
-- @tparam table event of @{scan}
-- @tparam table lease its `id`, `attempt`, `replay`, `received_at` and `body`, and maybe
-- `traceparent` and `request_id`
function script_event.complete(event, lease)
  local decoded = assert(json.decode_strictly(lease.body))
  event.data, event.body = decoded.data, lease.body
  event.reconciled = decoded.reconciled == true or nil
  event.id = lease.id
  event.attempt = lease.attempt
  event.replay = lease.replay > 0 and lease.replay or nil
  event.received_at = lease.received_at
  event.traceparent, event.request_id = lease.traceparent, lease.request_id
end

return script_event

--- What is stored of an event that becomes a dead letter, in the transaction that makes it one, for
-- the functions of `palenca.on_dead`. It is the body of an event, and that of no webhook.
-- @module palenca.host.dead_notice
local core = require("palenca.core")
local json = require("palenca.util.json")

local dead_notice = {}

--- The action of the events that have a notice.
dead_notice.ACTION = "palenca.dead"

--- Writes a notice.
-- @tparam table lease of the event, with `id`, `attempt`, `replay`, `received_at` and `body`
-- @tparam string problem the error of its last attempt
-- @treturn string
function dead_notice.write(lease, problem)
  local is_webhook = core.scan_webhook(lease.body)
  return '{"event":' .. (is_webhook and lease.body or "null") .. ',"dead":' .. json.encode({
    id = lease.id,
    attempts = lease.attempt,
    replay = lease.replay,
    received_at = lease.received_at,
    error = problem,
  }) .. "}"
end

--- Reads a notice.
-- @tparam string body of an event
-- @treturn ?table the event that is dead, as its handlers had it; nil if it is no notice
-- @treturn ?table `error` and `attempts`
function dead_notice.read(body)
  local notice = body:find('^{"event":') and json.decode(body)
  local dead = type(notice) == "table" and notice.dead
  if type(dead) ~= "table" then
    return nil
  end
  -- as it was received: the first member, before the last one of that name
  local own = body:match('^{"event":(.*),"dead":{.-$')
  local event = own and core.scan_webhook(own) or { action = "unknown" }
  event.data, event.body = (notice.event or {}).data, own ~= "null" and own or nil
  event.id, event.attempt, event.received_at = dead.id, dead.attempts, dead.received_at
  event.replay = dead.replay > 0 and dead.replay or nil
  return event, { error = dead.error, attempts = dead.attempts }
end

return dead_notice

--- The queue of webhook deliveries: which is due, in what order, and what becomes of it.
-- @module palenca.sandbox.deliveries
--
-- The actions that one login sends to one webhook form a lane. A lane has at most one delivery
-- in flight; lanes do not wait for each other. A lane waits in a heap, the one due first on
-- top, except while its delivery is in flight.
local render = require("palenca.sandbox.render")
local signing = require("palenca.webhook")

local deliveries = {}
deliveries.__index = deliveries

local MAX_ATTEMPTS = 4
local RETRY_AFTER = 30

local body_shape = render.shape { "webhook_url", "data" }
local data_shape = render.shape {
  "user_id", "account_id", "external_id", "platform", "status_details", "webhook_action",
  "webhook_id",
}

--- Makes an empty queue.
-- @tparam function clock returns Unix time in seconds
-- @treturn deliveries the queue
function deliveries.new(clock)
  return setmetatable({
    clock = clock, heap = {}, in_flight = {}, pending = 0, sequence = 0,
  }, deliveries)
end

local function before(one, other)
  if one.due ~= other.due then
    return one.due < other.due
  end
  return one.sequence < other.sequence
end

local function push(heap, lane)
  local at = #heap + 1
  while at > 1 and before(lane, heap[at // 2]) do
    heap[at] = heap[at // 2]
    at = at // 2
  end
  heap[at] = lane
end

local function pop(heap)
  local top, last = heap[1], table.remove(heap)
  local size, at = #heap, 1
  while 2 * at <= size do
    local child = 2 * at
    if child < size and before(heap[child + 1], heap[child]) then
      child = child + 1
    end
    if not before(heap[child], last) then
      break
    end
    heap[at] = heap[child]
    at = child
  end
  if size > 0 then
    heap[at] = last
  end
  return top
end

--- Queues what one login sends to one webhook.
-- @tparam table webhook the webhook; it is read again at each attempt, so that a corrected URL
-- counts at once
-- @tparam table events in order, each with the fields of a delivery's `data`
-- @tparam number delay seconds until the first is due
function deliveries:queue(webhook, events, delay)
  self.sequence = self.sequence + 1
  self.pending = self.pending + #events
  push(self.heap, {
    webhook = webhook,
    events = events,
    position = 1,
    attempt = 1,
    due = self.clock() + delay,
    sequence = self.sequence,
  })
end

--- Forgets what is queued for a webhook. A delivery in flight is still awaited, but not
-- repeated.
-- @tparam table webhook the webhook
function deliveries:drop(webhook)
  local kept = {}
  for _, lane in ipairs(self.heap) do
    if lane.webhook == webhook then
      self.pending = self.pending - (#lane.events - lane.position + 1)
    else
      push(kept, lane)
    end
  end
  self.heap = kept
  for _, lane in pairs(self.in_flight) do
    if lane.webhook == webhook then
      self.pending = self.pending - (#lane.events - lane.position)
      lane.events = { lane.events[lane.position] }
      lane.position = 1
      lane.attempt = MAX_ATTEMPTS
    end
  end
end

local function make_delivery(lane)
  local webhook, event = lane.webhook, lane.events[lane.position]
  local fields = { webhook_id = webhook.webhook_id }
  for name, value in pairs(event) do
    fields[name] = value
  end
  local body = body_shape { webhook_url = webhook.url, data = data_shape(fields) }.text
  local headers = { ["Content-Type"] = "application/json" }
  if webhook.sign_request then
    headers["X-Palenca-Signature"] = signing.sign(body, webhook.private_key)
  end
  return {
    url = webhook.url,
    headers = headers,
    body = body,
    webhook_id = webhook.webhook_id,
    action = event.webhook_action,
    attempt = lane.attempt,
  }
end

--- Hands out the delivery that has been due for longest; it is in flight from then on.
-- @treturn ?table `url`, `headers`, `body`, `webhook_id`, `action`, `attempt` (1 to 4)
-- @treturn ?number without one: seconds until the next is due, nil if none is queued
function deliveries:next()
  local top = self.heap[1]
  if not top then
    return nil, nil
  end
  local wait = top.due - self.clock()
  if wait > 0 then
    return nil, wait
  end
  local delivery = make_delivery(top)
  self.in_flight[delivery] = pop(self.heap)
  return delivery
end

--- Says how a delivery went.
-- @tparam table delivery as it was handed out; raises if it is not in flight
-- @tparam ?integer status the HTTP status of the answer, nil if there was none
-- @treturn string "done", "retry" or "gave_up"
function deliveries:finish(delivery, status)
  local lane = self.in_flight[delivery]
  if not lane then
    error("this delivery is not in flight", 2)
  end
  self.in_flight[delivery] = nil
  local done = status == 200 or status == 201
  if not done and lane.attempt < MAX_ATTEMPTS then
    lane.attempt = lane.attempt + 1
    lane.due = self.clock() + RETRY_AFTER
    push(self.heap, lane)
    return "retry"
  end
  self.pending = self.pending - 1
  lane.position = lane.position + 1
  if lane.position <= #lane.events then
    lane.attempt = 1
    lane.due = self.clock()
    push(self.heap, lane)
  end
  return done and "done" or "gave_up"
end

return deliveries

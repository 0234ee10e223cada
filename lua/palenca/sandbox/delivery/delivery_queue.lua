--- Queues webhook deliveries: their order and due times, their outcomes, and resending.
-- @module palenca.sandbox.delivery.delivery_queue
--
-- The actions that one login sends to one webhook form a sequence, with at most one delivery in
-- flight; sequences do not wait for each other. Every delivery is a record of the store.
local render = require("palenca.sandbox.data.render")
local signing = require("palenca.webhook")
local timer_queue = require("palenca.sandbox.delivery.timer_queue")

local delivery_queue = {}
delivery_queue.__index = delivery_queue

local MAX_ATTEMPTS = 4

-- The maximum of stored deliveries; the oldest ended ones are removed first.
local KEPT = 5000

-- A receiver's response is kept up to this size, in bytes.
local RESPONSE_MAX = 16 * 1024

local body_shape = render.shape { "webhook_url", "data" }
local data_shape = render.shape {
  "user_id", "account_id", "external_id", "platform", "status_details", "webhook_action",
  "webhook_id",
}

--- The states in which a delivery is still to be sent.
local unfinished = { queued = true, sending = true, waiting = true }

--- Makes an empty queue.
-- @tparam store store where the deliveries are kept
-- @tparam function clock returns Unix time in seconds
-- @tparam table settings `retry_delay`, in seconds; read anew each time
-- @treturn deliveries the queue
function delivery_queue.new(store, clock, settings)
  return setmetatable({
    store = store,
    clock = clock,
    settings = settings,
    timers = timer_queue.new(clock),
    in_flight = {},
    pending = 0,
    trim_at = KEPT + KEPT // 10,
  }, delivery_queue)
end

--- Queues the deliveries that were unfinished when the store was saved.
function delivery_queue:resume()
  local sequences = {}
  for _, delivery in ipairs(self.store.delivery.list) do
    if unfinished[delivery.state] and not self.store.webhook:get(delivery.webhook_id) then
      delivery.state, delivery.due = "cancelled", nil
    elseif unfinished[delivery.state] then
      local sequence = sequences[delivery.lane]
      if not sequence then
        sequence = { queue = {}, position = 1 }
        sequences[delivery.lane] = sequence
        self.timers:add(delivery.due, sequence)
      end
      delivery.state = #delivery.tries > 0 and "waiting" or "queued"
      table.insert(sequence.queue, delivery)
      self.pending = self.pending + 1
    end
  end
end

-- Checked once in a while: many deliveries may be unfinished, which are never removed.
local function forget_old(self)
  local list = self.store.delivery.list
  if #list < self.trim_at then
    return
  end
  local oldest = {}
  for _, delivery in ipairs(list) do
    if #list - #oldest > KEPT and not unfinished[delivery.state] then
      oldest[#oldest + 1] = delivery.delivery_id
    end
  end
  for _, id in ipairs(oldest) do
    self.store:remove("delivery", id)
  end
  self.trim_at = #list + KEPT // 10
end

local function make_record(self, sequence_id, webhook, event, given)
  local delivery = {
    delivery_id = self.store:stream("deliveries"):uuid(),
    lane = sequence_id,
    webhook_id = webhook.webhook_id,
    webhook_name = webhook.name,
    url = webhook.url,
    login_id = given.login_id,
    resend_of = given.resend_of,
    event = event,
    state = given.state or "queued",
    tries = {},
    created = self.store:now(),
    due = given.due,
  }
  self.store:save("delivery", delivery)
  return delivery
end

--- Queues what one login sends to one webhook.
-- @tparam table webhook the webhook; it is read again at each attempt, so that a corrected URL
-- counts at once
-- @tparam table events in order, each with the fields of a delivery's `data`
-- @tparam number delay seconds until the first is due
-- @tparam ?table more `login_id`, `resend_of`
-- @treturn table the deliveries
function delivery_queue:queue(webhook, events, delay, more)
  local given = { due = self.clock() + delay }
  for name, value in pairs(more or {}) do
    given[name] = value
  end
  local sequence = { queue = {}, position = 1 }
  local sequence_id = self.store:stream("lanes"):hex(16)
  for at, event in ipairs(events) do
    sequence.queue[at] = make_record(self, sequence_id, webhook, event, given)
  end
  self.pending = self.pending + #events
  self.timers:add(given.due, sequence)
  forget_old(self)
  return sequence.queue
end

--- Records deliveries that are never sent, because of a fault.
-- @tparam table webhook the webhook
-- @tparam table event the fields of `data`
-- @tparam ?string login_id the login
-- @treturn table the delivery
function delivery_queue:lose(webhook, event, login_id)
  return make_record(self, nil, webhook, event, { state = "lost", login_id = login_id })
end

local function end_delivery(self, delivery, state)
  delivery.state, delivery.due = state, nil
  self.pending = self.pending - 1
  self.store:save("delivery", delivery)
end

--- Cancels the queued deliveries of a webhook. One in flight completes, but is not retried.
-- @tparam table webhook the webhook
function delivery_queue:cancel(webhook)
  local id = webhook.webhook_id
  self.timers:remove(function(sequence)
    if sequence.queue[1].webhook_id ~= id then
      return false
    end
    for at = sequence.position, #sequence.queue do
      end_delivery(self, sequence.queue[at], "cancelled")
    end
    return true
  end)
  for _, sequence in pairs(self.in_flight) do
    if sequence.queue[1].webhook_id == id then
      for at = #sequence.queue, sequence.position + 1, -1 do
        end_delivery(self, table.remove(sequence.queue, at), "cancelled")
      end
      sequence.last = true
    end
  end
end

local function make_request(webhook, delivery)
  local fields = { webhook_id = webhook.webhook_id }
  for name, value in pairs(delivery.event) do
    fields[name] = value
  end
  local body = body_shape { webhook_url = webhook.url, data = data_shape(fields) }.text
  local headers = { ["Content-Type"] = "application/json" }
  if webhook.sign_request then
    headers["X-Palenca-Signature"] = signing.sign(body, webhook.private_key)
  end
  return { url = webhook.url, headers = headers, body = body }
end

--- Takes the delivery that has been due for longest; it is in flight from then on.
-- @treturn ?table `url`, `headers`, `body`, `webhook_id`, `action`, `attempt` (1 to 4)
-- @treturn ?number without one: seconds until the next is due, nil if none is queued
function delivery_queue:next()
  local sequence, wait = self.timers:take()
  if not sequence then
    return nil, wait
  end
  local delivery = sequence.queue[sequence.position]
  -- the webhook exists: its queued deliveries are cancelled with it
  local webhook = self.store.webhook:get(delivery.webhook_id)
  delivery.request = make_request(webhook, delivery)
  delivery.url = webhook.url
  delivery.state = "sending"
  self.store:save("delivery", delivery)
  local handed = {
    delivery_id = delivery.delivery_id,
    url = delivery.request.url,
    headers = delivery.request.headers,
    body = delivery.request.body,
    webhook_id = webhook.webhook_id,
    action = delivery.event.webhook_action,
    attempt = #delivery.tries + 1,
    began = self.clock(),
  }
  self.in_flight[handed] = sequence
  return handed
end

local function note_try(delivery, handed, outcome)
  local body = outcome.body
  table.insert(delivery.tries, {
    at = math.floor(handed.began),
    ms = math.floor((outcome.seconds or 0) * 1000 + 0.5),
    status = outcome.status,
    error = outcome.error,
    body = body and #body > RESPONSE_MAX and body:sub(1, RESPONSE_MAX) .. " […]" or body,
  })
  return outcome.status == 200 or outcome.status == 201
end

--- Records the outcome of a delivery.
-- @tparam table handed the delivery as it was handed out; raises if it is not in flight
-- @tparam table outcome `status` and `body` of the response, or `error`; `seconds` it took
-- @treturn string "done", "retry" or "gave_up"
function delivery_queue:finish(handed, outcome)
  local sequence = self.in_flight[handed]
  if not sequence then
    error("this delivery is not in flight", 2)
  end
  self.in_flight[handed] = nil
  local delivery = sequence.queue[sequence.position]
  local done = note_try(delivery, handed, outcome)
  if not done and #delivery.tries < MAX_ATTEMPTS and not sequence.last then
    delivery.state = "waiting"
    delivery.due = self.clock() + self.settings.retry_delay
    self.store:save("delivery", delivery)
    self.timers:add(delivery.due, sequence)
    return "retry"
  end
  end_delivery(self, delivery, done and "delivered" or "failed")
  sequence.position = sequence.position + 1
  if sequence.queue[sequence.position] then
    self.timers:add(self.clock(), sequence)
  end
  return done and "done" or "gave_up"
end

--- Sends a delivery's event once more, as a new delivery.
-- @tparam table delivery the delivery
-- @tparam table webhook its webhook
-- @treturn table the new one
function delivery_queue:resend(delivery, webhook)
  return self:queue(webhook, { delivery.event }, 0, {
    login_id = delivery.login_id,
    resend_of = delivery.delivery_id,
  })[1]
end

return delivery_queue

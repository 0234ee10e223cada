--- Sends made-up events, and reports the receiver's response to each.
-- @module palenca.host.cli.trigger_sender
local constants = require("palenca.sandbox.data.vendor_constants")
local host = require("palenca.host")
local external_http = require("palenca.client.external_http")
local json = require("palenca.util.json")
local output = require("palenca.host.cli.output")
local program_log = require("palenca.host.program_log")
local redact = require("palenca.util.redact")
local response = require("palenca.client.response")

local trigger_sender = {}

-- Maximum bytes of a body that are shown on a terminal.
local SHOWN = 200
-- A shorter wait, in seconds, is not worth a word.
local WAIT_MIN = 1

local function new_id()
  local hex = host.random_hex(16)
  return string.format("%s-%s-4%s-a%s-%s", hex:sub(1, 8), hex:sub(9, 12), hex:sub(14, 16),
    hex:sub(18, 20), hex:sub(21, 32))
end

-- Prints the outcome of one event: `action`, `account_id`, `status`, `answer`, `error`.
local function report(given, sent)
  if given.json then
    output.json(sent)
  else
    local body = (sent.answer or ""):gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
    if #body > SHOWN then -- truncated between characters
      body = body:sub(1, SHOWN):gsub("[\192-\255][\128-\191]*$", "") .. "…"
    end
    local outcome = sent.status and ("response %d %s"):format(sent.status, body)
      or "no response: " .. tostring(sent.error)
    output.line(redact.escape_line(string.format("%s for account %s: %s", sent.action,
      sent.account_id, outcome)))
  end
  output.flush() -- the next one may take long
end

local function is_taken(sent)
  return sent.status == 200 or sent.status == 201
end

-- Prints the outcome of each event, and counts them.
local tally = {}
tally.__index = tally

function tally.new(given)
  return setmetatable({
    given = given, ids = {}, sent = 0, accepted = 0, duplicates = 0, names_ids = false,
  }, tally)
end

-- A receiver such as `palenca serve` responds with the event's id: the same one again means that it
-- took this event for a duplicate.
local function id_of(sent)
  local body = json.decode(sent.answer or "")
  return type(body) == "table" and body.id or nil
end

function tally:add(sent, receiver)
  report(self.given, sent)
  self.sent = self.sent + 1
  if not is_taken(sent) then
    return
  end
  self.accepted = self.accepted + 1
  local id = id_of(sent)
  local key = id and tostring(receiver) .. " " .. tostring(id)
  if key then
    self.names_ids = true
    self.duplicates = self.duplicates + (self.ids[key] and 1 or 0)
    self.ids[key] = true
  end
end

-- Logs the totals if there was more than one event. Returns whether each was accepted.
function tally:finish()
  if self.sent > 1 then
    program_log.line(
      string.format("sent %d, accepted %d, duplicates %s", self.sent, self.accepted,
        self.names_ids and self.duplicates or "unknown (the receiver names no event ids)"),
      {
        event = "summary",
        sent = self.sent,
        accepted = self.accepted,
        duplicates = self.names_ids and self.duplicates or nil,
      }
    )
  end
  return self.accepted == self.sent
end

-- ---- straight to a receiver ------------------------------------------------------------

local function make_body(given, account, action, webhook_id)
  local details = action == "login.created" and "pending_for_data" or given.fields.status_details
  return {
    webhook_url = given.url,
    data = {
      user_id = account.user_id,
      account_id = account.account_id,
      external_id = given.fields.external_id or "None",
      platform = given.platform,
      status_details = details or json.null,
      webhook_action = action,
      webhook_id = webhook_id,
    },
  }
end

local function send_one(given, account, action, webhook_id)
  local received, err = external_http({
    url = given.url, json = make_body(given, account, action, webhook_id),
  })
  local sent = { action = action, account_id = account.account_id }
  if received then
    sent.status, sent.answer = received.status, received.body
  else
    sent.error = tostring(err)
  end
  return sent
end

--- Sends the events to a receiver.
-- @tparam table given the options: `action, url, chain, times, accounts, platform, fields, json`
-- @treturn boolean whether each got a 200 or 201
function trigger_sender.send(given)
  local accounts, result = {}, tally.new(given)
  for turn = 1, given.times do
    local at = (turn - 1) % given.accounts + 1
    accounts[at] = accounts[at] or {
      account_id = given.fields.account_id or new_id(),
      user_id = given.fields.user_id or new_id(),
    }
    -- differs between events of one account, whose bodies would be equal otherwise
    local webhook_id = given.fields.webhook_id or new_id()
    for _, action in ipairs(given.chain and constants.chains[given.action] or {}) do
      result:add(send_one(given, accounts[at], action, webhook_id), given.url)
    end
    result:add(send_one(given, accounts[at], given.action, webhook_id), given.url)
  end
  return result:finish()
end

-- ---- through the sandbox ---------------------------------------------------------------

-- Why the sandbox rejected the request; or that the server is no sandbox.
local function reason_of(body, failed)
  if type(body) ~= "table" or body.error == nil and body.detail == nil then
    return "this is not palenca's sandbox"
  end
  local detail = not failed.code and failed.errors and failed.errors[1]
  if detail and detail.message and detail.location then
    return ("%s %s"):format(detail.location:match("[^.]*$"), detail.message)
  end
  return failed.message
end

local function ask(given, method, path, body)
  local received, err = external_http({ method = method, url = given.sandbox .. path, json = body })
  if not received then
    return nil, ("there is no sandbox at %s: %s; start one, or name a receiver with --url")
      :format(given.sandbox, tostring(err))
  end
  local data, failed = response.read({ status = received.status, body = received.body }, "table")
  if data then
    return data
  end
  return nil, ("%s rejected it: %d %s"):format(given.sandbox, received.status,
    reason_of(json.decode(received.body), failed))
end

local function another_shape(given)
  return nil, ("what is at %s is not palenca's sandbox: its body has another shape")
    :format(given.sandbox)
end

local function has_type(value, expected)
  return type(value) == expected or math.type(value) == expected
end

-- Whether a value is a list of items that all have a type.
local function is_list_of(expected, value)
  if type(value) ~= "table" then
    return false
  end
  for _, item in pairs(value) do
    if not has_type(item, expected) then
      return false
    end
  end
  return true
end

-- Deliveries with the same one are sent one after the other.
local function key_of(delivery)
  return tostring(delivery.webhook_id) .. " " .. delivery.account_id
end

local function is_try(try)
  return (try.status == nil or has_type(try.status, "integer"))
    and (try.body == nil or has_type(try.body, "string"))
end

local function is_delivery(value)
  for _, name in ipairs { "state", "action", "account_id" } do
    if not has_type(value[name], "string") then
      return false
    end
  end
  return has_type(value.attempts, "integer") and is_list_of("table", value.tries)
    and (value.tries[1] == nil or is_try(value.tries[1]))
end

-- Says what a delivery waits for: an earlier one to the same webhook for the same account, which
-- has failed and is attempted again. Once for each attempt.
local function log_wait(given, delivery, earlier)
  local ahead = earlier.id and ask(given, "GET", "/sandbox/deliveries/" .. earlier.id)
  if not ahead or not is_delivery(ahead) or ahead.attempts == earlier.said then
    return
  end
  local seconds = tonumber(ahead.next_attempt_in)
  if seconds and seconds >= WAIT_MIN then
    earlier.said = ahead.attempts
    local message = ("%s for account %s waits for %s, whose attempt %d has failed: waiting for the "
      .. "next one until %s"):format(delivery.action, delivery.account_id, ahead.action,
      ahead.attempts, os.date("%H:%M:%S", math.ceil(host.unix_time() + seconds)))
    program_log.line("palenca: " .. redact.escape_line(message), { event = "waiting",
      account_id = delivery.account_id, message = message })
  end
end

-- Waits until a delivery was attempted or cancelled. `failed` has, by webhook and account, the last
-- one that was not taken.
local function wait_tried(given, id, failed)
  local revision = 0
  while true do
    local delivery, problem = ask(given, "GET", "/sandbox/deliveries/" .. id)
    if not delivery then
      return nil, problem
    elseif not is_delivery(delivery) then
      return another_shape(given)
    elseif delivery.state ~= "queued"
      and (delivery.state ~= "sending" or delivery.attempts > 0) then
      return delivery
    end
    log_wait(given, delivery, failed[key_of(delivery)] or {})
    local changes
    changes, problem = ask(given, "GET", "/sandbox/changes?since=" .. revision)
    if not changes then
      return nil, problem
    elseif math.type(changes.revision) ~= "integer" then
      return another_shape(given)
    end
    revision = changes.revision
  end
end

local function request_of(given)
  local request = {
    action = given.action,
    undocumented = given.undocumented or nil, -- an older sandbox does not know this field
    chain = given.chain or false,
    times = given.times,
    accounts = given.accounts,
    platform = given.platform,
    country = given.country,
  }
  for name, value in pairs(given.fields) do
    request[name] = value
  end
  return request
end

--- Has the sandbox make the events and send them to its webhooks.
-- @tparam table given the options: `action, sandbox, chain, times, accounts, platform, country,
-- fields, json`
-- @treturn boolean whether each got a 200 or 201
-- @treturn ?string what went wrong before
function trigger_sender.ask_sandbox(given)
  local made, problem = ask(given, "POST", "/sandbox/events", request_of(given))
  if not made then
    return false, problem
  elseif not is_list_of("string", made.deliveries) then
    return false, select(2, another_shape(given))
  elseif #made.deliveries == 0 then
    return false, ("no webhook of the sandbox at %s is subscribed to %s; create one, or name a "
      .. "receiver with --url"):format(given.sandbox, given.action)
  end
  local result, failed = tally.new(given), {}
  for _, id in ipairs(made.deliveries) do
    local delivery
    delivery, problem = wait_tried(given, id, failed)
    if not delivery then
      return false, problem
    end
    failed[key_of(delivery)] = delivery.state ~= "delivered" and { id = id } or nil
    local try = delivery.tries[1] or { error = "the delivery was " .. delivery.state }
    result:add({
      action = delivery.action,
      account_id = delivery.account_id,
      delivery_id = id,
      status = try.status,
      answer = try.body,
      error = try.error,
    }, delivery.webhook_id)
  end
  return result:finish()
end

return trigger_sender

--- palenca trigger: sends a made-up event to a receiver.
-- @module palenca.cli.trigger
local core = require("palenca.core")
local host = require("palenca.host")
local http = require("palenca.http")
local json = require("palenca.json")
local options = require("palenca.cli.options")

local trigger = { name = "trigger", summary = "Send a made-up event to a receiver of webhooks." }

local FAILED = 1

local function action(text)
  if not text:find("^[%w_]+%.[%w_]+$") then
    return nil, string.format("'%s' is not an event's name, such as login.success", text)
  end
  return text
end

local function url(text)
  local scheme, host_and_port = text:match("^(https?://)([^/?#%s]+)[^%s]*$")
  if not scheme or not core.check_base_url(scheme .. host_and_port, true) then
    return nil, string.format("'%s' is not a URL, such as http://127.0.0.1:8080/…", text)
  end
  return text
end

function trigger.define(command)
  command:argument("action", "The event, such as login.success."):argname("ACTION"):convert(action)
  options.add(command, "--url", {
    help = "Where to send it.",
    env = "PALENCA_WEBHOOK_URL",
    default = "http://127.0.0.1:8080/webhooks/palenca",
    convert = url,
    argname = "URL",
  })
  command:option("--account-id", "The account; default: a new id."):argname("ID")
  command:option("--user-id", "The user; default: a new id."):argname("ID")
  command:option("--external-id", "The user's id in your system."):argname("ID")
  command:option("--platform", "The platform. Default: uber."):argname("NAME"):default("uber")
    :show_default(false)
  command:option("--status-details", "What refines the status."):argname("TEXT")
  options.add_json(command)
end

local function new_id()
  local hex = host.random_hex(16)
  return string.format("%s-%s-4%s-a%s-%s", hex:sub(1, 8), hex:sub(9, 12), hex:sub(14, 16),
    hex:sub(18, 20), hex:sub(21, 32))
end

function trigger.run(given)
  local body = {
    webhook_url = given.url,
    data = {
      user_id = given.user_id or new_id(),
      account_id = given.account_id or new_id(),
      external_id = given.external_id or "None",
      platform = given.platform,
      status_details = given.status_details or json.null,
      webhook_action = given.action,
    },
  }
  local response, err = http({ url = given.url, json = body })
  if not response then
    io.stderr:write(string.format("palenca trigger: %s: %s\n", given.url, tostring(err)))
    return FAILED
  end
  local answer = response.body:gsub("%s+$", "")
  if given.json then
    print(json.encode({
      action = given.action,
      account_id = body.data.account_id,
      status = response.status,
      answer = answer,
    }))
  else
    print(string.format("%s for account %s: answered %d %s", given.action, body.data.account_id,
      response.status, answer))
  end
  return (response.status == 200 or response.status == 201) and 0 or FAILED
end

return trigger

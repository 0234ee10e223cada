--- Declares the options for alerts about dead letters.
-- @module palenca.host.cli.alert_options
local core = require("palenca.core")
local options = require("palenca.host.cli.options")
local secret_file = require("palenca.host.cli.secret_file")
local signature_config = require("palenca.webhook.signature_config")
local user_error = require("palenca.host.user_error")

local alert_options = {}

-- Not shown, since what stands in it is often a password or a token.
local function url(text)
  if not core.check_url(text) then
    return nil, "this is not a URL, such as https://example.com/alerts"
  end
  return text
end

--- Adds them.
-- @param command of argparse
function alert_options.define(command)
  options.add_all(command, {
    { "--alert-url", "Where a POST goes when events have become dead letters.", nil, url, "URL" },
    { "--alert-window", "Seconds from the first of them to the POST, which is for all since.",
      60, options.duration, "SECONDS" },
  })
  options.add(command, "--alert-secret-file", {
    help = "A file with the secret that the POST is signed with. Else $PALENCA_ALERT_SECRET, else "
      .. "the credential palenca.alert-secret.",
    own_env = "PALENCA_ALERT_SECRET",
    convert = options.file,
    argname = "FILE",
  })
end

local function variable()
  local text = os.getenv("PALENCA_ALERT_SECRET")
  return text and text:match("^%s*(.*%S)")
end

local function file(given)
  return given.alert_secret_file or not variable() and secret_file.credential("alert-secret") or nil
end

--- What is wrong with their combination.
-- @tparam table given the parsed options
-- @treturn ?string
function alert_options.problem(given)
  if given.alert_url and not file(given) and not variable() then
    return "--alert-url needs --alert-secret-file (or $PALENCA_ALERT_SECRET)"
  elseif not given.alert_url and (given.alert_secret_file or variable()) then
    -- whoever sets it expects alerts, and would have none
    return (given.alert_secret_file and "--alert-secret-file" or "$PALENCA_ALERT_SECRET")
      .. " needs --alert-url (or $PALENCA_ALERT_URL)"
  end
end

--- Reads them; raises if the secret cannot be read.
-- @tparam table given the parsed options
-- @treturn ?table for palenca.host.alert; nil: no alerts
function alert_options.read(given)
  if not given.alert_url then
    return nil
  end
  local path = file(given)
  local source = path and "--alert-secret-file" or "$PALENCA_ALERT_SECRET"
  local secret = path and secret_file.read(source, path, "secret") or variable()
  local problem = signature_config.problem_of_secrets({ secret })
  if problem then
    user_error("%s: %s", source, problem)
  end
  return { url = given.alert_url, secret = secret }
end

return alert_options

--- Declares the options for alerts about dead letters.
-- @module palenca.host.cli.alert_options
local options = require("palenca.host.cli.options")
local secret_file = require("palenca.host.cli.secret_file")
local signature_config = require("palenca.webhook.signature_config")
local user_error = require("palenca.host.user_error")

local alert_options = {}

local function url(text)
  if not text:find("^https?://%S+$") then
    return nil, string.format("'%s' is not a URL, such as https://example.com/alerts", text)
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
    help = "A file with the secret that the POST is signed with. Else $PALENCA_ALERT_SECRET.",
    own_env = "PALENCA_ALERT_SECRET",
    convert = options.file,
    argname = "FILE",
  })
end

local function variable()
  local text = os.getenv("PALENCA_ALERT_SECRET")
  return text and text:match("^%s*(.-)%s*$") ~= "" and text or nil
end

--- What is wrong with their combination.
-- @tparam table given the parsed options
-- @treturn ?string
function alert_options.problem(given)
  if given.alert_url and not given.alert_secret_file and not variable() then
    return "--alert-url needs --alert-secret-file (or $PALENCA_ALERT_SECRET)"
  end
end

--- Reads them; raises if the secret cannot be read.
-- @tparam table given the parsed options
-- @treturn ?table for palenca.host.alert; nil: no alerts
function alert_options.read(given)
  if not given.alert_url then
    return nil
  end
  local source = given.alert_secret_file and "--alert-secret-file" or "$PALENCA_ALERT_SECRET"
  local secret = given.alert_secret_file
    and secret_file.read(source, given.alert_secret_file, "secret")
    or variable():match("^%s*(.-)%s*$")
  local problem = signature_config.problem_of_secrets({ secret })
  if problem then
    user_error("%s: %s", source, problem)
  end
  return { url = given.alert_url, secret = secret }
end

return alert_options

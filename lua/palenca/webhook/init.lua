--- Reads and signs webhooks.
-- @module palenca.webhook
local argcheck = require("palenca.util.argcheck")
local core = require("palenca.core")
local errors = require("palenca.errors")
local json = require("palenca.util.json")

local webhook = {}

local parse_options = {
  secret = "secret",
  header = "string",
  digest = "string",
  encoding = "string",
  prefix = "text",
}

local function invalid(message)
  return errors.new({ kind = "invalid", message = message })
end

local function signature_options(options)
  return { digest = options.digest, encoding = options.encoding, prefix = options.prefix }
end

local function header_value(headers, header)
  header = header:lower()
  for name, value in pairs(headers or {}) do
    if type(name) == "string" and name:lower() == header then
      return value
    end
  end
  return nil
end

local function check_signature(body, headers, options)
  if not options.header then
    error("palenca.webhook.parse: with a secret, header must name the signature's header", 3)
  end
  -- a mistake in the options must not pass for a wrong signature
  local possible, mistake = core.sign(signature_options(options), options.secret, "")
  if not possible then
    error("palenca.webhook.parse: " .. mistake, 3)
  end
  local given = header_value(headers, options.header)
  if type(given) ~= "string" then
    return nil, errors.new({ kind = "auth", message = "the request is not signed" })
  end
  local ok, problem =
    core.check_signature(signature_options(options), options.secret, body, given)
  if not ok then
    return nil, errors.new({ kind = "auth", message = problem })
  end
  return true
end

--- Reads a webhook's body, as strictly as `palenca serve`: it is an object in JSON and UTF-8,
-- nested no deeper than 64 levels, with nothing after it; its `webhook_action` and `account_id`
-- have up to 127 bytes.
--
-- How signed requests are signed is not documented, so the header has no default; digest and
-- encoding default to what is usual, HMAC-SHA256 of the raw body in hex.
-- @tparam string body as it was received
-- @tparam ?table headers name → value; needed for a signature only
-- @tparam[opt] table options
-- @tparam string options.secret checks the signature with it
-- @tparam string options.header the header that carries the signature
-- @tparam string options.digest `sha1`, `sha256` (default), `sha384` or `sha512`
-- @tparam string options.encoding `hex` (default) or `base64`
-- @tparam string options.prefix in front of the signature, such as `sha256=`
-- @treturn ?palenca.handlers.Event the event: `action, account_id, user_id, external_id, platform,
-- status_details, webhook_id`; `data`, as it was received; and `body`, its bytes
-- @treturn ?palenca.errors.Error why the request is rejected
function webhook.parse(body, headers, options)
  if options then
    argcheck.fields("palenca.webhook.parse", options, parse_options, 2)
  end
  if type(body) ~= "string" then
    error("palenca.webhook.parse: body must be a string, got " .. argcheck.shown(body), 2)
  end
  if options and options.secret then
    local ok, err = check_signature(body, headers, options)
    if not ok then
      return nil, err
    end
  end
  local fields, reason = core.scan_webhook(body)
  if not fields then
    return nil, invalid(reason)
  end
  -- the decoder reads whatever the scan accepts
  fields.data, fields.body = assert(json.decode_strictly(body)).data, body
  return fields
end

--- Signs a body, for tests and for those who send webhooks.
-- @tparam string body the body to be sent
-- @tparam string secret the key
-- @tparam[opt] table options as for @{parse}; `digest`, `encoding` and `prefix` matter
-- @treturn string the value of the signature's header
function webhook.sign(body, secret, options)
  if type(body) ~= "string" then
    error("palenca.webhook.sign: body must be a string, got " .. argcheck.shown(body), 2)
  end
  argcheck.value("palenca.webhook.sign: secret", secret, "secret", 2)
  argcheck.fields("palenca.webhook.sign", options, parse_options, 2)
  local signature, problem = core.sign(signature_options(options or {}), secret, body)
  if not signature then
    error("palenca.webhook.sign: " .. problem, 2)
  end
  return signature
end

return webhook

--- What is set for an endpoint or a client: in a table, in nginx variables, in the environment.
-- @module palenca.nginx.settings
local check = require("palenca.check")
local core = require("palenca.core")

local settings = {}

local WHERE = "palenca.nginx.webhook"

local webhook_types = {
  secrets = "table",
  signature_header = "string",
  signature_digest = "string",
  signature_encoding = "string",
  signature_prefix = "text",
  max_body = "positive",
  dict = "string",
  redelivery_window = "count",
  forward = "string",
}

local webhook_defaults = { max_body = 65536, dict = "palenca", redelivery_window = 300 }

-- What `palenca serve` takes from there as well.
local from_environment = {
  signature_header = true, signature_digest = true, signature_encoding = true,
  signature_prefix = true, max_body = true, redelivery_window = true,
}

local client_options = {
  "api_key", "environment", "base_url", "timeout", "max_retries", "rate_limit", "deadline",
  "pages_in_flight", "max_response", "min_tls", "ca_file", "proxy",
}

local numbers = {
  max_body = true, redelivery_window = true, timeout = true, max_retries = true, rate_limit = true,
  deadline = true, pages_in_flight = true, max_response = true,
}

-- What a variable says of an option; nil if it is not defined, or empty.
local function read(name, source, value)
  if value == nil or value == "" then
    return nil
  elseif not numbers[name] then
    return value
  end
  return tonumber(value) or error(source .. " must be a number", 0)
end

local function variable(name)
  return read(name, "$palenca_" .. name, ngx.var["palenca_" .. name])
end

local function environment(name)
  if not from_environment[name] then
    return nil
  end
  local source = "PALENCA_" .. name:upper()
  return read(name, "$" .. source, os.getenv(source))
end

local function words(text)
  local list = {}
  for word in (text or ""):gmatch("%S+") do
    list[#list + 1] = word
  end
  return list
end

local function secrets_of(given)
  local list = given or words(variable("secrets") or os.getenv("PALENCA_WEBHOOK_SECRET"))
  for _, secret in ipairs(list) do
    if type(secret) ~= "string" or secret == "" then
      error(WHERE .. ": secrets must be strings", 0)
    end
  end
  return list
end

-- One without the other is a mistake that would let everybody in, or nobody.
local function check_signature(all)
  if not all.signature_header and #all.secrets > 0 then
    error(WHERE .. ": there is a secret, but no signature_header to find signatures in", 0)
  elseif all.signature_header and #all.secrets == 0 then
    error(WHERE .. ": signature_header wants a secret", 0)
  end
  all.form = {
    digest = all.signature_digest, encoding = all.signature_encoding, prefix = all.signature_prefix,
  }
  local ok, problem = core.sign(all.form, "secret", "")
  if not ok then
    error(WHERE .. ": " .. problem, 0)
  end
end

--- Those of an endpoint.
-- @tparam ?table options what the caller passes
-- @treturn table all of them, with `form`, that of a signature, and `dict` itself
function settings.webhook(options)
  options = options or {}
  check.fields(WHERE, options, webhook_types, 3)
  local all = {}
  for name, kind in pairs(webhook_types) do
    if name ~= "secrets" then
      all[name] = options[name] or variable(name) or environment(name) or webhook_defaults[name]
      if all[name] ~= nil then
        check.value(WHERE .. ": " .. name, all[name], kind, 3)
      end
    end
  end
  all.secrets = secrets_of(options.secrets)
  check_signature(all)
  if not all.forward then
    local dict = ngx.shared[all.dict]
    if not dict then
      error(string.format("%s: there is no lua_shared_dict %s, by which redeliveries are known: "
        .. "lua_shared_dict %s 1m;", WHERE, all.dict, all.dict), 0)
    end
    all.dict = dict
  end
  return all
end

--- Those of a client.
-- @treturn table the options that are set by nginx variables
-- @treturn string all of them in one
function settings.client()
  local options, parts = {}, {}
  for _, name in ipairs(client_options) do
    options[name] = variable(name)
    parts[#parts + 1] = name .. "=" .. tostring(options[name])
  end
  return options, table.concat(parts, "\n")
end

return settings

--- Reads what is set for an endpoint or a client: in a table, in nginx variables, in the
-- environment.
-- @module palenca.nginx.settings
local argcheck = require("palenca.util.argcheck")
local client = require("palenca.client")
local number_text = require("palenca.util.number_text")
local signature_config = require("palenca.webhook.signature_config")

local settings = {}

local WHERE = "palenca.nginx.webhook"

local webhook_types = {
  signature = "boolean",
  secrets = "table",
  signature_header = "string",
  signature_digest = "string",
  signature_encoding = "string",
  signature_prefix = "text",
  max_body = "positive",
  dict = "string",
  redelivery_window = "count",
  redelivery_lease = "positive",
  redelivery_wait = "count",
  forward = "string",
}

-- A sender times out after 30 s.
local webhook_defaults = {
  max_body = 65536, dict = "palenca", redelivery_window = 300, redelivery_lease = 30,
  redelivery_wait = 25,
}

-- What `palenca serve` takes from there as well.
local from_environment = {
  secrets = "PALENCA_WEBHOOK_SECRET",
  signature_header = "PALENCA_SIGNATURE_HEADER",
  signature_digest = "PALENCA_SIGNATURE_DIGEST",
  signature_encoding = "PALENCA_SIGNATURE_ENCODING",
  signature_prefix = "PALENCA_SIGNATURE_PREFIX",
  max_body = "PALENCA_MAX_BODY",
  redelivery_window = "PALENCA_REDELIVERY_WINDOW",
}

-- Workers have of the environment only what `env` names. Where the module is loaded in init_by_lua,
-- what guards an endpoint does not depend on such a line.
local kept = {}
if ngx.get_phase() == "init" then
  for _, source in pairs(from_environment) do
    kept[source] = os.getenv(source)
  end
end

-- Options that restrict access: an empty value must not admit everybody.
local guards = { secrets = true, signature_header = true }

local numbers = {
  max_body = true, redelivery_window = true, redelivery_lease = true, redelivery_wait = true,
}

local function words(text)
  local list = {}
  for word in text:gmatch("%S+") do
    list[#list + 1] = word
  end
  return list
end

local switch = { on = true, off = false }

-- What a variable's text says of an option.
local function read(name, source, text)
  if name == "signature" then
    if switch[text] == nil then
      error(source .. " must be on or off, got " .. argcheck.shown(text), 0)
    end
    return switch[text]
  elseif numbers[name] then
    return number_text.parse(text)
      or error(source .. " must be a number, got " .. argcheck.shown(text), 0)
  end
  return name == "secrets" and words(text) or text
end

-- There are none while nginx reads its configuration.
local has_variables = true

-- nil if it is not defined; or empty, as nginx has it where only another location sets it.
local function variable(name)
  if not has_variables then
    return nil
  end
  local source = "$palenca_" .. name
  local text = ngx.var["palenca_" .. name]
  if guards[name] and text and not text:find("%S") then
    error(string.format("%s: %s is empty here (as it is where only another location sets it): set "
      .. "it here, or pass them as options", WHERE, source), 0)
  elseif text and text ~= "" then
    return read(name, source, text), source
  end
end

local function environment(name)
  local source = from_environment[name]
  local text = source and (os.getenv(source) or kept[source])
  -- an empty number counts as none
  if text and (text ~= "" or not numbers[name]) then
    return read(name, "$" .. source, text), "$" .. source
  end
end

-- An option, and what it is called where it was set.
local function find(name, options)
  if options[name] ~= nil then
    return options[name], name
  end
  local value, source = variable(name)
  if value == nil then
    value, source = environment(name)
  end
  if value == nil then
    return webhook_defaults[name]
  end
  return value, source
end

-- Whatever is set elsewhere for other endpoints does not matter then.
local function no_signature(options)
  for _, name in ipairs {
    "secrets", "signature_header", "signature_digest", "signature_encoding", "signature_prefix",
  } do
    if options[name] ~= nil then
      error(string.format("%s: signature is off, but %s is set", WHERE, name), 0)
    end
  end
  return { is_off = true }
end

-- The parts of a signature's check, in the names of palenca.webhook.signature_config, and what they
-- were called.
local function signature_parts(options)
  local all = {}
  local names = { header = "signature_header", secrets = "secrets or $PALENCA_WEBHOOK_SECRET" }
  for _, part in ipairs { "header", "digest", "encoding", "prefix" } do
    local value, source = find("signature_" .. part, options)
    if value ~= nil then
      local ok, problem = signature_config[part](value)
      if not ok then
        error(string.format("%s: %s: %s", WHERE, source, problem), 0)
      end
      all[part], names[part] = value, source
    end
  end
  local secrets, source = find("secrets", options)
  local problem = secrets and signature_config.problem_of_secrets(secrets)
  if problem then
    error(string.format("%s: %s: %s", WHERE, source, problem), 0)
  end
  all.secrets, names.secrets = secrets, source or names.secrets
  problem = signature_config.problem(all, names)
  if problem then
    error(WHERE .. ": " .. problem, 0)
  end
  return all
end

-- At the start of nginx rather than with the first webhook, which an endpoint that sets nothing
-- else would reject.
if ngx.get_phase() == "init" then
  has_variables = false
  local ok, problem = pcall(signature_parts, {})
  has_variables = true
  if not ok then
    ngx.log(ngx.WARN, "palenca: an endpoint that sets nothing else takes no webhooks: " .. problem)
  end
end

local function signature_of(options)
  local is_required = find("signature", options)
  if is_required == false then
    return no_signature(options)
  end
  local all = signature_parts(options)
  if is_required and not all.header then
    error(WHERE .. ": signature is on, but there is no signature_header to find signatures in "
      .. "(the environment is kept from nginx's workers, but for what `env` names)", 0)
  end
  return all
end

--- The settings of an endpoint. Raises on a mistake, so that no webhook is accepted before it is
-- mended.
-- @tparam ?table options what the caller passes
-- @treturn table `max_body`, `redelivery_window`, `redelivery_lease`, `redelivery_wait`, `forward`;
-- `dict` itself; and `signature`: `header`, `secrets`, `digest`, `encoding`, `prefix`, of which
-- none is set if nothing is checked, and `is_off` if that was said
function settings.webhook(options)
  options = options or {}
  argcheck.fields(WHERE, options, webhook_types, 3)
  local all = { signature = signature_of(options) }
  for _, name in ipairs {
    "max_body", "dict", "redelivery_window", "redelivery_lease", "redelivery_wait", "forward",
  } do
    all[name] = (find(name, options))
    if all[name] ~= nil then
      argcheck.value(WHERE .. ": " .. name, all[name], webhook_types[name], 3)
    end
  end
  if not all.forward then
    local dict = ngx.shared[all.dict]
    if not dict then
      error(string.format("%s: there is no lua_shared_dict %s, in which duplicates are recorded: "
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
  for _, name in ipairs(client.sayable) do
    local text = ngx.var["palenca_" .. name]
    if text and text ~= "" then
      options[name] = client.read_option(name, text)
        or error("$palenca_" .. name .. " must be a number, got " .. argcheck.shown(text), 0)
      parts[#parts + 1] = name .. "=" .. text
    end
  end
  return options, table.concat(parts, "\n")
end

return settings

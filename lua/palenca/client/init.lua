--- Makes clients of the API: one key, one environment.
--
-- It cannot be changed: its options can be read as its fields, and setting one raises.
-- @classmod palenca.client
local argcheck = require("palenca.util.argcheck")
local core = require("palenca.core")
local errors = require("palenca.errors")
local http_method = require("palenca.util.http_method")
local inspection = require("palenca.client.inspection")
local json = require("palenca.util.json")
local number_text = require("palenca.util.number_text")
local resources = require("palenca.client.resources")
local response = require("palenca.client.response")
local runtime = require("palenca.runtime")
local unknown_field = require("palenca.util.unknown_field")

local Client = {}
Client.__index = Client

-- Fields that must not appear when a client is printed or traversed.
local secrets = setmetatable({}, { __mode = "k" })

local environments = {
  sandbox = "https://sandbox.palenca.com",
  production = "https://api.palenca.com",
}

local option_types = {
  api_key = "secret",
  environment = "string",
  base_url = "string",
  timeout = "seconds",
  max_retries = "retries",
  rate_limit = "rate",
  pages_in_flight = "pages",
  allow_http = "boolean",
  deadline = "seconds",
  max_response = "positive",
  min_tls = "tls",
  ca_file = "string",
  proxy = "text",
  on_attempt = "function",
}

local more_options = {
  "pages_in_flight", "deadline", "max_response", "ca_file", "proxy", "min_tls",
}

local defaults = {}
-- Where else a key may come from, for whoever has none. Inside nginx, most have set the variable.
local other_source = rawget(_G, "ngx")
  and ", which nginx keeps from its workers unless 'env PALENCA_API_KEY;' names it" or ""

--- Sets defaults of `palenca.new`, which have priority over the environment.
-- For programs that embed the module; a script passes options instead.
-- @tparam table options as for @{new}
-- @tparam ?string source how else than by option or variable a key is passed, for the error
-- @treturn table those before
local function set_defaults(options, source)
  argcheck.fields("set_defaults", options, option_types, 2)
  other_source = source and ", or " .. source or other_source
  local before = defaults
  defaults = options
  return before
end

local first_made = setmetatable({}, { __mode = "v" })
-- Whether a client is being made that is not the script's.
local is_own_request = false

-- The servers of the clients that were made, as requests without a key.
local servers, is_listed = {}, {}
-- Of those that are listed: a script may make clients for ever.
local SERVERS_MAX = 4

local function list_server(own)
  local text = table.concat({ own.base_url, own.ca_file or "", own.proxy or "\n",
    own.min_tls or "" }, "\n")
  if is_listed[text] or #servers == SERVERS_MAX then
    return
  end
  is_listed[text] = true
  servers[#servers + 1] = {
    method = "GET",
    url = own.base_url .. "/",
    template = core.template {
      allow_tls_1_2 = own.min_tls == "1.2", ca_file = own.ca_file, proxy = own.proxy,
    },
  }
end

local texts = { string = true, secret = true, text = true, tls = true }

-- Options that can be read from a text; the others are set in code only.
local sayable = {}
for name, kind in pairs(option_types) do
  if kind ~= "boolean" and kind ~= "function" then
    sayable[#sayable + 1] = name
  end
end
table.sort(sayable)

--- Reads an option that was written as text, in a variable of nginx or of the environment.
-- @tparam string name one of `sayable`
-- @tparam string text
-- @return the option; nil if it must be a number, and is none
local function read_option(name, text)
  return texts[option_types[name]] and text or number_text.parse(text)
end

local function from_environment(name)
  local text = os.getenv("PALENCA_" .. name:upper())
  if not text or text == "" then
    return nil
  end
  return read_option(name, text) or error(("PALENCA_%s must be a number, got %s"):format(
    name:upper(), argcheck.shown(text)), 4)
end

local function option(options, name)
  if options[name] ~= nil then
    return options[name]
  elseif defaults[name] ~= nil then
    return defaults[name]
  end
  local value = from_environment(name) -- no tail call, which Lua 5.1 would count as a caller
  return value
end

-- `environment` and `base_url` set the same thing. The caller's options have priority over the
-- program's, and those over the environment; setting both at one of these levels is a mistake.
local function where_to(options)
  local from = {
    options,
    defaults,
    {
      base_url = from_environment("base_url"),
      environment = from_environment("environment"),
    },
  }
  for at, source in ipairs(from) do
    if source.base_url and source.environment then
      error("palenca.new: base_url and environment are both set"
        .. (at == 3 and " (PALENCA_BASE_URL and PALENCA_ENVIRONMENT)" or "")
        .. "; only one can be meant", 4)
    elseif source.base_url or source.environment then
      return source.base_url, source.environment
    end
  end
  return nil, "sandbox", true
end

--- The base of the paths of all operations, which contain `/v1` themselves: the API's own examples
-- have it in the URL as well.
-- @tparam string url as users write it
-- @treturn string the same without slashes and one `/v1` at its end
local function root_of(url)
  return (url:gsub("/+$", ""):gsub("^(%w+://[^/]+.*)/v1$", "%1"):gsub("/+$", ""))
end

local function choose_base_url(options)
  local base_url, environment = where_to(options)
  if environment and not environments[environment] then
    error("palenca.new: environment must be 'sandbox' or 'production', got "
      .. argcheck.shown(environment), 3)
  end
  base_url = (base_url or environments[environment]):gsub("/+$", "")
  -- plain HTTP only if the code allows it: an environment variable is changed too easily
  local allow_http = options.allow_http or defaults.allow_http
  local ok, problem = core.check_base_url(base_url, allow_http == true)
  if not ok then
    error("palenca.new: base_url: " .. problem, 3)
  end
  return root_of(base_url)
end

-- The common parts of all requests of a client, with and without a body.
local function template(own, secret, has_body, language)
  return core.template {
    headers = {
      ["x-api-key"] = secret.key,
      ["Accept"] = "application/json",
      ["Accept-Language"] = language,
      ["Content-Type"] = has_body and "application/json" or nil,
    },
    rate_limit_key = secret.rate_limit_key,
    allow_tls_1_2 = own.min_tls == "1.2",
    timeout = own.timeout,
    deadline = own.deadline,
    max_retries = own.max_retries,
    rate_limit = own.rate_limit,
    max_response = own.max_response,
    ca_file = own.ca_file,
    proxy = own.proxy,
  }
end

local function reject_change(_, name)
  error(("client is read-only: cannot set '%s'; create another one with palenca.new")
    :format(tostring(name)), 2)
end

-- Most options are copied to the templates of its requests: a change would not reach them.
local function seal(self, own)
  return setmetatable(self, {
    __index = setmetatable(own, Client),
    __newindex = reject_change,
    __tostring = function()
      return "palenca client of " .. own.base_url
    end,
  })
end

--- Makes a client.
-- @static
-- @function new
-- @tparam[opt] table options an unknown one is an error
-- @tparam string options.api_key default `$PALENCA_API_KEY`
-- @tparam string options.environment `sandbox` or `production`; default `$PALENCA_ENVIRONMENT`,
-- else `sandbox`
-- @tparam string options.base_url instead of an environment, with or without `/v1` at its end;
-- default `$PALENCA_BASE_URL`
-- @tparam boolean options.allow_http accept plain http beyond this machine
-- @tparam number options.timeout seconds for one attempt, connecting and TLS handshake included;
-- default `$PALENCA_TIMEOUT`, else 30
-- @tparam number options.deadline seconds for all attempts of a call and the waits between them,
-- the one for the rate limit included; default `$PALENCA_DEADLINE`, else none
-- @tparam number options.max_retries how often a failed request is repeated if it is idempotent;
-- default `$PALENCA_MAX_RETRIES`, else 3
-- @tparam number options.rate_limit requests a minute, over all clients of the key in the process;
-- default `$PALENCA_RATE_LIMIT`, else 120 as the API documents; 0 for no limit
-- @tparam number options.pages_in_flight of one search, pages in flight, 1 to 100; default
-- `$PALENCA_PAGES_IN_FLIGHT`, else by the connection: over HTTP/2 as many as the rest of the limit
-- permits, at most 64; over HTTP/1.1 8, and up to 16 while responses do not slow down
-- @tparam number options.max_response bytes that a response may have, decompressed; default
-- `$PALENCA_MAX_RESPONSE`, else 16 MiB
-- @tparam string options.min_tls `"1.3"`, which the API has, or `"1.2"`; default `$PALENCA_MIN_TLS`
-- @tparam string options.ca_file certificates to trust instead of the system's; default
-- `$PALENCA_CA_FILE`
-- @tparam string options.proxy a proxy's URL, `""` for none; default `$PALENCA_PROXY`, else what
-- curl takes from the environment, such as `$https_proxy`
-- @tparam function options.on_attempt called after each attempt of a call with an @{Attempt}. It
-- must not wait; an error that it raises is logged and ignored
-- @treturn Client
local function new(options)
  options = options or {}
  argcheck.fields("palenca.new", options, option_types, 2)
  local key = option(options, "api_key")
  if not key then
    error("palenca.new: no API key: pass api_key or set PALENCA_API_KEY" .. other_source, 2)
  end
  if key:find("[^\33-\126]") then
    error("palenca.new: the API key contains spaces or invalid characters", 2)
  end
  local base_url = choose_base_url(options)
  local own = {
    base_url = base_url,
    timeout = option(options, "timeout") or 30,
    max_retries = option(options, "max_retries") or 3,
    rate_limit = option(options, "rate_limit") or core.rate_limit_default,
  }
  for _, name in ipairs(more_options) do
    own[name] = option(options, name)
  end
  own.on_attempt = options.on_attempt
  for name, kind in pairs(option_types) do
    if own[name] ~= nil then
      argcheck.value("palenca.new: " .. name, own[name], kind, 2)
    end
  end
  local secret = { key = key, rate_limit_key = base_url .. "\n" .. key }
  secret.with_body, secret.without_body = template(own, secret, true), template(own, secret, false)
  local self = {}
  secrets[self] = secret
  resources.attach(self)
  if not is_own_request then
    list_server(own)
    first_made.client = first_made.client or self
  end
  return seal(self, own)
end

local function observer_of(own)
  local inspect = inspection.on_attempt
  return inspect and function(attempt)
    inspect(attempt)
    own(attempt)
  end or own
end

-- Sends nothing yet; runtime.wait brings the result. `more`: `idempotent`, `language`,
-- `low_priority`; of a page that a search reads `group`, `share_connection`.
function Client:_submit(name, path, body, more)
  local secret = secrets[self]
  local shared = body ~= nil and secret.with_body or secret.without_body
  if more.language then
    shared = template(self, secret, body ~= nil, more.language)
  end
  local request = {
    template = shared,
    method = name,
    url = self.base_url .. path,
    body = body ~= nil and json.encode(body) or nil,
    idempotent = more.idempotent,
    low_priority = more.low_priority,
    path = path,
    -- what stands in for the engine cannot read the template
    client = self,
  }
  -- what is rare takes no room in the table of every call
  if self.on_attempt then
    request.on_attempt = observer_of(self.on_attempt)
  end
  if more.language then
    request.language = more.language
  end
  if more.group then -- a page of a search
    request.group, request.measure = more.group, true
    request.share_connection = more.share_connection
  end
  return runtime.submit(request)
end

-- Shorter keys are those of tests, and may be parts of words.
local SHORTEST_SECRET = 4

-- A server may repeat the key in its error message.
local function hide_key(fields, key)
  if #key < SHORTEST_SECRET then
    return
  end
  local pattern = key:gsub("%W", "%%%0")
  for name, value in pairs(fields) do
    if type(value) == "string" then
      fields[name] = value:gsub(pattern, "[key]")
    elseif type(value) == "table" then
      hide_key(value, key)
    end
  end
end

-- Converts an engine's result of an expected shape to the caller's: data, meta | nil, err. `name`
-- and `path` are those of the request.
function Client:_read(result, shape, name, path)
  local data, meta = response.read(result, shape)
  if data == nil then
    meta.sent_to = not meta.status and errors.sent_to(name, self.base_url, "the API") or nil
    hide_key(meta, secrets[self].key)
    if inspection.on_failure then
      inspection.on_failure(meta)
    end
  elseif inspection.on_data then
    inspection.on_data(name, path, data, meta)
  end
  return data, meta
end

function Client:_call(name, path, body, more)
  return self:_read(runtime.wait(self:_submit(name, path, body, more)), more.shape, name, path)
end

--- Any other endpoint. A POST or PATCH is never repeated once it may have reached the server.
-- @tparam string name the method, such as `GET`
-- @tparam string path from the slash on, escaped, with its query
-- @tparam[opt] table body sent as JSON
-- @return the response's `data`, of whatever type; or nil (which false is not)
-- @treturn Meta or the error
function Client:request(name, path, body)
  if not secrets[self or ""] then
    error("client:request: call it with a colon, as in client:request(...)", 2)
  end
  argcheck.value("client:request: method", name, "method", 2)
  argcheck.value("client:request: path", path, "string", 2)
  local ok, problem = core.check_path(path)
  if not ok then
    error("client:request: " .. problem, 2)
  end
  if body ~= nil and type(body) ~= "table" then
    error("client:request: body must be a table, got a " .. type(body), 2)
  end
  return self:_call(name, path, body, { idempotent = http_method.is_idempotent(name) })
end

--- What comes with the data of a response.
-- @table Meta
-- @tfield integer status the HTTP status
-- @tfield ?string request_id the API's id of the request
-- @tfield ?RateLimit rate_limit if the response says it
-- @tfield integer attempts how often the request was sent
-- @tfield ?Pagination pagination of a search

--- The rate limit, in a @{Meta}.
-- @table RateLimit
-- @tfield integer limit requests a minute
-- @tfield ?integer remaining how many are left
-- @tfield ?integer reset when it begins anew, Unix seconds

--- The pages of a search, in a @{Meta}.
-- @table Pagination
-- @tfield integer page from 1
-- @tfield integer items_per_page
-- @tfield integer total_items
-- @tfield integer total_pages

--- An attempt of a call, for `on_attempt`.
-- @table Attempt
-- @tfield string method such as `GET`
-- @tfield string path identity numbers masked
-- @tfield integer number from 1
-- @tfield ?integer status the HTTP status
-- @tfield ?string kind if there was no response: the error's
-- @tfield number seconds it took
-- @tfield ?number retry_in seconds until it is repeated; nil if it is not
-- @tfield ?string request_id the API's id of the request

local known_fields = {}
for _, from in ipairs { option_types, Client, resources.names() } do
  for name in pairs(from) do
    known_fields[name] = true
  end
end
unknown_field.seal(Client, "a client", known_fields)

return {
  new = new,
  methods = Client,
  known_fields = known_fields,
  option_names = option_types,
  set_defaults = set_defaults,
  sayable = sayable,
  read_option = read_option,
  root_of = root_of,
  --- The servers of the clients made so far: requests as an engine's `preconnect` asks for them.
  servers = servers,
  --- The first client that was made, while the script has it.
  -- @treturn ?Client
  first = function()
    return first_made.client
  end,
  --- Makes a client of the program's options and the environment, for a request of the program
  -- itself: neither is it the first one, nor is its server listed.
  -- @treturn ?Client nil: these have no key, or do not say where the API is
  configured = function()
    is_own_request = true
    local ok, made = pcall(function()
      local _, _, is_default = where_to({})
      return not is_default and new() or nil
    end)
    is_own_request = false
    return ok and made or nil
  end,
}

--- The module at home in nginx and OpenResty: an endpoint for webhooks, and clients that are set up
-- in the configuration.
--
--     location = /webhooks/palenca {
--       content_by_lua_block { require("palenca.nginx").webhook() }
--     }
-- @module palenca.nginx
local client = require("palenca.client")
local core = require("palenca.core")
local dedup = require("palenca.nginx.dedup")
local handlers = require("palenca.handlers")
local json = require("palenca.util.json")
local rate_limited_log = require("palenca.nginx.rate_limited_log")
local redact = require("palenca.util.redact")
local settings = require("palenca.nginx.settings")
local webhook = require("palenca.webhook")

local nginx = {}

-- nginx cuts its log lines behind this.
local ERROR_MAX = 1500

local function respond(status, fields)
  local text = json.encode(fields) .. "\n"
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.header["Content-Length"] = #text
  ngx.print(text)
end

local rejections = rate_limited_log.new(60)

local function reject(status, reason, cause)
  local kind = string.format("%d (%s)", status, cause or reason)
  rejections:write(status == 401 and ngx.WARN or ngx.INFO, "palenca: rejected request: " .. kind,
    "palenca: rejected %d more requests: " .. kind)
  respond(status, { error = reason })
end

local has_warned = false

-- Once for each worker: a line may be missing in nginx.conf.
local function warn_of_no_signature(signature)
  if signature.header or signature.is_off or has_warned then
    return
  end
  has_warned = true
  ngx.log(ngx.WARN, "palenca: webhooks of anybody are accepted here, since no signature is "
    .. "required; if that is intended, set signature = false; if not, set "
    .. "PALENCA_SIGNATURE_HEADER and PALENCA_WEBHOOK_SECRET, which nginx keeps from its "
    .. "workers unless `env` names them")
end

-- ---- the checks ------------------------------------------------------------------------

-- nil if the body is signed; otherwise the reason, which does not contain the signature.
local function signature_rejection(expected, text)
  if not expected.header then
    return nil
  end
  local given = ngx.req.get_headers(0)[expected.header]
  if not given then
    return "not signed"
  elseif type(given) == "table" then
    return "signed more than once"
  end
  local problem
  for _, secret in ipairs(expected.secrets) do
    local ok, reason = core.check_signature(expected, secret, text, given)
    if ok then
      return nil
    end
    problem = reason
  end
  return problem
end

-- What nginx could not keep in its memory (client_body_buffer_size) is in a file.
local function received_body(max)
  local path = ngx.req.get_body_file()
  if not path then
    return ngx.req.get_body_data() or ""
  end
  local file = assert(io.open(path, "rb"))
  local text = file:read(max + 1)
  file:close()
  return text or ""
end

-- nginx has made one path of all writings, of which `palenca serve` knows one only.
local function is_written_otherwise(path)
  if path:find("//", 1, true) or (path .. "/"):find("/%.%.?/") then
    return true
  end
  for digits in path:gmatch("%%(%x%x)") do
    if string.char(tonumber(digits, 16)):find("[%w/._~-]") then -- which needs no escape
      return true
    end
  end
  return false
end

local function read_request(options)
  if is_written_otherwise(ngx.var.request_uri:match("^[^?]*")) then
    return reject(404, "not found", "another path")
  end
  if ngx.req.get_method() ~= "POST" then
    ngx.header.Allow = "POST"
    return reject(405, "webhooks are sent with POST")
  end
  if (tonumber(ngx.var.http_content_length) or 0) > options.max_body then
    return reject(413, "the body is too large")
  end
  ngx.req.read_body()
  local text = received_body(options.max_body)
  if #text > options.max_body then
    return reject(413, "the body is too large")
  end
  local cause = signature_rejection(options.signature, text)
  if cause then
    return reject(401, "unauthorized", cause)
  end
  local event, err = webhook.parse(text)
  if not event then
    return reject(400, err.message)
  end
  return event, text
end

-- ---- handling --------------------------------------------------------------------------

local function run_handlers(event)
  for _, entry in ipairs(handlers.matching(event.action)) do
    entry.handler(event)
  end
end

local function finish(event, ok, problem)
  if ok then
    respond(200, { received = true, id = event.id })
    return
  end
  ngx.log(ngx.ERR, "palenca: ", redact.escape_line(redact.name(event.action)), " ", event.id,
    " was not handled (attempt ", event.attempt, "): ",
    redact.escape_line(redact.problem(problem, ERROR_MAX)))
  respond(500, { error = "the event was not handled" })
end

local function handle(options, event, text)
  local seen = dedup.new(options)
  local state, delivery = seen:begin(text)
  if state == "done" then
    return respond(200, { received = true, id = delivery })
  elseif state == "busy" then
    ngx.header["Retry-After"] = options.redelivery_lease
    return reject(503, "the event is being handled")
  end
  event.id, event.attempt = delivery.id, delivery.attempt
  event.received_at = delivery.received_at
  -- a handler may change its event
  local record = { id = event.id, attempt = event.attempt, action = event.action }
  finish(record, seen:run(delivery, function()
    run_handlers(event)
  end))
end

--- Responds to a webhook, in `content_by_lua`.
--
-- Its checks, limits and responses are those of `palenca serve`. Then it runs the handlers that
-- were registered with `palenca.on`, in files loaded in `init_by_lua`, and responds with 200 once
-- all have returned; if one has raised, with 500, so that the event is sent again. A body that was
-- handled gets 200 for as long as the window goes, and is not handled again. If it comes while it
-- is just being handled, the response waits for the outcome; if that takes too long, it is 503 with
-- `Retry-After`. With `forward` it runs nothing, and lets nginx pass the request on, to a
-- `palenca serve` that stores it.
--
-- How often and when an event comes again is the sender's to say: the options of `palenca.on`
-- (`max_attempts`, `timeout`, `retry_wait`, `concurrency`) are for `palenca serve` and change
-- nothing here; nor are the events of one account kept in order. An event's `id` is a text, which
-- no other machine assigns to another event. A handler returns or raises: if it ends the request
-- itself (`ngx.exit`, `ngx.exec`, `ngx.redirect`), nobody learns of it, and the event counts as
-- being handled until the lease is over.
--
-- What is not passed comes from the nginx variable of that name with `palenca_` in front
-- (`set $palenca_max_body 4096;`), else from the variable of the environment that `palenca serve`
-- has for it, else the default. nginx warns of its variables that are set in other locations only,
-- unless `uninitialized_variable_warn off;` is set. It keeps the environment from its workers,
-- but for what is named (`env PALENCA_SIGNATURE_HEADER;`): what is not named is known only if
-- `palenca` or `palenca.nginx` is loaded in `init_by_lua`.
-- @tparam[opt] table options
-- @tparam boolean options.signature `false`: none is asked for, whatever is set for other endpoints
-- in nginx variables or in the environment; `true`: nothing is taken (500) unless one is asked for;
-- default: it is asked for if that is set, and if not, a warning says so once for each worker. As a
-- variable, `set $palenca_signature off;` or `on`
-- @tparam {string,...} options.secrets any of them is good, so that one can be replaced by the
-- next; as a variable, `$palenca_secrets`, separated by spaces; default `$PALENCA_WEBHOOK_SECRET`
-- of the environment, separated by spaces
-- @tparam string options.signature_header the header that holds a webhook's signature; without a
-- good one: 401
-- @tparam string options.signature_digest `sha1`, `sha256` (default), `sha384` or `sha512`
-- @tparam string options.signature_encoding `hex` (default) or `base64`
-- @tparam string options.signature_prefix what stands before the signature, such as `sha256=`
-- @tparam number options.max_body bytes; default 65536
-- @tparam string options.dict the `lua_shared_dict` in which deliveries are remembered; default
-- `palenca`
-- @tparam number options.redelivery_window seconds that a delivery is remembered; default 300;
-- 0: not at all
-- @tparam number options.redelivery_lease seconds; default 30. While handlers wait, their worker
-- keeps renewing the lease of the event. If it is not renewed for that long, since the worker has
-- ended, or a handler has blocked it, the event may be handled anew
-- @tparam number options.redelivery_wait seconds that a duplicate waits for the outcome;
-- default 25, since a sender times out after 30
-- @tparam string options.forward a location, such as `/serve` or `@serve`
function nginx.webhook(options)
  local phase = ngx.get_phase()
  if phase ~= "content" then
    error("palenca.nginx.webhook belongs in content_by_lua, not in nginx's " .. phase .. " phase",
      2)
  end
  local all = settings.webhook(options)
  warn_of_no_signature(all.signature)
  local event, text = read_request(all)
  if not event then
    return
  end
  if all.forward then
    return ngx.exec(all.forward)
  elseif #handlers.actions() == 0 then
    error("palenca.nginx.webhook: there is no handler (palenca.on): load the file that has them in "
      .. "init_by_lua", 2)
  end
  handle(all, event, text)
end

-- ---- clients ---------------------------------------------------------------------------

local CLIENTS_MAX = 100
local clients, client_count = {}, 0

--- The client that nginx variables describe: `$palenca_api_key`, `$palenca_base_url` and so on, as
-- the options of `palenca.new`, which has the rest from the environment. One is made for each
-- combination, and used again.
-- @treturn palenca.client
function nginx.client()
  local options, name = settings.client()
  if not clients[name] then
    if client_count == CLIENTS_MAX then
      clients, client_count = {}, 0
    end
    clients[name] = client.new(options)
    client_count = client_count + 1
  end
  return clients[name]
end

return nginx

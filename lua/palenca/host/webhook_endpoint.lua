--- Binds the address at which webhooks are received, and reads the certificate again.
-- @module palenca.host.webhook_endpoint
local host = require("palenca.host")
local program_log = require("palenca.host.program_log")

local webhook_endpoint = {}

-- The option that a failure to start is about.
local function option_of(problem, options)
  for _, name in ipairs({ "tls_cert", "tls_key" }) do
    if options[name] and problem:sub(1, #options[name] + 2) == options[name] .. ": " then
      return "--" .. name:gsub("_", "-")
    end
  end
  return "--listen"
end

local DEFAULT = "127.0.0.1:8080"

-- Logs that an address which was asked for is not used.
local function warn_of_address(given, address)
  if given.listen ~= DEFAULT and given.listen ~= address then
    program_log.line(string.format("warning: the socket that was passed is used, at %s, "
      .. "not --listen %s", address, given.listen),
      { event = "listen_unused", level = "warning", listen = given.listen, address = address })
  end
end

-- Logs that nothing restricts who may send to an address that the world can reach.
local function warn_of_everybody(options, address)
  local is_open = address:find("^0%.0%.0%.0:") or address:find("^%[::%]:")
  local is_restricted = options.signature or options.path_secret
    or (options.allowed and #options.allowed > 0)
  if is_open and not is_restricted then
    program_log.line(string.format("warning: whoever reaches %s may send events; see "
      .. "--signature-header, --allow and --path-secret-file", address),
      { event = "open_to_everybody", level = "warning", address = address })
  end
end

--- Binds the address of a receiver, or uses the socket that a service manager has passed.
-- @tparam table given the parsed options, with `receiving` from
-- `palenca.host.cli.receiver_options.settings` or without
-- @param loop of the host, for `host.receiver`
-- @return the host's listener, or nil
-- @treturn string where it is, without its secret; or why it could not be bound
-- @treturn ?boolean whether the socket was passed
function webhook_endpoint.listen(given, loop)
  local passed, unusable = host.passed_socket()
  if unusable then
    return nil, unusable
  end
  local options = { loop = loop, listen = given.listen, path = given.path, passed_socket = passed }
  for name, value in pairs(given.receiving or {}) do
    options[name] = value
  end
  local shown = options.path
  if options.path_secret then
    shown = shown:gsub("/$", "") .. "/<secret>"
    options.path = options.path:gsub("/$", "") .. "/" .. options.path_secret
  end
  local listener, problem = host.listen(options)
  if not listener then
    return nil, string.format("%s (see %s)", problem, option_of(problem, options))
  end
  local max = listener:max_connections()
  if max < (options.max_connections or max) then
    program_log.line(string.format("palenca: the limit of open files allows %d connections only",
      max))
  end
  local address = listener:address()
  if passed then
    warn_of_address(given, address)
  end
  warn_of_everybody(options, address)
  local scheme = options.tls_cert and "https://" or "http://"
  return listener, scheme .. address .. (address:find("^unix:") and ":" or "") .. shown,
    passed ~= nil
end

--- Reads the certificate and key again, if the receiver has any, and logs what has come of it.
-- @tparam table given the parsed options
-- @param receiver of the host
function webhook_endpoint.reload_tls(given, receiver)
  local certificate = given.receiving and given.receiving.tls_cert
  if not certificate then
    return
  end
  local ok, problem = receiver:reload_tls()
  if ok then
    program_log.line(certificate .. " reloaded",
      { event = "tls_reloaded", certificate = certificate })
  else
    program_log.line("reload of " .. certificate .. " failed, keeping the previous certificate: "
      .. problem, { event = "tls_reload_failed", level = "error",
      certificate = certificate, error = problem })
  end
end

return webhook_endpoint

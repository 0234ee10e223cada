--- Declares the options of the webhook endpoint, and reads them into what the host needs.
-- @module palenca.host.cli.receiver_options
local host = require("palenca.host")
local options = require("palenca.host.cli.options")
local secret_file = require("palenca.host.cli.secret_file")
local signature_config = require("palenca.webhook.signature_config")

local receiver_options = {}

-- A segment that can be guessed is no secret.
local SECRET_MIN = 16

local function define_place(command, help, convert)
  options.add_all(command, {
    { "--listen", help, "127.0.0.1:8080", convert, "ADDRESS" },
    { "--path", "The path at which webhooks are received.", "/webhooks/palenca", options.path,
      "PATH" },
  })
end

--- Adds the options that every receiver has.
-- @param command of argparse
function receiver_options.define(command)
  options.group(command, "Receiver", define_place,
    "Address and port of the receiver; port 0: any free one.", options.address)
end

local function listen(text)
  if text:find("^unix:/") then
    return text
  end
  local address = options.address(text)
  if not address then
    return nil, string.format(
      "'%s' is not an address and port, such as 127.0.0.1:8080, nor unix:/path", text)
  end
  return address
end

local function define_limits(command)
  options.add_all(command, {
    { "--max-body", "Maximum bytes of a body; larger ones get 413.", 65536,
      options.integer(1, 67108864), "BYTES" },
    { "--max-header", "Maximum bytes of a request's first line and headers; more get 431.", 8192,
      options.integer(1024, 1048576), "BYTES" },
    { "--request-timeout", "Seconds within which a complete request must arrive; else 408.", 10,
      options.duration, "SECONDS" },
    { "--idle-timeout", "Seconds that a connection may wait for its next request.", 60,
      options.duration, "SECONDS" },
    { "--max-connections", "Maximum open connections; further ones get 503.",
      2048, options.positive, "N" },
    { "--max-connections-per-address", "As above, for each client's address; 0: no limit. No use "
      .. "behind a proxy, whose address all have.", 0, options.count, "N" },
  })
end

local function define_access(command)
  options.add(command, "--trusted-proxy", {
    help = "A proxy whose X-Forwarded-For is believed: an address, a block such as 10.0.0.0/8, or "
      .. "unix. May be repeated. Else $PALENCA_TRUSTED_PROXY.",
    own_env = "PALENCA_TRUSTED_PROXY",
    guards = true,
    is_list = true,
    argname = "ADDRESS",
  })
  options.add(command, "--allow", {
    help = "Who may send: an address or a block; others get 403. May be repeated. "
      .. "Else $PALENCA_ALLOW. Default: everybody.",
    own_env = "PALENCA_ALLOW",
    guards = true,
    is_list = true,
    argname = "ADDRESS",
  })
  options.add(command, "--path-secret-file", {
    help = "A file with a secret of at least " .. SECRET_MIN .. " characters, which is the last "
      .. "segment of the path. Else $PALENCA_PATH_SECRET, else the credential palenca.path-secret.",
    own_env = "PALENCA_PATH_SECRET",
    guards = true,
    argname = "FILE",
  })
end

local function define_signature(command)
  options.add_all(command, {
    { "--signature-header", "The header with a webhook's signature; without a valid one: 401.",
      nil, signature_config.header, "NAME" },
    { "--signature-digest", "sha1, sha256 (default), sha384 or sha512.", nil,
      signature_config.digest, "NAME" },
    { "--signature-encoding", "hex (default) or base64.", nil, signature_config.encoding,
      "NAME" },
    { "--signature-prefix", "The text before the signature, such as sha256=.", nil,
      signature_config.prefix, "TEXT" },
  }, true)
  options.add(command, "--webhook-secret-file", {
    help = "A file with the secret; while it is being replaced, with both, one a line. "
      .. "Else $PALENCA_WEBHOOK_SECRET, separated by spaces, else the credential "
      .. "palenca.webhook-secret.",
    own_env = "PALENCA_WEBHOOK_SECRET",
    guards = true,
    argname = "FILE",
  })
end

local function define_tls(command)
  options.add_all(command, {
    { "--tls-cert", "A PEM file with a certificate, and the chain after it: receives HTTPS, with "
      .. "TLS 1.2 and 1.3. SIGHUP reads it again. Without this option and its variable: the "
      .. "credential palenca.tls-cert.", nil, options.file, "FILE" },
    { "--tls-key", "The PEM file with the certificate's private key, without a passphrase. Without "
      .. "both likewise: the credential palenca.tls-key.", nil, options.file, "FILE" },
  }, true)
end

--- Adds the options of a receiver that the world can reach.
-- @param command of argparse
function receiver_options.define_public(command)
  options.group(command, "Receiver", define_place,
    "Address and port of the receiver (port 0: any free one), or unix:/path.", listen)
  options.group(command, "TLS", define_tls)
  options.group(command, "Limits of requests", define_limits)
  options.group(command, "Who may send", define_access)
  options.group(command, "Signature of webhooks", define_signature)
end

-- Wrong usage is raised as an error object, see receiver_options.settings.
local function wrong(format, ...)
  error({ usage = string.format(format, ...) })
end

-- The words of a variable. An empty one is a mistake: it was meant to restrict access.
local function words_of(variable, pattern)
  local list = {}
  local text = os.getenv(variable)
  for word in (text or ""):gmatch(pattern) do
    list[#list + 1] = word
  end
  if text and #list == 0 then
    wrong("$%s is set, but empty; unset it if it is not needed", variable)
  end
  return list
end

-- Flags, else the variable.
local function blocks(flag, given, variable)
  local source = flag
  if #given == 0 then
    source, given = "$" .. variable, words_of(variable, "[^%s,]+")
  end
  for _, text in ipairs(given) do
    if not host.is_block(text) then
      wrong("%s: '%s' is not an address, such as 192.0.2.7, a block, such as 192.0.2.0/24, or "
        .. "unix", source, text)
    end
  end
  return given
end

-- The secrets in a file, one a line, or in a variable, else in a credential, nil if there are none;
-- and which of the former two has them.
local function secrets(flag, path, variable, credential)
  local list
  path = path or not os.getenv(variable) and secret_file.credential(credential) or nil
  local source = path and flag or "$" .. variable
  if path then
    if not path:find("%S") then
      wrong("%s: '%s' is not the name of a file", flag, path)
    end
    list = secret_file.lines(flag, path)
    if #list == 0 then
      wrong("%s: %s holds no secret", flag, path)
    end
  else
    list = words_of(variable, "%S+")
  end
  if #list == 0 then
    return nil, source
  end
  local problem = signature_config.problem_of_secrets(list)
  if problem then
    wrong("%s: %s", source, problem)
  end
  return list, source
end

local function path_secret(given)
  local list, source = secrets("--path-secret-file", given.path_secret_file,
    "PALENCA_PATH_SECRET", "path-secret")
  local secret = list and list[1]
  if secret
    and (#list > 1 or #secret < SECRET_MIN or not secret:find("^[%w%-%._~]+$"))
  then
    wrong("%s: the secret of the path must be one word of at least %d letters, digits, '-', '_', "
      .. "'.' or '~'", source, SECRET_MIN)
  end
  return secret
end

local function signature_settings(given)
  local list, source = secrets("--webhook-secret-file", given.webhook_secret_file,
    "PALENCA_WEBHOOK_SECRET", "webhook-secret")
  local all = {
    header = given.signature_header,
    digest = given.signature_digest,
    encoding = given.signature_encoding,
    prefix = given.signature_prefix,
    secrets = list,
  }
  local problem = signature_config.problem(all, {
    header = "--signature-header",
    digest = "--signature-digest",
    encoding = "--signature-encoding",
    prefix = "--signature-prefix",
    secrets = list and source or "--webhook-secret-file or $PALENCA_WEBHOOK_SECRET",
  })
  if problem then
    wrong("%s", problem)
  end
  return all.header and all
end

local function settings(given)
  if not given.tls_cert and not given.tls_key then
    given.tls_cert = secret_file.credential("tls-cert")
    given.tls_key = secret_file.credential("tls-key")
  end
  if given.tls_cert and not given.tls_key then
    wrong("--tls-cert needs --tls-key (or $PALENCA_TLS_KEY)")
  elseif given.tls_key and not given.tls_cert then
    wrong("--tls-key needs --tls-cert (or $PALENCA_TLS_CERT)")
  end
  return {
    tls_cert = given.tls_cert,
    tls_key = given.tls_key,
    max_body = given.max_body,
    max_head = given.max_header,
    request_timeout = given.request_timeout,
    idle_timeout = given.idle_timeout,
    max_connections = given.max_connections,
    max_connections_per_address = given.max_connections_per_address,
    trusted = blocks("--trusted-proxy", given.trusted_proxy, "PALENCA_TRUSTED_PROXY"),
    allowed = blocks("--allow", given.allow, "PALENCA_ALLOW"),
    signature = signature_settings(given),
    path_secret = path_secret(given),
  }
end

-- The result, or nil and what is wrong with the usage.
local function read(from, given)
  local ok, result = pcall(from, given)
  if ok then
    return result
  elseif type(result) == "table" and result.usage then
    return nil, result.usage
  end
  error(result, 0)
end

--- What the options of @{define_public} mean. Raises a failure if a file cannot be read.
-- @tparam table given the parsed options
-- @treturn ?table for `palenca.host.webhook_endpoint`, as `given.receiving`
-- @treturn ?string what is wrong with their usage
function receiver_options.settings(given)
  return read(settings, given)
end

--- What those of signatures mean, likewise.
-- @tparam table given the parsed options
-- @treturn ?table its field `signature` is that of @{settings}
-- @treturn ?string what is wrong with their usage
function receiver_options.signature(given)
  return read(function()
    return { signature = signature_settings(given) }
  end, given)
end

return receiver_options

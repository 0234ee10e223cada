--- The settings of webhook signatures, and whether they are complete: the rules of every receiver,
-- since incomplete or empty settings would admit everybody.
-- @module palenca.webhook.signature_config
local suggest = require("palenca.util.suggest")

local signature_config = {}

local PREFIX_MOST = 31

local function one_of(...)
  return suggest.one_of({ ... }, "'%s' is not one of " .. table.concat({ ... }, ", "))
end

--- A digest's name.
-- @function digest
-- @tparam string text
-- @treturn ?string the same; nil if it is none
-- @treturn ?string why
signature_config.digest = one_of("sha1", "sha256", "sha384", "sha512")

--- An encoding's name, as @{digest}.
-- @function encoding
signature_config.encoding = one_of("hex", "base64")

--- The name of a header, as @{digest}.
function signature_config.header(text)
  if not text:find("^[%w%-_]+$") then
    return nil, string.format("'%s' is not the name of a header", text)
  end
  return text
end

--- What stands before a signature, as @{digest}.
function signature_config.prefix(text)
  if #text > PREFIX_MOST then
    return nil, string.format("it is longer than %d characters", PREFIX_MOST)
  elseif not text:find("^%S") then
    return nil, string.format("'%s' does not start as the value of a header can", text)
  end
  return text
end

--- What is wrong with a list of secrets that was given.
-- @tparam table secrets
-- @treturn ?string nil: nothing
function signature_config.problem_of_secrets(secrets)
  if #secrets == 0 then
    return "there is no secret in it"
  end
  for _, secret in ipairs(secrets) do
    if type(secret) ~= "string" then
      return "a secret must be a string, got " .. type(secret)
    elseif not secret:find("%S") then
      return "a secret is empty"
    elseif secret:find("%c") then
      return "a secret has no control characters"
    end
  end
  return nil
end

local needs_header = { "secrets", "digest", "encoding", "prefix" }

--- Whether all settings of a check are there, or none.
-- @tparam table given `header`, `secrets`, `digest`, `encoding` and `prefix`, nil where not set
-- @tparam table names what each of them is called where it was set
-- @treturn ?string what is missing, of what was set; nil: nothing
function signature_config.problem(given, names)
  if given.header and not given.secrets then
    return names.header .. " needs a secret: " .. names.secrets
  elseif given.header then
    return nil
  end
  for _, name in ipairs(needs_header) do
    -- if one of these is set, signatures are expected to be checked
    if given[name] then
      return string.format("%s is set, but there is no %s to find signatures in", names[name],
        names.header)
    end
  end
  return nil
end

return signature_config

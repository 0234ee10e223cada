--- Whether a webhook's body is one: strictly JSON, with an action, in the words of `palenca serve`.
--
-- lua-cjson reads more than JSON is: control characters, numbers such as `1.`, broken UTF-8. What
-- the two receivers of a webhook say of it has to be the same.
-- @module palenca.nginx.body
local json = require("palenca.json")
local redact = require("palenca.redact")
local webhook = require("palenca.webhook")

local body = {}

local DEPTH_MAX = 64
local FIELD_MAX = 127

local NOT_JSON = "the body is not JSON"

-- Raised as it is, and only here.
local function refuse(reason)
  error({ refusal = reason })
end

local escapes = {
  ['"'] = true, ["\\"] = true, ["/"] = true, b = true, f = true, n = true, r = true, t = true,
}

-- Of the text behind the opening quote: where it goes on behind the closing one.
local function skip_string(text, at)
  while true do
    at = text:find('[%z\1-\31"\\]', at)
    local byte = at and text:sub(at, at)
    if byte == '"' then
      return at + 1
    elseif byte ~= "\\" then
      refuse(NOT_JSON)
    end
    if escapes[text:sub(at + 1, at + 1)] then
      at = at + 2
    elseif text:find("^u%x%x%x%x", at + 1) then
      at = at + 6
    else
      refuse(NOT_JSON)
    end
  end
end

local function skip_number(text, at)
  local _, last = text:find("^-?[1-9]%d*", at)
  if not last then
    _, last = text:find("^-?0", at)
  end
  if not last then
    refuse(NOT_JSON)
  end
  local _, fraction = text:find("^%.%d+", last + 1)
  last = fraction or last
  local _, exponent = text:find("^[eE][+-]?%d+", last + 1)
  return (exponent or last) + 1
end

local function skip_space(text, at)
  return text:find("[^ \t\r\n]", at) or #text + 1
end

local skip_value

-- What is between brackets, items or members, each read by `item`.
local function skip_list(text, at, depth, closing, item, within)
  if depth > DEPTH_MAX then
    refuse("the body is nested too deeply")
  end
  at = skip_space(text, at + 1)
  if text:sub(at, at) == closing then
    return at + 1
  end
  while true do
    at = skip_space(text, item(text, at, depth, within))
    local byte = text:sub(at, at)
    if byte == closing then
      return at + 1
    elseif byte ~= "," then
      refuse(NOT_JSON)
    end
    at = skip_space(text, at + 1)
  end
end

local function skip_member(text, at, depth, within)
  if text:sub(at, at) ~= '"' then
    refuse(NOT_JSON)
  end
  local behind = skip_string(text, at + 1)
  local wanted = within and within[json.decode_strictly(text:sub(at, behind - 1))]
  at = skip_space(text, behind)
  if text:sub(at, at) ~= ":" then
    refuse(NOT_JSON)
  end
  return skip_value(text, skip_space(text, at + 1), depth, wanted)
end

local function skip_item(text, at, depth)
  return skip_value(text, at, depth)
end

-- `wanted` of a string is a function that is called with it, as it is written; of an object, what
-- is wanted of its members.
function skip_value(text, at, depth, wanted)
  local byte = text:sub(at, at)
  if byte == '"' then
    local behind = skip_string(text, at + 1)
    if type(wanted) == "function" then
      wanted(text:sub(at, behind - 1))
    end
    return behind
  elseif byte == "{" then
    local within = type(wanted) == "table" and wanted or nil
    return skip_list(text, at, depth + 1, "}", skip_member, within)
  elseif byte == "[" then
    return skip_list(text, at, depth + 1, "]", skip_item)
  end
  local word = text:match("^%l+", at)
  if word == "true" or word == "false" or word == "null" then
    return at + #word
  end
  return skip_number(text, at)
end

local function check_utf8(text)
  local at = text:find("[\128-\255]")
  while at do
    local last = redact.sequence_end(text, at) or refuse(NOT_JSON)
    at = text:find("[\128-\255]", last + 1)
  end
end

-- The text is JSON, so that a backslash is inside of a string and what follows it is whole.
local function check_pairs(text)
  local at = text:find("\\", 1, true)
  while at do
    local high = text:match("^u[dD][89abAB]%x%x", at + 1)
    if high and text:find("^\\u[dD][c-fC-F]%x%x", at + 6) then
      at = at + 12
    elseif high or text:find("^u[dD][c-fC-F]%x%x", at + 1) then
      refuse("the body has half a surrogate pair")
    else
      at = at + 2
    end
    at = text:find("\\", at, true)
  end
end

-- Of a field that is repeated only the last one counts, but all must be good.
local function check_fields(written)
  for _, text in ipairs(written) do
    local field = json.decode_strictly(text)
    if #field > FIELD_MAX then
      refuse("data.webhook_action or data.account_id is too long")
    elseif field:find("%z") then
      refuse("data.webhook_action or data.account_id holds a zero character")
    end
  end
end

local function check_json(text)
  local at = skip_space(text, 1)
  local byte = text:sub(at, at)
  if byte ~= "{" then
    -- what begins like another value is one, or broken
    refuse((byte == "[" or pcall(skip_value, text, at, 0)) and "the body is not a JSON object"
      or NOT_JSON)
  end
  local written = {}
  local function note(field)
    written[#written + 1] = field
  end
  local wanted = { data = { webhook_action = note, account_id = note } }
  if skip_space(text, skip_value(text, at, 0, wanted)) <= #text then
    refuse(NOT_JSON)
  end
  check_utf8(text)
  check_pairs(text)
  check_fields(written)
end

--- Reads a webhook's body.
-- @tparam string text the body
-- @treturn ?table the event, as @{palenca.webhook.parse} has it; nil if it is refused
-- @treturn ?string why, in words that hold nothing of the body
function body.read(text)
  local ok, result = pcall(function()
    check_json(text)
    local event, err = webhook.parse(text)
    if not event then
      refuse(err.message)
    end
    return event
  end)
  if ok then
    return result
  elseif type(result) == "table" and result.refusal then
    return nil, result.refusal
  end
  error(result, 0)
end

return body

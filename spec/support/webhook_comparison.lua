--- Compares the scan of webhook bodies with lua-cjson, on bodies that are changed at random.
--
-- lua-cjson takes more than is JSON. Each such laxity is a rule here, which repairs it in the body.
-- What lua-cjson takes and the scan does not must be JSON for the scan once it is repaired; what
-- both take must have nothing to repair. Other differences among readers need no rule: of halves of
-- surrogate pairs lua-cjson takes none either, of duplicate keys both count the last one, for the
-- fields that they find are compared, and the number of levels is an argument.
local cjson = require("cjson").new()
local core = require("palenca.core")
local mutations = require("spec.support.json_mutations")
local redact = require("palenca.util.redact")

local comparison = {}

cjson.decode_max_depth(64) -- as the scan

local NOT_JSON, NO_OBJECT = "the body is not JSON", "the body is not a JSON object"
local TOO_DEEP, HALF_PAIR = "the body is nested too deeply", "the body has half a surrogate pair"
local LONG = "data.webhook_action or data.account_id is too long"
local ZERO = "data.webhook_action or data.account_id holds a zero character"
local NO_ACTION = "the body has no data.webhook_action"

--- Why the scan rejects a body; whether the body is JSON all the same.
comparison.reasons = {
  [NOT_JSON] = false, [NO_OBJECT] = false, [TOO_DEEP] = false, [HALF_PAIR] = false,
  [LONG] = true, [ZERO] = true, [NO_ACTION] = true,
}

local names = {
  action = "webhook_action", account_id = "account_id", user_id = "user_id",
  external_id = "external_id", platform = "platform", status_details = "status_details",
  webhook_id = "webhook_id",
}

-- ---- bodies ----------------------------------------------------------------------------

local seeds = {
  '{"webhook_url": "https://example.com/hook", "data": {"user_id": "u-1", "account_id": "a-1", '
    .. '"external_id": "None", "platform": "uber", "status_details": null, '
    .. '"webhook_action": "login.success", "webhook_id": "w-1"}}',
  '{"data":{"webhook_action":"\\u006cogin \\ud83d\\ude97","account_id":"\\\\\\/\\b\\f\\n\\r\\t",'
    .. '"x":[0,-1,20.05,3e4,5E+67,8.9e-10,true,false,null,[],{},[[{"":[1]}]]],'
    .. '"user_id":"\195\177 \226\130\172 \240\159\154\151","data":{"platform":"p"}}}',
  ' {\t"x" : [ 1 , 2 ] ,\n"data" : { "webhook_action" : "a" , "webhook_action" : "b" ,\r\n'
    .. '"platform" : "p" , "platform" : 7 } } ',
}

-- What stands in JSON, and what only nearly does.
local words = {
  '"', '"', "{", "}", "[", "]", ":", ",", "\\", "/", " ", "\t", "\n", "\r", "\f", "\v", "\0", "\1",
  "\31", "\127", "\128", "\192\128", "\195", "\195\177", "\226\130", "\237\160\128", "\240\159",
  "\240\159\154\151", "\244\144\128\128", "\255", "\239\187\191", "0", "1", "-", "+", ".", "e", "E",
  "00", "01", "-0", "-01", "1.", ".5", "-.5", "1e", "1e5", "1e+", "1.5e-3", "0x1F", "0x", "nan",
  "-nan", "NaN", "inf", "-inf", "Infinity", "1e400", "9007199254740993", "true", "false", "null",
  "nul", "True", "\\u0000", "\\u00e9", "\\ud83d", "\\ude97", "\\ud83d\\ude97", "\\u12", "\\x41",
  "\\n", "\\\\", '\\"', "[]", "{}", "[[[[[[[[[[[[[[[[[[[[[[[[", "]]]]]]]]]]]]]]]]]]]]]]]]",
  ("["):rep(61) .. ("]"):rep(61), '"data":', '"webhook_action":', '"account_id":', '"None"', '""',
  '"a"', '"data":{"webhook_action":"z"},', '{"data":{', "}}", "//", "/**/", "'a'", "\0}",
  '"account_id":"' .. ("a"):rep(128) .. '",', '"webhook_action":"\\u0000",',
}
for _, value in ipairs {
  "01", "-01", "1.", "-.5", "1.e1", "0x1f", "-0xAp1", "nan", "-nan", "NaN", "nan(1)", "inf", "-inf",
  "Infinity", "-0.0e-00", '"\1"', '"\31\127"', '"\237\159\191"', '"\237\160\128"',
  '"\193\191"', '"\244\143\191\191"', '"\244\144\128\128"', '"\224\159\191"',
  '"\240\143\191\191"', '"\\uDbFf\\uDfFf"',
  '"\\udc00\\ud800"', "[[],{}]", "[1,]", '{"":}', '{"a":1,}', ("["):rep(62) .. ("]"):rep(62),
  ("["):rep(63) .. ("]"):rep(63),
} do
  words[#words + 1] = '"x":' .. value .. ","
end

local function change_bytes(random, text)
  local at, way = random(8) == 1 and #text + 1 or random(#text + 1), random(5)
  local before, behind = text:sub(1, at - 1), text:sub(at)
  if way == 1 then
    return before .. behind:sub(random(20) + 1)
  elseif way == 2 then
    return before .. string.char(random(256) - 1) .. behind:sub(2)
  elseif way == 3 then -- something that stands elsewhere
    local from = random(#text + 1)
    return before .. text:sub(from, from + random(60)) .. behind
  end
  local word = words[random(#words)]
  if random(2) == 1 then -- where a value or a member may be
    at = text:find("[,%[{]", at)
    if at then
      return text:sub(1, at) .. word .. text:sub(at + 1)
    end
  end
  return before .. word .. (way == 4 and behind or behind:sub(2))
end

local function new_body(random, spans)
  local which = random(#seeds)
  local text = seeds[which]
  if random(3) == 1 then
    text = mutations.change(random, text, spans[which])
  end
  for _ = 1, random(4) - 1 do
    text = change_bytes(random, text)
  end
  return text
end

-- ---- what lua-cjson takes, and is not JSON ----------------------------------------------------

-- Calls `each` with what is in strings, and what is between them; puts together what it returns. A
-- zero byte outside of strings ends the text for lua-cjson.
local function map(text, in_string, between)
  local parts, at = {}, 1
  while at <= #text do
    local quote = text:find('["%z]', at)
    parts[#parts + 1] = between(text:sub(at, (quote or 0) - 1))
    if not quote or text:sub(quote, quote) == "\0" then
      break
    end
    local last = quote
    repeat
      last = text:find('["\\]', last + 1) or #text + 1
      local is_escape = text:sub(last, last) == "\\"
      last = is_escape and last + 1 or last
    until not is_escape
    parts[#parts + 1] = '"' .. in_string(text:sub(quote + 1, last - 1)) .. '"'
    at = last + 1
  end
  return table.concat(parts)
end

local function same(text)
  return text
end

local function repair_utf8(text)
  local parts, at = {}, 1
  while true do
    local byte = text:find("[\128-\255]", at)
    parts[#parts + 1] = text:sub(at, (byte or 0) - 1)
    if not byte then
      return table.concat(parts)
    end
    local last = redact.sequence_end(text, byte)
    parts[#parts + 1] = last and text:sub(byte, last) or "?"
    at = (last or byte) + 1
  end
end

local function is_number(word)
  return word:find("^%-?0$") or word:find("^%-?[1-9]%d*$")
end

-- What strtod reads beside JSON's numbers, in lower case and without a sign.
local lax_numbers = {
  "^nan$", "^inf$", "^infinity$", "^0x%x*%.?%x*$", "^0x%x*%.?%x*p[+-]?%d+$", "^%d+%.?%d*$",
  "^%.%d+$", "^%d+%.?%d*e[+-]?%d+$", "^%.%d+e[+-]?%d+$",
}

local function repair_number(word)
  local whole, rest = word:match("^(%-?%d+)(.*)$")
  local fraction = rest and rest:match("^%.%d+")
  local exponent = rest and rest:sub(#(fraction or "") + 1)
  if whole and is_number(whole) and (exponent == "" or exponent:find("^[eE][+-]?%d+$")) then
    return word
  end
  local lower = word:lower():gsub("^[+-]", "")
  for _, pattern in ipairs(lax_numbers) do
    if lower:find(pattern) then
      return "0"
    end
  end
  return word
end

-- What each word is repaired to; nearly all bodies have the same words.
local number_of = setmetatable({}, {
  __index = function(known, word)
    local result = repair_number(word)
    known[word] = result
    return result
  end,
})

local function repair_numbers(text)
  return (text:gsub("[nN][aA][nN]%([%w_]*%)", "nan"):gsub("[%w.+-]+", number_of))
end

-- Each is applied to what the one before it has left, if that holds a byte that it is about.
local rules = {
  { "what follows a zero byte", "%z", function(text) return map(text, same, same) end },
  { "numbers", "", function(text) return map(text, same, repair_numbers) end },
  { "control characters", "[\1-\31]", function(text)
    return map(text, function(inside) return (inside:gsub("[\1-\31]", " ")) end, same)
  end },
  { "invalid UTF-8", "[\128-\255]", function(text) return map(text, repair_utf8, same) end },
}

-- ---- the comparison --------------------------------------------------------------------------

-- The fields, if the scan accepts the body; whether it takes it for JSON; and why it rejects it.
local function scan(body)
  local fields, reason = core.scan_webhook(body)
  assert(not reason or comparison.reasons[reason] ~= nil, reason)
  return fields, not reason or comparison.reasons[reason], reason
end

local function compare_fields(fields, value)
  for field, name in pairs(names) do
    local text = value.data[name]
    text = type(text) == "string" and text ~= "" and text ~= "None" and text or nil
    if fields[field] ~= text then
      return "they find another " .. field
    end
  end
  return nil
end

-- The body as the rules leave it, and which of them have changed it.
local function repair(body)
  local applied, text = {}, body
  for _, rule in ipairs(rules) do
    local repaired = text:find(rule[2]) and rule[3](text) or text
    if repaired ~= text then
      applied[#applied + 1], text = rule[1], repaired
    end
  end
  return text, applied
end

-- Returns what the two disagree about, if they do.
local function compare(body, result)
  local fields, is_good, reason = scan(body)
  local outcome = reason or "accepted"
  result.outcomes[outcome] = (result.outcomes[outcome] or 0) + 1
  if not body:find("^[ \t\r\n]*{") then -- the scan does not read to the end of another value
    body = '{"":' .. body .. "}"
    fields, is_good, reason = scan(body)
  end
  local ok, value = pcall(cjson.decode, body)
  if not ok then
    return is_good and "only lua-cjson rejects it: " .. value
  end
  local repaired, applied = repair(body)
  if is_good then
    return applied[1] and "both take " .. applied[1] or fields and compare_fields(fields, value)
  end
  for _, name in ipairs(applied) do
    result.laxities[name] = result.laxities[name] + 1
  end
  local _, is_good_then = scan(repaired)
  return not is_good_then and "only the scan rejects it: " .. reason
end

--- Compares the two until they disagree.
-- @tparam number count how many bodies there are
-- @tparam number seed chooses them; the same ones on every Lua
-- @treturn table `outcomes`, how many bodies were accepted or rejected for which reason;
-- `laxities`, how many the rules were needed for, by their names; and if there is one, the
-- `disagreement`, in words
function comparison.run(count, seed)
  local random, spans = mutations.random(seed), {}
  local result = { outcomes = {}, laxities = {} }
  for at, text in ipairs(seeds) do
    spans[at] = mutations.spans(text)
  end
  for _, rule in ipairs(rules) do
    result.laxities[rule[1]] = 0
  end
  for number = 1, count do
    local body = new_body(random, spans)
    local problem = compare(body, result)
    if problem then
      result.disagreement = ("body %d of seed %d: %s\n%q"):format(number, seed, problem, body)
      return result
    end
  end
  return result
end

return comparison

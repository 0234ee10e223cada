--- Bodies of webhooks, and what a receiver has to say of them: the same for `palenca serve` and for
-- the endpoint inside nginx.
local helper = require("spec.host.helper")

local long = ("a"):rep(128)

local bodies = {}

--- What each is, the body, and the reason it is rejected with (nil: any).
bodies.rejected = {
  { "is empty", "", "the body is not JSON" },
  { "is spaces", "  \n", "the body is not JSON" },
  { "is not JSON", "webhook=1", "the body is not JSON" },
  { "is cut off", helper.body():sub(1, -2), "the body is not JSON" },
  { "is followed by more", helper.body() .. "{}", "the body is not JSON" },
  { "has a comment", "/* hello */" .. helper.body(), "the body is not JSON" },
  { "is a string", '"login.success"', "the body is not a JSON object" },
  { "is null", "null", "the body is not a JSON object" },
  { "is an array", "[" .. helper.body() .. "]", "the body is not a JSON object" },
  { "is an empty object", "{}", "the body has no data.webhook_action" },
  { "has data that is an array", '{"data": [{"webhook_action": "login.success"}]}',
    "the body has no data.webhook_action" },
  { "has data that is null", '{"data": null}', "the body has no data.webhook_action" },
  { "has no action", '{"data": {"account_id": "a"}}', "the body has no data.webhook_action" },
  { "has an action elsewhere", '{"webhook_action": "a", "more": {"webhook_action": "b"}}',
    "the body has no data.webhook_action" },
  { "has an action too deep inside", '{"data": {"data": {"webhook_action": "b"}}}',
    "the body has no data.webhook_action" },
  { "has a number as action", '{"data": {"webhook_action": 7}}',
    "the body has no data.webhook_action" },
  { "has a number as action that no double holds", '{"data": {"webhook_action": 9007199254740993}}',
    "the body has no data.webhook_action" },
  { "has an object as action", '{"data": {"webhook_action": {"a": "b"}}}',
    "the body has no data.webhook_action" },
  { "has an empty action", '{"data": {"webhook_action": ""}}',
    "the body has no data.webhook_action" },
  { "has None as action", '{"data": {"webhook_action": "None"}}',
    "the body has no data.webhook_action" },
  { "repeats data, without an action", '{"data": {"webhook_action": "a"}, "data": {}}',
    "the body has no data.webhook_action" },
  { "repeats data as a scalar", '{"data": {"webhook_action": "a.b"}, "data": 1}',
    "the body has no data.webhook_action" },
  { "repeats data as an array", '{"data": {"webhook_action": "a.b"}, "data": []}',
    "the body has no data.webhook_action" },
  { "has broken UTF-8", '{"data": {"webhook_action": "login.\255\254"}}',
    "the body is not JSON" },
  { "has broken UTF-8 in its last bytes", '{"data": {"webhook_action": "a.b"}, "x": "\195"}',
    "the body is not JSON" },
  { "begins with a byte order mark", "\239\187\191" .. helper.body(), "the body is not JSON" },
  { "has half a surrogate pair", '{"data": {"webhook_action": "a.b", "x": "\\ud800"}}',
    "the body has half a surrogate pair" },
  { "has a surrogate pair the wrong way round",
    '{"data": {"webhook_action": "a.b", "x": "\\ude00\\ud83d"}}',
    "the body has half a surrogate pair" },
  { "has half a surrogate pair in a key", '{"data": {"webhook_action": "a.b", "\\udc00": 1}}',
    "the body has half a surrogate pair" },
  { "has a zero character in the action", '{"data": {"webhook_action": "login\\u0000"}}',
    "data.webhook_action or data.account_id holds a zero character" },
  { "is nested too deeply", '{"data": {"webhook_action": "a", "x": ' .. ("["):rep(63)
    .. ("]"):rep(63) .. "}}", "the body is nested too deeply" },
  { "is nested much too deeply", ("["):rep(60000), nil },
  { "has a long action", helper.body({ webhook_action = long }),
    "data.webhook_action or data.account_id is too long" },
  { "has a long account_id", helper.body({ account_id = long }),
    "data.webhook_action or data.account_id is too long" },
  { "repeats an action that is too long, with one that is not",
    '{"data": {"webhook_action": "' .. long .. '", "webhook\\u005faction": "a.b"}}',
    "data.webhook_action or data.account_id is too long" },
  { "repeats data, in which an account_id was too long", '{"data": {"account_id": "' .. long
    .. '"}, "data": {"webhook_action": "a.b"}}',
    "data.webhook_action or data.account_id is too long" },
  { "repeats an action that holds a zero character",
    '{"data": {"webhook_action": "\\u0000", "webhook_action": "a.b"}}',
    "data.webhook_action or data.account_id holds a zero character" },
}

-- Values that JSON does not have, though some readers of it do.
for _, value in ipairs {
  "01", "1.", ".5", "1e", "+1", "-", "0x10", "NaN", "Infinity", "nul", "tru", "truefalse", "'a'",
  '"\t"', '"\\x"', '"\\u12g4"', '"\\', "[1,]", "[,1]", "{,}", '{"a"}', '{"a":}', "{1:2}",
  '{"a":1,}', "[1 2]", "\f1", "[", "{", "]", "\226\130",
  -- what is no UTF-8: truncated, in too many bytes, halves of pairs, beyond the last character
  '"\128"', '"\195("', '"\226\130"', '"\240\159\152"', '"\192\175"', '"\193\191"',
  '"\224\159\191"', '"\240\143\191\191"', '"\237\160\128"', '"\237\191\191"',
  '"\244\144\128\128"', '"\245\128\128\128"', '"\248\136\128\128\128"', '"\255"',
} do
  bodies.rejected[#bodies.rejected + 1] = {
    string.format("has %q", value), '{"data":{"webhook_action":"a.b","x":' .. value .. "}}",
    "the body is not JSON",
  }
end

--- The body, the action and the account.
bodies.taken = {
  { helper.body({ webhook_action = "brand.new" }), "brand.new" },
  { helper.body({ webhook_action = "é ñ ✓" }), "é ñ ✓" },
  { '{"data": {"webhook_action": "a.one", "account_id": null}}', "a.one" },
  { '{"data": {"webhook_action": "a.two", "account_id": "None"}}', "a.two" },
  { '{"data": {"webhook_action": "a.three", "account_id": 7}}', "a.three" },
  { '{"data": {"webhook_action": "a.ten", "account_id": 9007199254740993}}', "a.ten" },
  { '{"data": {"webhook_action": "a.four", "x": "\\uD83D\\ude00\\\\ud800"}}', "a.four" },
  { '{"data": 1, "data": {"account_id": "x", "webhook_action": "no", "webhook_action": "a.five", '
    .. '"account_id": "y"}}', "a.five", "y" },
  { '{"data": {"webhook_action": "a.six", "x": ' .. ("["):rep(62) .. ("]"):rep(62) .. "}}",
    "a.six" },
  { '{"data": {"webhook_action": "a.seven", "x": [1e400, -0, 0.1e-9]}}', "a.seven" },
  { helper.body({ webhook_action = ("z"):rep(127) }), ("z"):rep(127) },
  { '{"data": {"webhook_action": "a.eight", "x": "\194\128 \223\191 \224\160\128 \237\159\191 '
    .. '\238\128\128 \239\191\191 \240\144\128\128 \244\143\191\191"}}', "a.eight" },
  { '{"data": {"webhook_action": "a.nine", "x": {"account_id": "' .. long .. '"}, "y": ["' .. long
    .. '"]}, "account_id": "' .. long .. '"}', "a.nine" },
}

return bodies

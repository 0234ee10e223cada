--- Bodies of webhooks, and what a receiver has to say of them: the same for `palenca serve` and for
-- the endpoint inside nginx.
local helper = require("spec.host.helper")

local long = ("a"):rep(128)

local bodies = {}

--- What each is, the body, and the reason it is refused with (nil: any).
bodies.refused = {
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
  { "has broken UTF-8", '{"data": {"webhook_action": "login.\xff\xfe"}}',
    "the body is not JSON" },
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
}

--- The body, the action and the account.
bodies.taken = {
  { helper.body({ webhook_action = "brand.new" }), "brand.new" },
  { helper.body({ webhook_action = "é ñ ✓" }), "é ñ ✓" },
  { '{"data": {"webhook_action": "a.one", "account_id": null}}', "a.one" },
  { '{"data": {"webhook_action": "a.two", "account_id": "None"}}', "a.two" },
  { '{"data": {"webhook_action": "a.three", "account_id": 7}}', "a.three" },
  { '{"data": {"webhook_action": "a.four", "x": "\\uD83D\\ude00\\\\ud800"}}', "a.four" },
  { '{"data": 1, "data": {"account_id": "x", "webhook_action": "no", "webhook_action": "a.five", '
    .. '"account_id": "y"}}', "a.five", "y" },
  { '{"data": {"webhook_action": "a.six", "x": ' .. ("["):rep(62) .. ("]"):rep(62) .. "}}",
    "a.six" },
  { '{"data": {"webhook_action": "a.seven", "x": [1e400, -0, 0.1e-9]}}', "a.seven" },
  { helper.body({ webhook_action = ("z"):rep(127) }), ("z"):rep(127) },
}

return bodies

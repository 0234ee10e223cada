--- Webhooks as they come in: their bodies, and their signatures in all the ways they may be made.
local bodies = require("spec.support.webhook_bodies")
local errors = require("palenca.errors")
local helper = require("spec.lua.helper")
local webhook = require("palenca").webhook

local BODY = '{"webhook_url":"https://example.com/hook","data":{"user_id":"' .. helper.USER
  .. '","account_id":"' .. helper.ACCOUNT .. '","external_id":"None","platform":"uber",'
  .. '"status_details":null,"webhook_action":"login.success"}}'

local function rejected(event, err, kind, text)
  assert.is_nil(event)
  assert.is_true(errors.is(err))
  assert.equal(kind, err.kind)
  assert.truthy(err.message:find(text, 1, true), err.message)
end

local function body_with(data)
  return '{"data":{"webhook_action":"login.success",' .. data .. "}}"
end

describe("webhook.parse", function()
  it("reads the vendor's body", function()
    assert.same({
      action = "login.success", account_id = helper.ACCOUNT, user_id = helper.USER,
      platform = "uber", body = BODY,
      data = {
        user_id = helper.USER, account_id = helper.ACCOUNT, external_id = "None",
        platform = "uber", webhook_action = "login.success",
      },
    }, (webhook.parse(BODY)))
  end)

  it("reads all of its fields", function()
    local event = webhook.parse(body_with('"external_id":"worker-7","status_details":"banned",'
      .. '"webhook_id":"' .. helper.UNKNOWN .. '","extra":{"deep":[1]},"none":null'))
    assert.equal("worker-7", event.external_id)
    assert.equal("banned", event.status_details)
    assert.equal(helper.UNKNOWN, event.webhook_id)
    assert.same({ deep = { 1 } }, event.data.extra)
    assert.is_nil(event.data.none)
    assert.is_nil(event.account_id)
  end)

  it("takes None, nothing and null for the same", function()
    for _, value in ipairs { '"None"', '""', "null" } do
      local event = webhook.parse(body_with('"external_id":' .. value
        .. ',"status_details":' .. value))
      assert.is_nil(event.external_id)
      assert.is_nil(event.status_details)
    end
    assert.equal("none", webhook.parse(body_with('"external_id":"none"')).external_id)
  end)

  it("keeps what is not text out of the event's fields, and in its data", function()
    local event = webhook.parse(body_with('"external_id":7,"platform":{"name":"uber"}'))
    assert.is_nil(event.external_id)
    assert.is_nil(event.platform)
    assert.equal(7, event.data.external_id)
    assert.equal("uber", event.data.platform.name)
  end)

  it("passes on an action that nobody has heard of", function()
    assert.equal("moon.landed",
      webhook.parse('{"data":{"webhook_action":"moon.landed"}}').action)
  end)

  -- The words are those of `palenca serve`.
  for _, case in ipairs(bodies.rejected) do
    it("rejects a body that " .. case[1], function()
      local event, err = webhook.parse(case[2])
      rejected(event, err, "invalid", case[3] or "the body ")
      assert.equal(case[3] or err.message, err.message)
    end)
  end

  it("reads what is unusual but fits", function()
    for _, case in ipairs(bodies.taken) do
      local event = assert(webhook.parse(case[1]))
      assert.same({ case[2], case[3], case[1] }, { event.action, event.account_id, event.body })
    end
  end)

  for _, body in ipairs { "", "not JSON", "{", "<html></html>", BODY:sub(1, -2) } do
    it("rejects what is no JSON: " .. body:sub(1, 20), function()
      local event, err = webhook.parse(body)
      rejected(event, err, "invalid", "not JSON")
    end)
  end

  for _, body in ipairs { '"text"', "5", "null", "true", "[]" } do
    it("rejects JSON that is no object: " .. body, function()
      local event, err = webhook.parse(body)
      rejected(event, err, "invalid", "not a JSON object")
    end)
  end

  for _, body in ipairs {
    "{}", '{"data":null}', '{"data":"x"}', '{"data":[]}', '{"data":{}}',
    '{"data":{"webhook_action":null}}', '{"data":{"webhook_action":""}}',
    '{"data":{"webhook_action":5}}', '{"data":{"webhook_action":{"a":1}}}',
    '{"webhook_action":"login.success"}',
  } do
    it("rejects a body without an action: " .. body, function()
      local event, err = webhook.parse(body)
      rejected(event, err, "invalid", "webhook_action")
    end)
  end

  it("decodes its fields, however long they are", function()
    local event = assert(webhook.parse(body_with('"external_id":"\\u0000\\uD83D\\ude97\\n'
      .. ("x"):rep(5000) .. '","p\\u006catform":"\\u00e9","user_id":"N\\u006fne"')))
    assert.equal("\0\240\159\154\151\n" .. ("x"):rep(5000), event.external_id)
    assert.equal("\195\169", event.platform)
    assert.is_nil(event.user_id)
    assert.equal(event.external_id, event.data.external_id)
  end)

  it("has no number for a field, whatever it is decoded to", function()
    local event = assert(webhook.parse(body_with('"user_id":9007199254740993,"platform":1e400')))
    assert.is_nil(event.user_id)
    assert.is_nil(event.platform)
    assert.same({ "9007199254740993", "1e400" }, { event.data.user_id, event.data.platform })
  end)

  it("blames the caller for a body or options of a wrong type", function()
    for _, body in ipairs { 5, {}, true } do
      helper.blames_caller(function() local _ = webhook.parse(body) end, "body",
        type(body) == "table" and "a table" or tostring(body))
    end
    helper.blames_caller(function() local _ = webhook.parse(nil) end, "body")
    helper.blames_caller(function() local _ = webhook.parse(BODY, {}, { key = "x" }) end,
      "unknown field 'key'", "secret")
    helper.blames_caller(function() local _ = webhook.parse(BODY, {}, { secret = "" }) end,
      "secret")
    helper.blames_caller(function() local _ = webhook.parse(BODY, {}, "x") end, "table")
  end)
end)

describe("webhook signatures", function()
  local TEXT, SECRET = "The quick brown fox jumps over the lazy dog", "key"
  local known = {
    sha1 = "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9",
    sha256 = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8",
    sha384 = "d7f4727e2c0b39ae0f1e40cc96f60242d5b7801841cea6fc592c5d3e1ae50700"
      .. "582a96cf35e1e554995fe4e03381c237",
    sha512 = "b42af09057bac1e2d41708e48a902e09b5ff7f12ab428a4fe86653c73dd248fb"
      .. "82f948a549f7b791a5b41915ee4d1ec3935357e4e2317250d0372afa2ebeeb3a",
  }

  for digest, value in pairs(known) do
    it("are those everyone makes with " .. digest, function()
      assert.equal(value, webhook.sign(TEXT, SECRET, { digest = digest }))
    end)
  end

  it("are of sha256 in hex unless said otherwise", function()
    assert.equal(known.sha256, webhook.sign(TEXT, SECRET))
    assert.equal("97yD9DBThCSxMpjmqm+xQ+9NWaFJRhdZl0edvC0aPNg=",
      webhook.sign(TEXT, SECRET, { encoding = "base64" }))
    assert.equal("v1=" .. known.sha256, webhook.sign(TEXT, SECRET, { prefix = "v1=" }))
  end)

  local function options(more)
    local all = { secret = "s3cret", header = "X-Signature" }
    for name, value in pairs(more or {}) do
      all[name] = value
    end
    return all
  end

  for digest in pairs(known) do
    for _, encoding in ipairs { "hex", "base64" } do
      for _, prefix in ipairs { false, "sha=" } do
        local how = options { digest = digest, encoding = encoding, prefix = prefix or nil }
        it(string.format("hold with %s, %s, %s", digest, encoding, prefix or "no prefix"),
          function()
            local signature = webhook.sign(BODY, "s3cret", how)
            local event = assert(webhook.parse(BODY, { ["X-Signature"] = signature }, how))
            assert.equal("login.success", event.action)
            for _, wrong in ipairs {
              webhook.sign(BODY .. " ", "s3cret", how), webhook.sign(BODY, "other", how),
              signature .. "0", signature:sub(1, -2), "", "x" .. signature:sub(2),
              signature:sub(1, -3) .. "\0\0", " " .. signature,
            } do
              local none, err = webhook.parse(BODY, { ["X-Signature"] = wrong }, how)
              rejected(none, err, "auth", "signature")
            end
          end)
      end
    end
  end

  it("are not those of another digest, encoding or prefix", function()
    local signature = webhook.sign(BODY, "s3cret")
    for _, more in ipairs {
      { digest = "sha512" }, { encoding = "base64" }, { prefix = "sha256=" },
    } do
      local event, err = webhook.parse(BODY, { ["X-Signature"] = signature }, options(more))
      rejected(event, err, "auth", "does not match")
    end
  end)

  it("hold in capital hex letters, but not in capital base64 ones", function()
    local hex = webhook.sign(BODY, "s3cret"):upper()
    assert.truthy(hex:find("%u"))
    assert.truthy(webhook.parse(BODY, { ["X-Signature"] = hex }, options()))
    local base64 = webhook.sign(BODY, "s3cret", { encoding = "base64" })
    local event, err = webhook.parse(BODY, { ["X-Signature"] = base64:lower() },
      options { encoding = "base64" })
    rejected(event, err, "auth", "does not match")
  end)

  it("are found whatever the case of the header's name", function()
    local signature = webhook.sign(BODY, "s3cret")
    for _, name in ipairs { "x-signature", "X-SIGNATURE", "X-Signature" } do
      assert.truthy(webhook.parse(BODY, { [1] = "x", [name] = signature }, options()))
    end
  end)

  it("must be there", function()
    for _, headers in ipairs {
      {}, { Other = "x" }, { ["X-Signature"] = {} }, { ["X-Signature"] = true },
    } do
      local event, err = webhook.parse(BODY, headers, options())
      rejected(event, err, "auth", "not signed")
    end
    local event, err = webhook.parse(BODY, nil, options())
    rejected(event, err, "auth", "not signed")
  end)

  it("are checked before the body is looked at", function()
    local event, err = webhook.parse("not JSON", {}, options())
    rejected(event, err, "auth", "not signed")
    local headers = { ["X-Signature"] = webhook.sign("not JSON", "s3cret") }
    event, err = webhook.parse("not JSON", headers, options())
    rejected(event, err, "invalid", "not JSON")
  end)

  it("cover any byte", function()
    local body = BODY:gsub("uber", "\\u0000ñ")
    local headers = { ["X-Signature"] = webhook.sign(body, "a\0b") }
    assert.truthy(webhook.parse(body, headers, options { secret = "a\0b" }))
    local event, err = webhook.parse(body, headers, options { secret = "a\0c" })
    rejected(event, err, "auth", "does not match")
    assert.is_not.equal(webhook.sign("a\0b", "k"), webhook.sign("a\0c", "k"))
  end)

  it("need a header's name and options that exist", function()
    local headers = { ["X-Signature"] = "x" }
    helper.blames_caller(function() local _ = webhook.parse(BODY, headers, { secret = "s" }) end,
      "header")
    for name, value in pairs { digest = "md5", encoding = "base32", prefix = ("x"):rep(32) } do
      helper.blames_caller(function()
        local _ = webhook.parse(BODY, headers, options { [name] = value })
      end, "palenca.webhook.parse", name)
      helper.blames_caller(function()
        local _ = webhook.sign(BODY, "s", { [name] = value })
      end, "palenca.webhook.sign", name)
    end
    helper.blames_caller(function() local _ = webhook.sign(BODY, "") end, "secret")
    helper.blames_caller(function() local _ = webhook.sign(BODY) end, "secret")
    helper.blames_caller(function() local _ = webhook.sign({}, "s") end, "body")
    helper.blames_caller(function() local _ = webhook.sign(BODY, "s", { digset = "sha1" }) end,
      "unknown field 'digset'")
  end)
end)

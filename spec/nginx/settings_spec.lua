--- Drives the settings of the webhook endpoint inside nginx, signatures first, and of its clients.
local endpoints = require("spec.nginx.endpoints")
local helper = require("spec.nginx.helper")
local http = require("spec.support.http")
local webhook = require("palenca.webhook")

describe("the settings of the endpoint inside nginx", function()
  local endpoint = endpoints.start_for_all()

  it("requires a signature with one of its secrets, if any is set", function()
    endpoint:running_nothing(function()
      local body = endpoints.new_body()
      for _, headers in ipairs { {}, { ["X-Signature"] = "" }, { ["X-Signature"] = "abc" },
        { ["X-Signature"] = webhook.sign(body, "another secret") },
        { ["X-Signature"] = webhook.sign(body .. " ", "new secret") },
        { ["X-Signature"] = webhook.sign(body, "new secret"):sub(1, -2) } } do
        local response = endpoint:post("/signed", body, headers)
        assert.are.equal(401, response.status)
        assert.are.equal('{"error":"unauthorized"}\n', response.body)
      end
      local good = webhook.sign(body, "new secret")
      assert.are.equal(401, endpoint:post("/signed", body,
        { ["X-Signature"] = good .. "\r\nX-Signature: " .. good }).status)
    end)
    for _, secret in ipairs { "old secret", "new secret" } do
      local body = endpoints.new_body()
      assert.are.equal(200, endpoint:post("/signed", body,
        { ["x-signature"] = webhook.sign(body, secret) }).status)
    end
    local log = endpoint.nginx:log()
    assert.truthy(log:find("palenca: rejected request: 401 (not signed)", 1, true), log)
  end)

  it("checks the signature before it reads the body", function()
    assert.are.equal(401, endpoint:post("/signed", "no JSON").status)
  end)

  local ENDPOINT = 'content_by_lua_block { require("palenca.nginx").webhook() }'

  -- Another nginx with the same handlers: `server` is what its server has, where ENDPOINT stands
  -- for one, and `variables` its environment, hidden from its workers or not.
  local function start(server, variables, is_hidden)
    local main = {}
    for name in pairs(not is_hidden and variables or {}) do
      main[#main + 1] = "env " .. name .. ";"
    end
    return helper.start(endpoint.stage, {
      http = endpoints.http, server = server:gsub("ENDPOINT", ENDPOINT),
      main = table.concat(main, "\n"), env = variables,
    })
  end

  local function ask(nginx, path, body, secret, form)
    local headers = secret and { ["X-Signature"] = webhook.sign(body, secret, form) }
    return http.request("POST", nginx.url .. path, body, headers or {}).status
  end

  it("is set up by nginx variables", function()
    local other = start([[
      location = /variables {
        set $palenca_secrets "one two";
        set $palenca_signature_header X-Signature;
        set $palenca_signature_digest sha1;
        set $palenca_signature_encoding base64;
        set $palenca_signature_prefix "v1=";
        set $palenca_max_body 300;
        ENDPOINT
      }
    ]])
    local form = { digest = "sha1", encoding = "base64", prefix = "v1=" }
    for secret, status in pairs { one = 200, two = 200, three = 401 } do
      assert.are.equal(status, ask(other, "/variables", endpoints.new_body(), secret, form))
    end
    assert.are.equal(413, ask(other, "/variables", (" "):rep(301), "one", form))
    assert.are.equal(0, other:quit())
  end)

  it("is set up by the environment, as serve is", function()
    local other = start("location = /environment { ENDPOINT }", {
      PALENCA_WEBHOOK_SECRET = " one  two ", PALENCA_SIGNATURE_HEADER = "X-Signature",
      PALENCA_SIGNATURE_PREFIX = "v2=", PALENCA_MAX_BODY = "300", PALENCA_REDELIVERY_WINDOW = "",
    })
    for secret, status in pairs { one = 200, two = 200, three = 401 } do
      assert.are.equal(status,
        ask(other, "/environment", endpoints.new_body(), secret, { prefix = "v2=" }))
    end
    assert.are.equal(401, ask(other, "/environment", "{}", "one", { prefix = "v1=" }))
    assert.are.equal(401, ask(other, "/environment", "{}"))
    assert.are.equal(413, ask(other, "/environment", (" "):rep(301), "two", { prefix = "v2=" }))
    assert.are.equal(0, other:quit())
  end)

  it("has an option go before a variable, and that before the environment", function()
    local other = start([[
      location = /environment { ENDPOINT }
      location = /variable {
        set $palenca_max_body 20;
        ENDPOINT
      }
      location = /option {
        set $palenca_max_body 20;
        content_by_lua_block { require("palenca.nginx").webhook { max_body = 10 } }
      }
    ]], { PALENCA_MAX_BODY = "30" })
    for path, most in pairs { ["/environment"] = 30, ["/variable"] = 20, ["/option"] = 10 } do
      assert.are.same({ 400, 413 }, { ask(other, path, (" "):rep(most)),
        ask(other, path, (" "):rep(most + 1)) })
    end
    assert.are.equal(0, other:quit())
  end)

  -- ---- what must let nobody in -----------------------------------------------------------

  -- Nobody is let in, signed or not, and the log says why.
  local function expect_rejection(other, path, reason)
    local body = endpoints.new_body()
    assert.are.same({ 500, 500 }, { ask(other, path, body), ask(other, path, body, "one") })
    local log = other:log()
    assert.truthy(log:find("palenca.nginx.webhook: " .. reason, 1, true), log)
  end

  it("takes nothing where a variable that guards it is empty", function()
    local other = start([[
      location = /signed {
        set $palenca_secrets one;
        set $palenca_signature_header X-Signature;
        ENDPOINT
      }
      location = /elsewhere { ENDPOINT }
      location = /blank {
        set $palenca_secrets " ";
        set $palenca_signature_header X-Signature;
        ENDPOINT
      }
      location = /without {
        set $palenca_secrets one;
        set $palenca_signature_header $arg_header;
        ENDPOINT
      }
      location = /options { content_by_lua_block {
        require("palenca.nginx").webhook { secrets = { "one" }, signature_header = "X-Signature" }
      } }
      location = /seen { content_by_lua_block { ngx.say(state:llen("seen")) } }
    ]])
    for path, name in pairs { ["/elsewhere"] = "signature_header",
      ["/without"] = "signature_header", ["/blank"] = "secrets" } do
      expect_rejection(other, path, "$palenca_" .. name .. " is empty here")
    end
    for _, path in ipairs { "/signed", "/options" } do
      local body = endpoints.new_body()
      assert.are.same({ 401, 200 }, { ask(other, path, body), ask(other, path, body, "one") })
    end
    assert.are.equal("2", (other:get("/seen")))
    assert.are.equal(0, other:quit())
  end)

  for _, case in ipairs {
    { { WEBHOOK_SECRET = "" }, "$PALENCA_WEBHOOK_SECRET: there is no secret in it" },
    { { WEBHOOK_SECRET = " \t" }, "$PALENCA_WEBHOOK_SECRET: there is no secret in it" },
    { { WEBHOOK_SECRET = "", SIGNATURE_HEADER = "X-Signature" },
      "$PALENCA_WEBHOOK_SECRET: there is no secret in it" },
    { { WEBHOOK_SECRET = "on\1e", SIGNATURE_HEADER = "X-Signature" },
      "$PALENCA_WEBHOOK_SECRET: a secret has no control characters" },
    { { WEBHOOK_SECRET = "one" },
      "$PALENCA_WEBHOOK_SECRET is set, but there is no signature_header" },
    { { SIGNATURE_HEADER = "" }, "$PALENCA_SIGNATURE_HEADER: '' is not the name of a header" },
    { { SIGNATURE_HEADER = " " }, "$PALENCA_SIGNATURE_HEADER: ' ' is not the name of a header" },
    { { SIGNATURE_HEADER = "X-Signature" },
      "$PALENCA_SIGNATURE_HEADER needs a secret: secrets or $PALENCA_WEBHOOK_SECRET" },
    { { SIGNATURE_DIGEST = "" }, "$PALENCA_SIGNATURE_DIGEST: '' is not one of sha1" },
    { { SIGNATURE_DIGEST = "sha1" },
      "$PALENCA_SIGNATURE_DIGEST is set, but there is no signature_header" },
    { { SIGNATURE_ENCODING = "hex" }, "$PALENCA_SIGNATURE_ENCODING is set, but there is no" },
    { { SIGNATURE_PREFIX = "v1=" }, "$PALENCA_SIGNATURE_PREFIX is set, but there is no" },
  } do
    it("takes nothing with the environment of half a check: " .. case[2], function()
      local variables = {}
      for name, value in pairs(case[1]) do
        variables["PALENCA_" .. name] = value
      end
      local other = start("location = /environment { ENDPOINT }", variables)
      assert.truthy(other:log():find("palenca: an endpoint that sets nothing else takes no "
        .. "webhooks: palenca.nginx.webhook: " .. case[2], 1, true), other:log())
      expect_rejection(other, "/environment", case[2])
      assert.are.equal(0, other:quit())
    end)
  end

  local SIGNED = { PALENCA_WEBHOOK_SECRET = "one", PALENCA_SIGNATURE_HEADER = "X-Signature" }

  it("is guarded by an environment that nginx keeps from its workers, over a reload too", function()
    local other = start("location = /environment { ENDPOINT }", SIGNED, true)
    for _ = 1, 2 do
      local body = endpoints.new_body()
      assert.are.same({ 401, 200 },
        { ask(other, "/environment", body), ask(other, "/environment", body, "one") })
      other:reload()
    end
    assert.is_nil(other:log():find("webhooks of anybody", 1, true))
    assert.is_nil(other:log():find("sets nothing else", 1, true))
    assert.are.equal(0, other:quit())
  end)

  it("may be open where that is said, beside one that the environment guards", function()
    local other = start([[
      location = /signed { ENDPOINT }
      location = /option {
        content_by_lua_block { require("palenca.nginx").webhook { signature = false } }
      }
      location = /variable {
        set $palenca_signature off;
        ENDPOINT
      }
      location = /on {
        set $palenca_signature on;
        ENDPOINT
      }
    ]], SIGNED)
    for path, status in pairs { ["/signed"] = 401, ["/option"] = 200, ["/variable"] = 200,
      ["/on"] = 401 } do
      assert.are.equal(status, ask(other, path, endpoints.new_body()), path)
    end
    for _, path in ipairs { "/signed", "/on" } do
      assert.are.equal(200, ask(other, path, endpoints.new_body(), "one"), path)
    end
    assert.is_nil(other:log():find("webhooks of anybody", 1, true))
    assert.are.equal(0, other:quit())
  end)

  it("warns once that it accepts unsigned webhooks, unless signature is off", function()
    local other = start([[
      location = /open { ENDPOINT }
      location = /option {
        content_by_lua_block { require("palenca.nginx").webhook { signature = false } }
      }
    ]])
    assert.are.equal(200, ask(other, "/option", endpoints.new_body()))
    assert.is_nil(other:log():find("webhooks of anybody", 1, true))
    for _ = 1, 3 do
      assert.are.equal(200, ask(other, "/open", endpoints.new_body()))
    end
    assert.are.equal(1, select(2, other:log():gsub("%[warn%][^\n]*webhooks of anybody", "")))
    assert.are.equal(0, other:quit())
  end)

  it("accepts nothing if signatures are required without settings", function()
    local other = start([[
      location = /on {
        content_by_lua_block { require("palenca.nginx").webhook { signature = true } }
      }
      location = /odd {
        set $palenca_signature maybe;
        ENDPOINT
      }
    ]])
    expect_rejection(other, "/on", "signature is on, but there is no signature_header")
    assert.are.equal(500, ask(other, "/odd", endpoints.new_body()))
    assert.truthy(other:log():find("$palenca_signature must be on or off", 1, true))
    assert.are.equal(0, other:quit())
  end)

  it("has clients that are set up by nginx variables, and the rest by the environment", function()
    for name, retries in pairs { one = 0, two = 1 } do
      local said = endpoint.nginx:get("/client?name=" .. name .. "&retries=" .. retries)
      assert.are.same({ endpoint.serve.url .. "/" .. name, 7, retries, 77 },
        helper.json.decode(said))
      local request = endpoint.serve:wait_request("/" .. name .. "/called")
      assert.are.equal("key-of-" .. name, request.headers["x-api-key"])
    end
    assert.truthy((select(2, endpoint.nginx:get("/client?name=one&retries=many"))) == 500)
    assert.truthy(endpoint.nginx:log():find("$palenca_max_retries must be a number", 1, true))
  end)

  it("names the line that a key lacks which only the process that starts nginx has", function()
    local other = start([[
      location = /client { content_by_lua_block {
        ngx.say(select(2, pcall(require("palenca.nginx").client)))
      } }
    ]], { PALENCA_API_KEY = "spec-key" }, true)
    assert.truthy(other:get("/client"):find("palenca.new: no API key: pass api_key or set "
      .. "PALENCA_API_KEY, which nginx keeps from its workers unless 'env PALENCA_API_KEY;' names "
      .. "it", 1, true))
    assert.are.equal(0, other:quit())
  end)

  it("names what is wrong with its settings", function()
    for name, text in pairs {
      header = "secrets is set, but there is no signature_header to find signatures in",
      secret = "signature_header needs a secret", unknown = "unknown field 'secret'",
      dict = "there is no lua_shared_dict other",
      digest = "signature_digest: 'md5' is not one of sha1, sha256, sha384, sha512",
      encoding = "signature_encoding: 'rot13' is not one of hex, base64",
      empty = "secrets: a secret is empty", blank = "secrets: a secret is empty",
      none = "secrets: there is no secret in it", number = "secrets: a secret must be a string",
      control = "secrets: a secret has no control characters",
      name = "signature_header: 'X Y' is not the name of a header",
      prefix = "signature_prefix: '' does not start as the value of a header can",
      long = "signature_prefix: it is longer than 31 characters",
      onlydigest = "signature_digest is set, but there is no signature_header",
      onlyencoding = "signature_encoding is set, but there is no signature_header",
      onlyprefix = "signature_prefix is set, but there is no signature_header",
      limit = "max_body must be a whole number from 1",
      off = "signature is off, but secrets is set",
      lease = "redelivery_lease must be a whole number from 1",
      wait = "redelivery_wait must be a whole number from 0",
    } do
      local said = endpoint.nginx:get("/mistakes/" .. name)
      assert.truthy(said:find(text, 1, true), said)
      assert.truthy(said:find("palenca.nginx.webhook", 1, true), said)
    end
    assert.truthy((endpoint.nginx:get("/rewrite")):find("belongs in content_by_lua", 1, true))
  end)
end)

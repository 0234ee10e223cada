--- Drives the settings of the webhook endpoint inside nginx, signatures first, and of its clients.
local endpoints = require("spec.nginx.endpoints")
local helper = require("spec.nginx.helper")
local http = require("spec.support.http")
local webhook = require("palenca.webhook")

describe("the settings of the endpoint inside nginx", function()
  local endpoint

  setup(function()
    endpoint = endpoints.start()
  end)

  teardown(function()
    endpoint:stop()
  end)

  it("wants a signature with one of its secrets, if it is told of any", function()
    endpoint:running_nothing(function()
      local body = endpoints.new_body()
      for _, headers in ipairs { {}, { ["X-Signature"] = "" }, { ["X-Signature"] = "abc" },
        { ["X-Signature"] = webhook.sign(body, "another secret") },
        { ["X-Signature"] = webhook.sign(body .. " ", "new secret") },
        { ["X-Signature"] = webhook.sign(body, "new secret"):sub(1, -2) } } do
        local answer = endpoint:post("/signed", body, headers)
        assert.are.equal(401, answer.status)
        assert.are.equal('{"error":"unauthorized"}\n', answer.body)
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
    assert.truthy(endpoint.nginx:log():find("palenca: refused with 401: not signed", 1, true))
  end)

  it("checks the signature before it reads the body", function()
    assert.are.equal(401, endpoint:post("/signed", "no JSON").status)
  end)

  it("is set up by nginx variables", function()
    local form = { digest = "sha1", encoding = "base64", prefix = "v1=" }
    for secret, status in pairs { one = 200, two = 200, three = 401 } do
      local body = endpoints.new_body()
      assert.are.equal(status, endpoint:post("/variables", body,
        { ["X-Signature"] = webhook.sign(body, secret, form) }).status)
    end
    local body = endpoints.new_body({ filler = ("x"):rep(200) })
    assert.are.equal(413, endpoint:post("/variables", body,
      { ["X-Signature"] = webhook.sign(body, "one", form) }).status)
  end)

  it("is set up by the environment, as serve is", function()
    local other = helper.start(endpoint.stage, {
      http = "lua_shared_dict palenca 1m;", server = endpoint.server,
      main = "env PALENCA_SIGNATURE_HEADER; env PALENCA_SIGNATURE_PREFIX; env PALENCA_MAX_BODY;",
      env = { PALENCA_SIGNATURE_HEADER = "X-Signature", PALENCA_SIGNATURE_PREFIX = "v2=",
        PALENCA_MAX_BODY = "300" },
    })
    local function ask(body, prefix)
      return http.request("POST", other.url .. "/environment", body,
        { ["X-Signature"] = webhook.sign(body, "s", { prefix = prefix }) })
    end
    assert.are.equal(401, ask("{}", "v1=").status)
    assert.are.equal(400, ask("{}", "v2=").status)
    assert.are.equal(413, ask((" "):rep(301), "v2=").status)
    -- and nothing that nobody handles is answered as if it were
    assert.are.equal(500, ask(endpoints.new_body(), "v2=").status)
    assert.truthy(other:log():find("there is no handler (palenca.on)", 1, true))
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

  it("names what is wrong with its settings", function()
    for name, text in pairs {
      header = "there is a secret, but no signature_header",
      secret = "signature_header wants a secret", unknown = "unknown field 'secret'",
      dict = "there is no lua_shared_dict other", digest = "digest",
      empty = "secrets must be strings", limit = "max_body must be a whole number from 1",
    } do
      local said = endpoint.nginx:get("/mistakes/" .. name)
      assert.truthy(said:find(text, 1, true), said)
      assert.truthy(said:find("palenca.nginx.webhook", 1, true), said)
    end
    assert.truthy((endpoint.nginx:get("/rewrite")):find("belongs in content_by_lua", 1, true))
  end)
end)

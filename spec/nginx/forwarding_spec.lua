--- Drives an endpoint inside nginx that forwards to `palenca serve`: what arrives there is what was
-- sent, to the byte, and what is rejected does not.
local endpoints = require("spec.nginx.endpoints")
local helper = require("spec.nginx.helper")
local http = require("spec.support.http")
local webhook = require("palenca.webhook")

local SCRIPT = [[
  require("palenca").on("*", function(event)
    print("saw", event.account_id, #(event.data.text or ""))
  end)
]]

-- Two ways to name where it goes; and what is larger than a KB, nginx keeps in a file.
local SERVER = [[
  client_body_buffer_size 1k;
  location = /webhooks/palenca {
    content_by_lua_block { require("palenca.nginx").webhook { forward = "@serve" } }
  }
  location @serve { proxy_pass HOST; }
  location = /elsewhere {
    content_by_lua_block { require("palenca.nginx").webhook { forward = "/serve" } }
  }
  location = /serve { internal; proxy_pass HOST/webhooks/palenca; }
  location = /unchecked {
    content_by_lua_block { require("palenca.nginx").webhook {
      signature = false, forward = "/serve",
    } }
  }
]]

local VARIABLES = { PALENCA_WEBHOOK_SECRET = "one", PALENCA_SIGNATURE_HEADER = "X-Signature" }

describe("an endpoint inside nginx that forwards", function()
  local stage, served, nginx

  setup(function()
    stage = helper.stage()
    served = stage:serve({ text = SCRIPT, env = VARIABLES })
    nginx = helper.start(stage, {
      server = SERVER:gsub("HOST", served.url:match("^http://[^/]+")), env = VARIABLES,
      main = "env PALENCA_WEBHOOK_SECRET; env PALENCA_SIGNATURE_HEADER;",
    })
  end)

  teardown(function()
    local statuses = { nginx:quit(), served:stop() }
    local log = nginx:log()
    stage:clear()
    assert.are.same({ 0, 0 }, statuses)
    assert.is_nil(log:find("[error]", 1, true), log)
  end)

  local function post(path, body, signed)
    return http.request("POST", nginx.url .. path, body,
      { ["X-Signature"] = webhook.sign(signed or body, "one") })
  end

  local PATHS = {
    "/webhooks/palenca", "/elsewhere", "/unchecked", "/webhooks/palenca?from=a%20b&x=",
    "/elsewhere?from=palenca",
  }

  for _, size in ipairs { 10, 3000, 60000 } do
    it("hands on signed bodies with " .. size .. " bytes of text", function()
      for _, path in ipairs(PATHS) do
        local body, account = endpoints.new_body({ text = ("é"):rep(size / 2) })
        local response = post(path, body)
        assert.are.equal(200, response.status, path)
        local name = account:gsub("%p", "%%%0")
        served:wait_output("stdout", "(saw\t" .. name .. "\t" .. size .. "\n)")
        local event = helper.wait_state(served.db, account, "done")
        assert.are.same({ received = true, id = event.id }, helper.json.decode(response.body))
      end
    end)
  end

  it("hands on what comes in chunks", function()
    local body, account = endpoints.new_body({ text = ("a"):rep(5000) })
    local connection = stage:connect(nginx.url)
    connection:send("POST /webhooks/palenca HTTP/1.1\r\nHost: spec\r\nX-Signature: "
      .. webhook.sign(body, "one") .. "\r\nTransfer-Encoding: chunked\r\n\r\n")
    for at = 1, #body, 700 do
      local part = body:sub(at, at + 699)
      connection:send(string.format("%x\r\n%s\r\n", #part, part))
    end
    assert.are.equal(200, connection:send("0\r\n\r\n"):response().status)
    helper.wait_state(served.db, account, "done")
  end)

  it("hands on nothing that is not good, and says why", function()
    local before = #helper.events(served.db)
    local body = endpoints.new_body()
    assert.are.equal(401, post("/webhooks/palenca", body, "other").status)
    local response = post("/elsewhere", "{}")
    assert.are.same({ 400, "the body has no data.webhook_action" },
      { response.status, endpoints.reason(response) })
    assert.is_nil(served.stderr:find("request", 1, true), served.stderr)
    -- what is not checked here is there
    assert.are.equal(401, post("/unchecked", body, "other").status)
    served:wait_output("stderr", "(401 %(the signature does not fit%))")
    assert.are.equal(before, #helper.events(served.db))
  end)

  it("has the program know what comes again", function()
    local body, account = endpoints.new_body()
    local response = post("/webhooks/palenca", body)
    assert.are.equal(response.body, post("/elsewhere", body).body)
    helper.wait_state(served.db, account, "done")
  end)
end)

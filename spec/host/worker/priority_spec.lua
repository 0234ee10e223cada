--- Whose calls to the API come first when its limit is near: those for a login that is new.
local uv = require("luv")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

describe("a fresh login", function()
  local stage = helper.stage_for_each()

  -- Of 24 calls a minute those that can wait may make 23, of which the probe of the key is one.
  local SCRIPT = [[
    local palenca = require "palenca"
    local client = palenca.new{base_url = os.getenv "SPEC_URL", rate_limit = 24, max_retries = 0}
    palenca.on("*", {retry_wait = 0.01}, function(event)
      if event.account_id == "fresh" then
        client:request("GET", "/fresh")
      elseif event.account_id == "bystander" then
        print("bystander")
      elseif event.attempt == 2 or event.replay or event.action ~= "login.success" then
        for _ = 1, 30 do client:request("GET", "/bulk") end
      elseif event.account_id == "retried" then
        error("again", 0)
      end
    end)
  ]]

  local function replay(served, account)
    local event = helper.wait_state(served.db, account, "done")
    assert.are.equal(0, (process.run(process.program(),
      { "events", "replay", string.format("%d", event.id), "--db", served.db })))
  end

  for name, fields in pairs({
    ["another event"] = { account_id = "other", webhook_action = "login.error" },
    ["a retry"] = { account_id = "retried" },
    ["a replay"] = { account_id = "replayed" },
  }) do
    it("makes its call before those that wait for " .. name, function()
      local server = stage:server()
      local served = stage:serve({ text = SCRIPT, arguments = { "--workers", "1" },
        -- a key of its own, and so a limit
        env = { SPEC_URL = server.url, PALENCA_API_KEY = "spec-" .. uv.hrtime() } })
      helper.post(served.url, fields)
      if fields.account_id == "replayed" then
        replay(served, "replayed")
      end
      server:wait_request("/bulk", 22)
      -- as long as it takes, so that one more call would have been made by then
      helper.post(served.url, { account_id = "bystander" })
      served:wait_output("stdout", "(bystander)")
      helper.post(served.url, { account_id = "fresh" })
      server:wait_request("/fresh")
      assert.is_nil(server:find("/bulk", 23))
    end)
  end
end)

describe("a call that waits for the rate limit", function()
  local stage = helper.stage_for_each()

  it("is logged, since its handler takes long", function()
    local server = stage:server()
    local served = stage:serve({ text = [[
      local palenca = require "palenca"
      local client = palenca.new{base_url = os.getenv "SPEC_URL", rate_limit = 2}
      palenca.on("*", function() client:request("GET", "/one") end)
    ]], arguments = { "--workers", "1", "--drain-timeout", "0" },
      env = { SPEC_URL = server.url, PALENCA_API_KEY = "spec-" .. uv.hrtime() } })
    server:wait_request("/v1/webhooks") -- the first of two calls that the limit permits
    for i = 1, 4 do
      helper.post(served.url, { account_id = "a" .. i })
    end
    assert.are.equal("3", served:wait_output("stderr", "palenca: (%d) calls of a worker wait for "
      .. "the rate limit, or for their next attempt\n"))
    assert.are.equal(0, served:stop())
  end)
end)

--- Drives what the webhook endpoint inside nginx logs of what others send: a line a minute and
-- worker, and how many more there were.
local endpoints = require("spec.nginx.endpoints")
local helper = require("spec.nginx.helper")
local http = require("spec.support.http")

local SERVER = [[
  location = /signed {
    content_by_lua_block { require("palenca.nginx").webhook {
      secrets = { "one" }, signature_header = "X-Signature",
    } }
  }
  location = /small {
    content_by_lua_block { require("palenca.nginx").webhook { signature = false, dict = "small" } }
  }
  location = /short { content_by_lua_block {
    local rate_limited_log = require("palenca.nginx.rate_limited_log")
    short = short or rate_limited_log.new(0.3)
    short:write(ngx.NOTICE, "short: one", "short: %d more")
  } }
]]

describe("the log of the endpoint inside nginx", function()
  local stage = helper.stage_for_each()
  local nginx

  before_each(function()
    nginx = helper.start(stage, {
      http = endpoints.http .. "lua_shared_dict small 64k;", server = SERVER,
    })
  end)

  local function count(text)
    local _, number = nginx:log():gsub(text:gsub("%p", "%%%0"), "")
    return number
  end

  it("logs a rejection once, and later the number of further ones", function()
    for _ = 1, 20 do
      assert.are.equal(401, http.request("POST", nginx.url .. "/signed", "{}").status)
    end
    assert.are.equal(401,
      http.request("POST", nginx.url .. "/signed", "{}", { ["X-Signature"] = "1" }).status)
    assert.are.equal(404, http.request("POST", nginx.url .. "//signed", "{}").status)
    assert.are.equal(1, count("palenca: rejected request: 401 (not signed)"))
    assert.are.equal(2, count("palenca: rejected request: 401"))
    assert.are.equal(1, count("palenca: rejected request: 404 (another path)"))
    assert.are.equal(0, count("more requests"))
    assert.are.equal(0, nginx:quit())
    assert.are.equal(1, count("palenca: rejected 19 more requests: 401 (not signed)"))
    assert.are.equal(1, count("more requests"))
  end)

  it("logs once that its dictionary is too small", function()
    local posted = 0
    helper.ask_until(function()
      posted = posted + 1
      local response = http.request("POST", nginx.url .. "/small", (endpoints.new_body()))
      assert.are.equal(200, response.status)
      return count("its lua_shared_dict is too small") > 0
    end, "the memory to be full")
    assert.is_true(posted > 3)
    for _ = 1, 20 do
      http.request("POST", nginx.url .. "/small", (endpoints.new_body()))
    end
    assert.are.equal(1, count("palenca: a delivery is not remembered for 300 seconds"))
    assert.are.equal(0, nginx:quit())
    local more = nginx:log():match("palenca: (%d+) more deliveries are not remembered for 300 sec")
    assert.is_true(tonumber(more) >= 20, more)
    assert.are.equal(2, count("its lua_shared_dict is too small"))
  end)

  it("begins anew when the time is over", function()
    nginx:get("/short")
    helper.ask_until(function()
      nginx:get("/short")
      return count("short: one") > 2 and nginx:log():find("short: %d+ more")
    end, "the time to be over")
    assert.are.equal(0, nginx:quit())
    assert.are.equal(0, count("short: 0 more"))
  end)
end)

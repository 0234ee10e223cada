--- What a worker has for each API key, and for each Lua state: it is released.
local helper = require("spec.nginx.helper")
local http = require("spec.support.http")

local HTTP = [[
  lua_shared_dict palenca 1m;
  init_by_lua_block {
    palenca = require "palenca"
    function fetch(key, options)
      local all = { api_key = key, max_retries = 0,
        base_url = "http://127.0.0.1:" .. ngx.var.server_port .. "/upstream" }
      for name, value in pairs(options or {}) do all[name] = value end
      local data, err = palenca.new(all):request("GET", "/x")
      return data and data.text or "failed: " .. tostring(err)
    end
  }
]]

local SERVER = [[
  keepalive_requests 1000000;
  location /upstream { return 200 '{"success": true, "data": {"text": "yes"}}'; }
  location /call { content_by_lua_block { ngx.say(fetch("spec-key", { rate_limit = 0 })) } }
  location /side_by_side { content_by_lua_block {
    local threads, responses = {}, {}
    for i = 1, 8 do threads[i] = ngx.thread.spawn(fetch, "spec-key", { rate_limit = 0 }) end
    for i = 1, 8 do responses[i] = select(2, ngx.thread.wait(threads[i])) end
    ngx.say(table.concat(responses, " "))
  } }
  location /keys { content_by_lua_block {
    for i = tonumber(ngx.var.arg_from), tonumber(ngx.var.arg_to) do
      local response = fetch("spec-key-" .. i .. "-" .. ngx.worker.pid())
      if response ~= "yes" then return ngx.say(response) end
    end
    ngx.say("yes")
  } }
  location /again { content_by_lua_block {
    ngx.say(fetch("spec-key-1-" .. ngx.worker.pid(), { rate_limit = 1, deadline = 0.1 }),
      " ", fetch("spec-key-1-" .. ngx.worker.pid(), { rate_limit = 1, deadline = 0.1 }))
  } }
  location /webhook { content_by_lua_block {
    require("palenca.nginx").webhook { secrets = { "one" }, signature_header = "X-Signature" }
  } }
]]

local function threads(pid)
  return #helper.names_in("/proc/" .. pid .. "/task")
end

local function memory(pid)
  return tonumber(helper.read_file("/proc/" .. pid .. "/status"):match("VmRSS:%s*(%d+)"))
end

describe("a worker", function()
  local stage = helper.stage_for_each()

  it("has no descriptor for each of 1,200 keys", function()
    local nginx = helper.start(stage, { http = HTTP, server = SERVER })
    local pid = nginx:workers()[1]
    assert.are.equal("yes", (nginx:get("/keys?from=1&to=50")))
    local before = helper.descriptors(pid)
    for from = 51, 1200, 50 do
      assert.are.equal("yes", (nginx:get(("/keys?from=%d&to=%d"):format(from, from + 49))))
    end
    assert.is_true(helper.descriptors(pid) <= before + 2, helper.descriptors(pid) - before)
    local responses = nginx:get("/again")
    assert.truthy(responses:find("^yes failed: "), responses)
    assert.are.equal(0, nginx:quit())
    assert.are.equal("", nginx:complaints())
  end)

  -- Each request has a Lua state then, which ends with it.
  it("has nothing left of 150 requests with lua_code_cache off", function()
    local nginx = helper.start(stage, { http = "lua_code_cache off;" .. HTTP, server = SERVER })
    local pid = nginx:workers()[1]
    local function requests(count)
      for i = 1, count do
        assert.are.equal("yes", (nginx:get("/call")))
        if i % 5 == 0 then
          assert.are.equal(401, http.request("POST", nginx.url .. "/webhook", "{}").status)
        end
      end
      assert.are.equal(("yes "):rep(8), (nginx:get("/side_by_side")) .. " ")
    end
    requests(10)
    local before, kilobytes = helper.descriptors(pid), memory(pid)
    requests(150)
    helper.ask_until(function()
      -- the first state stays, as it would with lua_code_cache on
      return threads(pid) <= 2 and helper.descriptors(pid) <= before
    end, "threads and descriptors to be released")
    if not helper.sanitized then
      local more = memory(pid) - kilobytes
      assert.is_true(more < 16 * 1024, more .. " KiB more")
    end
    assert.are.equal(0, nginx:quit())
  end)
end)

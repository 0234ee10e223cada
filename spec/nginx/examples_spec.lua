--- Starts the files of examples/nginx as their first lines say, against a sandbox.
local uv = require("luv")
local helper = require("spec.nginx.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

-- OpenResty's nginx has them built in, as this one then seems to.
local BUILT_IN = "load_module /usr/lib/nginx/modules/ndk_http_module.so; "
  .. "load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;"

describe("examples/nginx/", function()
  local stage = helper.stage_for_each()
  local directory

  before_each(function()
    directory = stage:directory()
    assert.are.equal(0, (process.run("/bin/sh",
      { "-c", "cp examples/nginx/* examples/*.lua " .. directory })))
  end)

  -- What differs from what a user has: the ports, where the module is, and who the workers are.
  local function start(name, env, options)
    options = options or {}
    local port = helper.free_port()
    local path = directory .. "/" .. name
    local text = helper.read_file(path):gsub("127%.0%.0%.1:8080", "127.0.0.1:" .. port)
    for pattern, replacement in pairs(options.replace or {}) do
      local count
      text, count = text:gsub(pattern, replacement)
      assert.is_true(count > 0, pattern)
    end
    process.write_file(path, text)
    env.LUA_PATH = options.lua_path or uv.cwd() .. "/lua/?.lua;" .. uv.cwd() .. "/lua/?/init.lua;;"
    env.LUA_CPATH = options.lua_cpath or helper.module_pattern()
    local directives = (uv.getuid() == 0 and "user root; " or "") .. (options.directives or "")
    local started = stage:start("/usr/sbin/nginx",
      { "-p", directory, "-c", name, "-e", "stderr", "-g", directives }, { env = env })
    stage:at_end(function() -- killed outright, it would leave its workers behind
      started:stop()
    end)
    started.url = "http://127.0.0.1:" .. port
    helper.ask_until(function()
      assert(not started.code, started.stderr)
      local connection = helper.connect(started.url):wait_connected()
      connection:close()
      uv.sleep(5)
      return connection.connected
    end, "nginx to listen")
    return started
  end

  -- The sandbox signs nothing, and the endpoints say that they take what is not signed.
  local function stop(started)
    assert.are.equal(0, started:stop())
    local open
    started.stderr, open = started.stderr:gsub("[^\n]*%[warn%][^\n]*webhooks of anybody[^\n]*", "")
    assert.is_true(open >= 1)
    for _, level in ipairs { "warn", "error", "crit", "alert", "emerg" } do
      assert.is_nil(started.stderr:find("[" .. level .. "]", 1, true), started.stderr)
    end
  end

  local function new_login(sandbox)
    return helper.json.decode(http.request("POST", sandbox .. "/sandbox/logins",
      '{"platform": "uber", "external_id": "worker-1"}').body).data
  end

  -- A worker logs in, and the sandbox sends its webhooks to an address.
  local function log_in(sandbox, key, address)
    local status, _, err = process.run(process.program(),
      { "run", "examples/webhook.lua", address },
      { env = { PALENCA_BASE_URL = sandbox, PALENCA_API_KEY = key } })
    assert.are.equal(0, status, err)
    return new_login(sandbox)
  end

  -- Waits until the sandbox got 200 for both webhooks of a login.
  local function wait_deliveries(sandbox, login)
    helper.ask_until(function()
      uv.sleep(20)
      local response = http.request("GET", sandbox .. "/sandbox/deliveries?login_id="
        .. login.login_id)
      local delivered = 0
      for _, one in ipairs(helper.json.decode(response.body).data.deliveries) do
        delivered = delivered + (one.state == "delivered" and 1 or 0)
      end
      return delivered == 2
    end, "the webhooks to be delivered")
  end

  local function check_notified(own, account)
    local body = helper.json.decode(own:wait_request("/income").body)
    assert.are.same({ account, "worker-1", "mxn" },
      { body.account_id, body.external_id, body.currency })
    assert.truthy(body.monthly_income)
    assert.are.equal(1, #own.requests)
  end

  it("webhook.conf runs the handlers for what the sandbox sends", function()
    local _, sandbox, key = stage:sandbox()
    local own = stage:server()
    local nginx = start("webhook.conf", { PALENCA_API_KEY = key, PALENCA_BASE_URL = sandbox,
      NOTIFY_URL = own.url .. "/income" })
    local login = log_in(sandbox, key, nginx.url .. "/webhooks/palenca")
    wait_deliveries(sandbox, login)
    check_notified(own, login.account_id)
    stop(nginx)
  end)

  it("webhook.conf runs in OpenResty's way, with the module as LuaRocks installs it", function()
    local tree = stage:directory()
    local status, out, err = process.run("/bin/sh", { "-c", "cp -R core lua rockspec LICENSE "
      .. "README.md examples " .. tree .. " && cd " .. tree
      .. " && luarocks --lua-version 5.1 make --deps-mode none --tree rocks "
      .. "rockspec/palenca-scm-1.rockspec" })
    assert.are.equal(0, status, out .. err)
    local _, sandbox, key = stage:sandbox()
    local own = stage:server()
    local share = tree .. "/rocks/share/lua/5.1"
    local nginx = start("webhook.conf", { PALENCA_API_KEY = key, PALENCA_BASE_URL = sandbox,
      NOTIFY_URL = own.url .. "/income" }, {
      replace = { ["load_module [^\n]*\n"] = "" }, directives = BUILT_IN,
      lua_path = share .. "/?.lua;" .. share .. "/?/init.lua;;",
      lua_cpath = tree .. "/rocks/lib/lua/5.1/?.so;;",
    })
    local login = log_in(sandbox, key, nginx.url .. "/webhooks/palenca")
    check_notified(own, login.account_id)
    wait_deliveries(sandbox, login)
    stop(nginx)
  end)

  it("account.conf responds with an account's income", function()
    local _, sandbox, key = stage:sandbox()
    local nginx = start("account.conf", { PALENCA_API_KEY = key, PALENCA_BASE_URL = sandbox })
    local function get(account)
      local _, out = process.run("/usr/bin/env", { "curl", "-sS", "-w", "%{http_code}",
        nginx.url .. "/income/" .. account })
      local body, code = out:match("^(.*\n)(%d+)$")
      return tonumber(code), helper.json.decode(body), body
    end
    local account = new_login(sandbox).account_id
    local status, income, text = get(account)
    assert.are.equal(200, status)
    assert.are.same({ account, "mxn" }, { income.account_id, income.currency })
    assert.truthy(income.monthly_income:find("^%d+%.%d%d$"))
    assert.truthy(text:find('"problems":[]', 1, true), text)
    local missing, problem = get("00000000-0000-4000-8000-000000000000")
    assert.are.same({ 404, "not_found" }, { missing, problem.error })
    local odd
    odd, problem = get("1")
    assert.are.same({ 400, "invalid" }, { odd, problem.error })
    assert.are.equal(403, http.request("POST", nginx.url .. "/income/" .. account, "{}").status)
    assert.is_nil(nginx.stderr:find(key, 1, true))
    nginx:stop()
  end)

  it("forward.conf forwards to palenca serve, which stores and handles", function()
    local _, sandbox, key = stage:sandbox()
    local own = stage:server()
    local served = stage:serve({ path = "examples/notify.lua", env = { PALENCA_BASE_URL = sandbox,
      PALENCA_API_KEY = key, NOTIFY_URL = own.url .. "/income" } })
    local nginx = start("forward.conf", {}, {
      replace = { ["127%.0%.0%.1:8081"] = served.url:match("^http://([%d.:]+)") },
    })
    local address = nginx.url .. "/webhooks/palenca"
    assert.are.equal(400, http.request("POST", address, "{}").status)
    local login = log_in(sandbox, key, address)
    wait_deliveries(sandbox, login)
    check_notified(own, login.account_id)
    helper.wait_state(served.db, login.account_id, "done")
    stop(nginx)
  end)
end)

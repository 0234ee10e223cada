--- The listener of `--admin`: who may ask it for what, and what it counts.
local uv = require("luv")
local documents = require("spec.support.documents")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local GUIDE = "core/host/README.md"

local function serve(stage, options)
  options.arguments = table.move({ "--admin", options.admin or "127.0.0.1:0" }, 1, 2,
    #(options.arguments or {}) + 1, options.arguments or {})
  local served = stage:serve(options)
  served.admin = served.stderr:match("metrics and health at (http://[%d.:]+)")
  return served
end

local function metrics_of(served)
  local response = http.request("GET", served.admin .. "/metrics")
  assert.equal(200, response.status)
  return response.body, response.headers
end

-- The value of a sample; nil if there is none.
local function value_of(text, sample)
  return tonumber(("\n" .. text):match("\n" .. sample:gsub("%p", "%%%0") .. " (%S+)\n"))
end

local function wait_value(served, sample, expected)
  local text
  helper.ask_until(function()
    text = metrics_of(served)
    return value_of(text, sample) == expected
  end, ("%s to be %g"):format(sample, expected))
  return text
end

describe("the metrics", function()
  local stage = helper.stage()
  local served

  setup(function()
    local _, url, key = stage:sandbox({ "--seed", "1", "--accounts", "1" })
    served = serve(stage, {
      env = { PALENCA_API_KEY = key, PALENCA_BASE_URL = url },
      arguments = { "--workers", "1", "--max-attempts", "2" },
      text = [[
        local palenca = require "palenca"
        local client = palenca.new()
        palenca.on("login.success", { retry_wait = 60 }, function(event)
          if event.platform == "calls" then
            client.accounts:get("cb39ee15-f29f-427d-9119-0c627575610d")
          elseif event.platform == "fails" then
            error "again"
          end
        end)
        palenca.on("own.action", { max_attempts = 1 }, function() error "never" end)
      ]],
    })
  end)

  teardown(function()
    stage:clear()
  end)

  it("are what promtool accepts", function()
    local path = process.write_file(stage:directory() .. "/metrics", (metrics_of(served)))
    local status, out, err = process.run("/bin/sh", { "-c", "promtool check metrics < " .. path })
    assert.equal(0, status, out .. err)
    assert.equal("", out .. err)
  end)

  it("have the format's type, and are not stored", function()
    local _, headers = metrics_of(served)
    assert.truthy(headers["content-type"]:find("^text/plain; version=0.0.4"))
    assert.equal("no-store", headers["cache-control"])
  end)

  it("are those of the operator's guide, and no others", function()
    local expected, found = {}, {}
    for _, title in ipairs { "Metrics of webhooks and events", "Metrics of handlers and the API",
      "Metrics of the process" } do
      for _, row in ipairs(documents.rows_under(documents.read(GUIDE), title)) do
        local name = documents.cells(row)[1]:match("^`([%l_]+)`$")
        expected[#expected + 1] = name
      end
    end
    for name in metrics_of(served):gmatch("# TYPE ([%l_]+) ") do
      found[#found + 1] = name
    end
    table.sort(expected)
    table.sort(found)
    assert.is_true(#found > 20)
    assert.same(expected, found)
  end)

  it("name every reason of the guide", function()
    local expected, found = {}, {}
    for _, row in ipairs(documents.rows_under(documents.read(GUIDE),
      "Reasons for not being ready")) do
      expected[documents.cells(row)[1]:match("^`([%l_]+)`$") or "reason"] = true
    end
    expected.reason = nil
    for name in metrics_of(served):gmatch('palenca_problem{reason="([%l_]+)"}') do
      found[name] = true
    end
    assert.same(expected, found)
  end)

  it("count webhooks by code, events, duplicates and batches", function()
    local body = helper.body({ account_id = "first" })
    assert.equal(200, http.request("POST", served.url, body).status)
    assert.equal(200, http.request("POST", served.url, body).status)
    assert.equal(400, http.request("POST", served.url, "{}").status)
    assert.equal(404, http.request("POST", served.url .. "/other", "{}").status)
    assert.equal(413, http.request("POST", served.url, ("x"):rep(70000)).status)
    assert.equal(415, http.request("POST", served.url, body, { ["Content-Encoding"] = "gzip" })
      .status)
    local text = wait_value(served, 'palenca_attempts_total{outcome="done"}', 1)
    assert.equal(2, value_of(text, 'palenca_webhooks_received_total{code="200"}'))
    for _, code in ipairs { "400", "404", "413", "415" } do
      assert.equal(1, value_of(text, ('palenca_webhooks_received_total{code="%s"}'):format(code)))
    end
    assert.equal(1, value_of(text, "palenca_events_stored_total"))
    assert.equal(1, value_of(text, "palenca_events_duplicates_total"))
    assert.equal(2, value_of(text, "palenca_store_batch_events_sum"))
    assert.is_true(value_of(text, "palenca_store_commit_seconds_count") >= 2)
    assert.is_true(value_of(text, "palenca_store_commit_seconds_sum") > 0)
    assert.equal(1, value_of(text, 'palenca_handler_seconds_count{action="login.success"}'))
    wait_value(served, "palenca_workers", 1)
  end)

  it("count events by state, as the database has them, and the age of the oldest", function()
    wait_value(served, "palenca_oldest_unfinished_event_age_seconds", 0)
    helper.post(served.url, { account_id = "late", platform = "fails" })
    helper.post(served.url, { account_id = "late" }) -- waits behind it
    helper.post(served.url, { webhook_action = "own.action", account_id = "dead" })
    local text = wait_value(served, 'palenca_events{state="dead"}', 1)
    text = wait_value(served, 'palenca_events{state="received"}', 1) or text
    assert.equal(1, value_of(text, 'palenca_events{state="retry"}'))
    assert.equal(0, value_of(text, 'palenca_events{state="running"}'))
    assert.equal("0|1\n2|1\n4|1", helper.query(served.db,
      "SELECT state, count(*) FROM events WHERE state <> 3 GROUP BY state"))
    assert.equal(1, value_of(text, 'palenca_attempts_total{outcome="dead"}'))
    assert.equal(1, value_of(text, 'palenca_attempts_total{outcome="retry"}'))
    assert.equal(1, value_of(text, 'palenca_handler_seconds_count{action="other"}'))
    helper.ask_until(function()
      return value_of(metrics_of(served), "palenca_oldest_unfinished_event_age_seconds") > 0
    end, "an age")
  end)

  it("follow what commands change", function()
    local status, _, err = process.run(process.program(), { "events", "retry-dead", "--db",
      served.db })
    assert.equal(0, status, err)
    wait_value(served, 'palenca_attempts_total{outcome="dead"}', 2)
    wait_value(served, 'palenca_events{state="dead"}', 1)
  end)

  it("count the API's requests by class, and what the limit leaves", function()
    wait_value(served, 'palenca_api_requests_total{status="2xx"}', 1) -- whether the key is taken
    helper.post(served.url, { account_id = "third", platform = "calls" })
    local text = wait_value(served, 'palenca_api_requests_total{status="2xx"}', 2)
    local left = value_of(text, "palenca_api_limit_remaining")
    assert.is_true(left > 0 and left < 1000)
    assert.equal(2, value_of(text, "palenca_api_limit_wait_seconds_count"))
  end)

  it("have the versions, and what the system knows of the process", function()
    local text = metrics_of(served)
    local labels = text:match("\npalenca_build_info{(.-)} 1\n")
    local _, out = process.run(process.reader(), { "version", "--verbose" })
    for _, name in ipairs { "version", "sqlite", "openssl", "libcurl", "libuv", "lua" } do
      local version = labels:match("%f[%w_]" .. name .. '="([^"]+)"')
      assert.truthy(version and out:find(version, 1, true), name)
    end
    -- that of the scrape's connection has been closed
    assert.equal(helper.descriptors(served.pid) + 1, value_of(text, "process_open_fds"))
    assert.is_true(math.abs(value_of(text, "process_start_time_seconds") - os.time()) < 600)
    assert.is_true(value_of(text, "process_resident_memory_bytes") > 2 ^ 20)
    assert.is_true(value_of(text, "process_cpu_seconds_total") > 0)
  end)

  it("have labels for the actions that the API documents", function()
    local known = helper.read_file("core/host/common/metrics.c"):match("actions%[%] = {(.-)}")
    local expected, found = { other = true }, {}
    for name in pairs(require("palenca.util.webhook_actions")) do
      expected[name] = true
    end
    for name in known:gmatch('"([^"]+)"') do
      found[name] = true
    end
    assert.same(expected, found)
  end)

  it("are read with GET only, at known paths, under a local name", function()
    local function status_of(method, path, host)
      return http.request(method, served.admin .. path, nil, { Host = host }).status
    end
    for _, method in ipairs { "POST", "PUT", "DELETE", "OPTIONS" } do
      assert.equal(405, status_of(method, "/metrics"), method)
    end
    assert.equal(404, status_of("GET", "/metrics/"))
    assert.equal(404, status_of("GET", "/webhooks/palenca"))
    for _, host in ipairs { "localhost", "LocalHost:9090", "127.0.0.1", "127.8.9.1:1", "[::1]",
      "[::1]:80" } do
      assert.equal(200, status_of("GET", "/healthz", host), host)
    end
    for _, host in ipairs { "rebound.example", "localhost.example", "127.0.0.1.example",
      "192.0.2.1", "[2001:db8::1]:9090" } do
      assert.equal(403, status_of("GET", "/healthz", host), host)
    end
    assert.equal(404, http.request("GET", served.url:match("^http://[^/]+") .. "/metrics").status)
  end)
end)

describe("the metrics of workers", function()
  local stage = helper.stage_for_each()

  it("count those that are blocked and those that have replaced one", function()
    local fifo = stage:directory() .. "/fifo"
    assert.equal(0, (process.run("/usr/bin/mkfifo", { fifo })))
    local writer = assert(io.open(fifo, "r+"))
    local served = serve(stage, { arguments = { "--workers", "1", "--cpu-timeout", "0.1" },
      env = { SPEC_FIFO = fifo }, text = [[
        require("palenca").on("*", function()
          local file = io.open(os.getenv("SPEC_FIFO"))
          file:setvbuf("no")
          file:read(1) -- cannot be stopped
        end)]] })
    local before = wait_value(served, "palenca_workers", 1)
    assert.is_nil(value_of(before, "palenca_api_limit_remaining"))
    helper.post(served.url, { account_id = "a" })
    wait_value(served, "palenca_workers_blocked", 1)
    wait_value(served, "palenca_workers_replaced_total", 1)
    writer:write("x")
    writer:flush()
    local text = wait_value(served, "palenca_workers_blocked", 0)
    assert.equal(1, value_of(text, "palenca_workers_replaced_total"))
    wait_value(served, 'palenca_attempts_total{outcome="done"}', 1)
    writer:close()
  end)
end)

describe("the listener of --admin", function()
  local stage = helper.stage_for_each()

  local function rejected(directory, place, env)
    local script = process.write_file(directory .. "/script.lua", "")
    local arguments = { "serve", script, "--listen", "127.0.0.1:0", "--db",
      directory .. "/events.db" }
    if not env then
      table.move({ "--admin", place }, 1, 2, #arguments + 1, arguments)
    end
    local status, _, err = process.run(process.program(), arguments,
      { env = env or { PALENCA_API_KEY = "spec-key" } })
    assert.equal(2, status, err)
    assert.is_nil(uv.fs_stat(directory .. "/events.db"))
    assert.is_nil(uv.fs_stat(directory .. "/events.db-lock"))
    return err
  end

  it("cannot have a port that is in use, and leaves no file", function()
    local other = stage:server()
    local err = rejected(stage:directory(), other.url:match("//(.*)"))
    assert.truthy(err:find("Address already in use (see --admin)", 1, true), err)
  end)

  it("needs an address that is one, from a flag or the environment", function()
    local directory = stage:directory()
    assert.truthy(rejected(directory, "9090"):find("--admin (or $PALENCA_ADMIN): '9090' is not",
      1, true))
    assert.truthy(rejected(directory, nil, { PALENCA_ADMIN = "here" }):find("'here' is not", 1,
      true))
    assert.truthy(rejected(directory, "192.0.2.1:0"):find("(see --admin)", 1, true))
    assert.truthy(rejected(directory, "unix:" .. directory .. "/no/socket"):find(
      "No such file or directory (see --admin)", 1, true))
    assert.truthy(rejected(directory, "unix:" .. directory .. "/script.lua"):find(
      "is there already, and is not a socket (see --admin)", 1, true))
  end)

  it("can be a socket of the owner and the group, without a check of Host", function()
    local directory = stage:directory()
    local path = directory .. "/admin.sock"
    local served = stage:serve({ directory = directory,
      arguments = { "--admin", "unix:" .. path } })
    assert.equal("0660", ("%04o"):format(uv.fs_stat(path).mode & 511))
    for _, name in ipairs { "metrics", "healthz", "readyz" } do
      local status, out, err = process.run("/usr/bin/curl", { "-sS", "--fail", "--unix-socket",
        path, "http://palenca/" .. name })
      assert.equal(0, status, err)
      assert.is_true(#out > 10)
    end
    assert.equal(0, served:stop())
    assert.is_nil(uv.fs_stat(path))
  end)

  it("warns if other machines can reach it, which may use any name", function()
    local served = stage:serve({ arguments = { "--admin", "0.0.0.0:0" } })
    local url = served.stderr:match("warning: other machines can read the metrics at (%S+);")
    url = url:gsub("0%.0%.0%.0", "127.0.0.1")
    assert.equal(200, http.request("GET", url .. "/healthz", nil, { Host = "name.example" }).status)
    served:wait_output("stderr", "(palenca: no admin page: other machines can reach http://)")
    for _, path in ipairs { "/", "/api/events", "/api/stats" } do
      local response = http.request("GET", url .. path)
      assert.equal(404, response.status)
      assert.truthy(response.body:find("the page is only where no other machine can reach it"))
    end
    assert.equal(404, http.request("POST", url .. "/api/replay", "{}").status)
  end)
end)

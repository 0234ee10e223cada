--- From the first byte of `login.success` to the end of a handler that reads account, profile and
-- earnings, and decides: round trips, time and requests, with the API 25 ms away in each direction.
--
-- The round trips are counted by the line itself (delay_relay.c), which delays the handshake of TCP
-- as well. It has no bandwidth and no slow start: the responses are compressed, so that those of
-- one decision would fit into the first window of a real line.
local uv = require("luv")
local bench = require("spec.bench.parts.bench")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local trips = {}

local DELAY = 25 -- ms
local HISTORIES = {
  { name = "60 days", account = "cb39ee15-f29f-427d-9119-0c6275756060", rows = 60 },
  { name = "13 months", account = "cb39ee15-f29f-427d-9119-0c6275756396", rows = 396 },
}
local WARM_DECISIONS = 3

local NGINX = [[
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
daemon off;
USER
worker_processes 1;
pid nginx.pid;
error_log nginx.log error;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000;
  default_type application/json;
  gzip on; gzip_types application/json; gzip_min_length 500;
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
  uwsgi_temp_path t4; scgi_temp_path t5;
  ssl_certificate certificate.pem; ssl_certificate_key key.pem; ssl_protocols TLSv1.3;
  lua_shared_dict counts 64k;
  init_by_lua_block {
    local ROW = '{"amount":%d.%02d,"currency":"mxn","count_trips":%d,"earning_date":"%s",'
      .. '"cash_amount":null}'
    local rows_of = { ["cb39ee15-f29f-427d-9119-0c6275756060"] = 60,
      ["cb39ee15-f29f-427d-9119-0c6275756396"] = 396 }
    local pages = {}
    function page_of(account, number)
      local total = rows_of[account]
      local list, last = {}, math.min(number * 100, total)
      for at = (number - 1) * 100 + 1, last do
        local value = at * 7919 % 60000
        list[#list + 1] = ROW:format(200 + value / 100, value % 100, at * 31 % 23,
          os.date("!%Y-%m-%d", 1767225600 - at * 86400))
      end
      return ('{"success":true,"error":null,"data":{"earnings":[%s]},"pagination":{"page":%d,'
        .. '"items_per_page":100,"total_items":%d,"total_pages":%d}}'):format(
        table.concat(list, ","), number, total, math.ceil(total / 100))
    end
    for account, total in pairs(rows_of) do
      pages[account] = {}
      for number = 1, math.ceil(total / 100) do
        pages[account][number] = page_of(account, number)
      end
    end
    function respond(text)
      ngx.shared.counts:incr("requests", 1, 0)
      ngx.header["X-Request-Id"] = "bench"
      ngx.header.content_length = #text
      ngx.print(text)
    end
    function search(account)
      ngx.req.read_body()
      respond(pages[account][tonumber(ngx.req.get_body_data():match('"page": ?(%d+)'))])
    end
    local profile = '{"success":true,"error":null,"data":{"account_id":"x","profile":'
      .. '{"first_name":"A","last_name":"B","email":"a@b.mx","city_name":"CDMX"},"ids_info":[],'
      .. '"bank_info":null,"vehicle_info":null,"metrics_info":{"rating":4.9}}}'
    local account = '{"success":true,"error":null,"data":{"account_id":"x","user_id":"u",'
      .. '"platform":"uber","country":"mx"}}'
    function get(what) respond(what == "/profile" and profile or account) end
  }
  server {
    listen 127.0.0.1:FIRST ssl;
    listen 127.0.0.1:SECOND ssl http2;
    location ~ ^/v1/accounts/([\w-]+)/earnings/search$ {
      content_by_lua_block { search(ngx.var[1]) }
    }
    location ~ ^/v1/accounts/[\w-]+(/profile|)$ { content_by_lua_block { get(ngx.var[1]) } }
  }
  server {
    listen 127.0.0.1:COUNTS;
    location = / { content_by_lua_block {
      ngx.print(ngx.shared.counts:get("requests") or 0)
      ngx.shared.counts:set("requests", 0)
    } }
  }
}
]]

local SCRIPT = [[
  local palenca = require "palenca"
  local core = require "palenca.core"
  local client = palenca.new{ rate_limit = 100000 }

  palenca.on("login.success", function(event)
    local id = event.account_id
    local account, profile, earnings = palenca.gather(function()
      return client.accounts:get(id)
    end, function()
      return client.accounts:profile(id)
    end, function()
      local rows, report = client.accounts:earnings(id,
        { start_date = "2024-10-01", end_date = "2026-01-01" }):all()
      return { rows = assert(rows, report), report = report }
    end)
    local stream = palenca.income.merge{ { rows = earnings.rows, report = earnings.report,
      account = id, platform = account.platform } }
    local income = palenca.income.analyze(stream, { as_of = "2025-12-31" })
    local verdict = palenca.income.decide(income, { version = "2026-11" },
      { installment = "3000.00" })
    local file = io.open(os.getenv "BENCH_FILE", "a")
    file:write(("%.6f %d %s\n"):format(core.steady_time(), #earnings.rows,
      tostring(verdict and profile.profile ~= nil)))
    file:close()
  end)
]]

-- ---- what is between ------------------------------------------------------------------

local function start_api(stage)
  local directory = bench.directory()
  local _, certificate = process.certificate(directory)
  local ports = { FIRST = bench.free_port(), SECOND = bench.free_port(),
    COUNTS = bench.free_port(), USER = uv.getuid() == 0 and "user root;" or "" }
  process.write_file(directory .. "/nginx.conf", (NGINX:gsub("%u%u%u%u+", ports)))
  local started = stage:start("/usr/sbin/nginx", { "-p", directory, "-e", "nginx.log", "-c",
    "nginx.conf" })
  stage:at_end(function()
    started:stop()
  end)
  bench.wait_port(ports.COUNTS, started)
  return { ports = { ["1.1"] = ports.FIRST, ["2"] = ports.SECOND }, certificate = certificate,
    counts = "http://127.0.0.1:" .. ports.COUNTS .. "/" }
end

local Relay = {}
Relay.__index = Relay

-- A line to a port of this machine; it is driven by lines on its standard input.
local function start_relay(stage, port)
  local input, output = uv.new_pipe(false), uv.new_pipe(false)
  local self = setmetatable({ input = input, text = "" }, Relay)
  local handle
  handle = uv.spawn(bench.built("delay_relay"), {
    args = { tostring(port), tostring(DELAY) }, stdio = { input, output, 2 },
  }, function()
    handle:close()
  end)
  output:read_start(function(_, data)
    self.text = self.text .. (data or "")
  end)
  stage:at_end(function()
    input:close()
    output:close()
  end)
  self.url = "https://localhost:" .. self:line():match("port (%d+)")
  return self
end

function Relay:line()
  process.wait_for(function()
    return self.text:find("\n", 1, true)
  end, "a line of the relay")
  local line
  line, self.text = self.text:match("^([^\n]*)\n(.*)$")
  return line
end

function Relay:ask(command)
  self.input:write(command .. "\n")
  return self:line()
end

function Relay:count()
  local depth, opened, ready, busy = self:ask("count")
    :match("depth (%d+) opened (%d+) ready (%d+) busy (%d+)")
  return { depth = tonumber(depth), opened = tonumber(opened), ready = tonumber(ready),
    busy = tonumber(busy) }
end

-- Waits until nothing has been under way for a while.
function Relay:wait_quiet(min_ready)
  local since
  process.poll_for(function()
    local now = self:count()
    if now.busy > 0 or now.ready < min_ready then
      since = nil
    else
      since = since or uv.hrtime()
    end
    return since and uv.hrtime() - since > 0.15e9
  end, "a quiet line")
end

-- ---- who decides ------------------------------------------------------------------------

local function ours(_, api, relay)
  local file = bench.directory() .. "/out"
  local served = bench.serve(SCRIPT, { env = {
    PALENCA_BASE_URL = relay.url, PALENCA_CA_FILE = api.certificate, BENCH_FILE = file } })
  relay:wait_quiet(1) -- it has asked whether the key is taken
  assert(relay:ask("drop") == "dropped")
  return { url = served.url, file = file, log = served.log, announces = true, stop = function()
    assert(served:stop() == 0, served:describe())
  end }
end

local function by_hand(command, arguments, env)
  return function(stage, api, relay)
    local file = bench.directory() .. "/out"
    local values = { URL = relay.url, CA = api.certificate, FILE = file }
    local filled = {}
    for at, text in ipairs(arguments) do
      filled[at] = values[text] or text
    end
    local started = stage:start(command, filled, { env = env and env(api) })
    local port = started:wait_output("stdout", "port%s+(%d+)\n")
    return { url = "http://127.0.0.1:" .. port .. "/", file = file, stop = function()
      started:stop()
    end }
  end
end

local PROGRAMS = {
  { name = "palenca serve, HTTP/2", http = "2", start = ours },
  { name = "palenca serve, HTTP/1.1", http = "1.1", start = ours },
  { name = "by hand: LuaJIT, lua-curl", http = "2",
    start = by_hand("/usr/bin/luajit", { "spec/bench/parts/decide_by_hand.lua", "URL", "CA",
      "FILE" }) },
  { name = "by hand: Node, fetch", http = "1.1",
    start = by_hand("/usr/bin/env", { "node", "spec/bench/parts/decide_by_hand.mjs", "URL",
      "FILE" }, function(api)
        return { NODE_EXTRA_CA_CERTS = api.certificate, NODE_NO_WARNINGS = "1" }
      end) },
}

-- ---- a decision -------------------------------------------------------------------------

local function send(url, account, action)
  local connection = helper.connect(url)
  local body = helper.body({ account_id = account, webhook_action = action })
  connection:wait_connected()
  local began = uv.hrtime() / 1e9
  connection:send(("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"):format(
    url:match("^http://[^/]+(/.*)$"), #body, body))
  local response = connection:response()
  assert(response and response.status == 200, "a webhook was not taken")
  connection:close()
  return began
end

local function requests(api)
  local _, out = process.run("/usr/bin/env", { "curl", "-s", api.counts })
  return tonumber(out)
end

local function line_of(text, number)
  for line in text:gmatch("([^\n]*)\n") do
    number = number - 1
    if number == 0 then
      return line
    end
  end
end

local function decide(api, relay, program, history, number)
  requests(api)
  assert(relay:ask("mark") == "marked")
  local began = send(program.url, history.account, "login.success")
  local at, rows = process.poll_for(function()
    return line_of(helper.read_file(program.file) or "", number)
  end, function()
    return "a decision\n" .. (program.log and helper.read_file(program.log) or "")
  end):match("^(%S+) (%d+) true$")
  assert(tonumber(rows) == history.rows, "not all rows")
  local counts = relay:count()
  local ms = 1000 * (tonumber(at) - began)
  relay:wait_quiet(0)
  return { trips = counts.depth, ms = ms, above = ms - counts.depth * 2 * DELAY,
    requests = requests(api), opened = counts.opened }
end

-- Nothing is connected before the first decision. A login that has started comes before each of
-- those that are warm, and who listens to it has the time that a login takes to connect.
local function measure(stage, api, relay, program, history)
  local cold = program.start(stage, api, relay)
  local results = { cold = decide(api, relay, cold, history, 1), warm = {} }
  cold.stop()
  assert(relay:ask("drop") == "dropped")
  local warm = program.start(stage, api, relay)
  local done = 0
  if not warm.announces then
    decide(api, relay, warm, history, 1)
    done = 1
  end
  for number = 1, WARM_DECISIONS do
    send(warm.url, history.account, "login.created")
    relay:wait_quiet(1)
    results.warm[number] = decide(api, relay, warm, history, done + number)
  end
  warm.stop()
  assert(relay:ask("drop") == "dropped")
  return results
end

local function add(to, from)
  for _, one in ipairs(from) do
    to[#to + 1] = one
  end
end

local function mean_trips(list)
  local sum = 0
  for _, one in ipairs(list) do
    sum = sum + one.trips
  end
  return sum / #list
end

--- Measures and prints; `rounds` times.
function trips.run(stage, rounds)
  local api = start_api(stage)
  local relays, results = {}, {}
  for version, port in pairs(api.ports) do
    relays[version] = start_relay(stage, port)
  end
  for round = 1, rounds do
    for _, program in ipairs(PROGRAMS) do
      for _, history in ipairs(HISTORIES) do
        bench.progress("round %d of %d: %s, %s", round, rounds, program.name, history.name)
        local key = program.name .. history.name
        results[key] = results[key] or { cold = {}, warm = {} }
        local one = measure(stage, api, relays[program.http], program, history)
        add(results[key].cold, { one.cold })
        add(results[key].warm, one.warm)
      end
    end
  end
  bench.progress("")
  print(("%-28s %-10s %-5s %12s %8s %10s %9s %12s"):format("", "", "", "round trips", "ms",
    "ms above", "requests", "connections"))
  for _, program in ipairs(PROGRAMS) do
    for _, history in ipairs(HISTORIES) do
      for _, state in ipairs({ "cold", "warm" }) do
        local list = results[program.name .. history.name][state]
        local median = bench.medians(list)
        print(("%-28s %-10s %-5s %12.2f %8.1f %10.1f %9.0f %12.0f"):format(program.name,
          history.name, state, mean_trips(list), median.ms, median.above, median.requests,
          median.opened))
      end
    end
  end
  print()
  for _, version in ipairs({ "2", "1.1" }) do
    local function result(history, state)
      return results["palenca serve, HTTP/" .. version .. history][state]
    end
    local suffix = version == "2" and "" or "_of_http1"
    local warm = result("60 days", "warm")
    bench.target("warm_trips_of_60_days" .. suffix, mean_trips(warm), "<=", 1.2)
    bench.target("warm_ms_above_of_60_days" .. suffix, bench.medians(warm).above, "<=", 5)
    bench.target("cold_trips_of_60_days" .. suffix, mean_trips(result("60 days", "cold")), "<=", 4)
    bench.target("warm_trips_of_13_months" .. suffix, mean_trips(result("13 months", "warm")),
      "<=", 3.3)
  end
end

return trips

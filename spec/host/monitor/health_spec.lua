--- `/readyz` and `/healthz` while something fails, and when that is over.
local uv = require("luv")
local cjson = require("cjson")
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

-- Seconds within which a failure, and its end, is to be seen; the machine may be busy.
local WITHIN = helper.sanitized and 10 or 2

local function admin_of(served)
  return served.stderr:match("metrics and health at (http://[%d.:]+)")
end

-- The status of a path, and the reasons that it names.
local function ask(served, path)
  local response = http.request("GET", admin_of(served) .. path)
  local reasons = {}
  for _, reason in ipairs(cjson.decode(response.body).reasons or {}) do
    assert.truthy(reason.message)
    reasons[#reasons + 1] = reason.reason
  end
  return response.status, table.concat(reasons, " ")
end

local function wait_ready(served, status, reasons)
  local began = uv.hrtime()
  local seen
  helper.ask_until(function()
    seen = { ask(served, "/readyz") }
    return seen[1] == status and seen[2] == (reasons or "")
  end, "/readyz to be " .. status)
  local seconds = (uv.hrtime() - began) / 1e9
  assert.is_true(seconds < WITHIN, ("%d %s after %.2f s"):format(status, reasons or "", seconds))
end

describe("/readyz", function()
  local stage = helper.stage_for_each()
  local directory

  before_each(function()
    directory = stage:directory()
  end)

  local function serve(options)
    options = options or {}
    options.directory = options.directory or directory
    options.arguments = table.move({ "--admin", "127.0.0.1:0" }, 1, 2,
      #(options.arguments or {}) + 1, options.arguments or {})
    return stage:serve(options)
  end

  -- Has a sync take N milliseconds, and an event wait for it.
  local function hang(milliseconds)
    local switch = directory .. "/switch"
    local served = serve({ env = { LD_PRELOAD = faults.built("libslow_disk.so"),
      SLOW_DISK_SWITCH = switch } })
    wait_ready(served, 200)
    process.write_file(switch .. ".new", tostring(milliseconds))
    assert(os.rename(switch .. ".new", switch))
    local connection, body = stage:connect(served.url), helper.body()
    connection:send(("POST /webhooks/palenca HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s")
      :format(#body, body))
    process.poll_for(function()
      return uv.fs_stat(switch .. ".began")
    end, "a sync")
    os.remove(switch)
    return served, connection
  end

  it("is not ready before the script is loaded", function()
    local script = process.write_file(directory .. "/script.lua",
      'while not io.open(os.getenv "SPEC_GO") do require("palenca").sleep(0.05) end')
    local served = stage:palenca({ "serve", script, "--listen", "127.0.0.1:0", "--admin",
      "127.0.0.1:0", "--db", directory .. "/events.db", "--workers", "1" },
      { env = { PALENCA_API_KEY = "k", SPEC_GO = directory .. "/go" } })
    served:wait_output("stderr", "metrics and health at (http%S+)\n")
    assert.same({ 503, "starting" }, { ask(served, "/readyz") })
    assert.equal(200, (ask(served, "/healthz")))
    process.write_file(directory .. "/go", "")
    served:wait_output("stderr", "receiving webhooks")
    wait_ready(served, 200)
  end)

  it("sees the database moved away and back, without an event", function()
    local served = serve()
    wait_ready(served, 200)
    assert(os.rename(served.db, served.db .. ".away"))
    wait_ready(served, 503, "database_removed")
    assert.equal(503, http.request("POST", served.url, helper.body()).status)
    wait_ready(served, 503, "database_removed")
    assert(os.rename(served.db .. ".away", served.db))
    wait_ready(served, 200)
    served:wait_output("stderr", "(writing again to)")
    assert.equal(200, http.request("POST", served.url, helper.body()).status)
  end)

  it("sees the API reject the key, and accept it again, without an event", function()
    local sandbox, url, key = stage:sandbox()
    local served = serve({ env = { PALENCA_API_KEY = key, PALENCA_BASE_URL = url }, text = [[
      local palenca = require "palenca"
      local client = palenca.new()
      palenca.on("login.success", { max_attempts = 1 }, function()
        assert(client.webhooks:list())
      end)]] })
    local fault = http.request("POST", url .. "/sandbox/faults",
      cjson.encode({ kind = "error", status = 401, code = "invalid_api_key", times = 1000 }))
    assert.equal(201, fault.status, fault.body)
    helper.post(served.url, { account_id = "a" })
    wait_ready(served, 503, "key_rejected")
    http.request("DELETE", url .. "/sandbox/faults")
    wait_ready(served, 200)
    assert.is_nil(sandbox.code)
  end)

  it("asks about the key again after the API had another failure", function()
    local status = 401
    local api = stage:server(function(request)
      request.respond(status, status == 200 and '{"success":true,"data":{"webhooks":[]}}' or "{}")
    end)
    local served = serve({ env = { PALENCA_API_KEY = "k", PALENCA_BASE_URL = api.url }, text = [[
      local palenca = require "palenca"
      local client = palenca.new { max_retries = 0 }
      palenca.on("login.success", { max_attempts = 1 }, function()
        assert(client.webhooks:list())
      end)]] })
    helper.post(served.url, { account_id = "a" })
    wait_ready(served, 503, "key_rejected")
    status = 503
    local before = #api.requests
    process.wait_for(function()
      return #api.requests > before
    end, "a probe")
    status = 200
    wait_ready(served, 200)
  end)

  it("asks about a key that SIGHUP has read, without an event", function()
    local api = stage:server(function(request)
      local is_good = (request.headers["x-api-key"] or request.headers.authorization or "")
        :find("good", 1, true)
      request.respond(is_good and 200 or 401,
        is_good and '{"success":true,"data":{"webhooks":[]}}' or "{}")
    end)
    local key = process.write_file(directory .. "/key", "bad")
    local served = serve({ arguments = { "--api-key-file", key },
      env = { PALENCA_BASE_URL = api.url }, text = [[
      local palenca = require "palenca"
      local client = palenca.new { max_retries = 0 }
      palenca.on("login.success", { max_attempts = 1 }, function()
        assert(client.webhooks:list())
      end)]] })
    helper.post(served.url, { account_id = "a" })
    wait_ready(served, 503, "key_rejected")
    process.write_file(key, "good")
    served:kill("sighup")
    served:wait_output("stderr", "(%.lua reloaded: handles )")
    wait_ready(served, 200)
  end)

  -- The runtime of sanitizers has to be loaded before any other library.
  local it_plain = helper.sanitized and function() end or it

  it_plain("sees a sync that hangs, and its end", function()
    local served, connection = hang(3000)
    wait_ready(served, 503, "stalled")
    assert.equal(200, (ask(served, "/healthz")))
    assert.equal(200, http.request("GET", admin_of(served) .. "/metrics").status)
    assert.equal(200, connection:response().status)
    wait_ready(served, 200)
  end)

  it_plain("is not healthy after 10 s without a turn of the loop, and healthy after it", function()
    local served, connection = hang(11500)
    helper.ask_until(function()
      return ask(served, "/healthz") == 503
    end, "/healthz to be 503")
    assert.equal(200, connection:response().status)
    helper.ask_until(function()
      return ask(served, "/healthz") == 200
    end, "/healthz to be 200")
  end)

  it("sees the program end", function()
    local served = serve({ text = [[
      require("palenca").on("*", function() require("palenca").sleep(60) end)]],
      arguments = { "--drain-timeout", "60" } })
    helper.post(served.url, { account_id = "a" })
    helper.wait_state(served.db, "a", "running")
    served:kill("sigterm")
    wait_ready(served, 503, "draining")
    assert.equal(200, (ask(served, "/healthz")))
    served:kill("sigterm")
    served:wait_exit()
    assert.is_nil(http.request("GET", admin_of(served) .. "/readyz"))
  end)

  -- A file system that nobody else sees; the test is skipped where none can be mounted.
  local function small_disk()
    local disk = directory .. "/disk"
    assert(uv.fs_mkdir(disk, 448))
    local holder = stage:start("/usr/bin/unshare", { "--map-root-user", "--mount", "/bin/sh", "-c",
      'mount -t tmpfs -o size=16m events "$1" && echo mounted && exec tail -f /dev/null', "sh",
      disk })
    process.wait_for(function()
      return holder.stdout:find("mounted", 1, true) or (holder.code and holder.open == 0)
    end, "a file system")
    if holder.code then
      pending("needs the right to mount in a namespace of its own: "
        .. (holder.stderr:match("[^\n]+") or ""))
    end
    return disk, function(program, arguments)
      return "/usr/bin/nsenter", table.move(arguments, 1, #arguments, 7, { "--target",
        tostring(holder.pid), "--user", "--preserve-credentials", "--mount", program })
    end
  end

  it("sees a full disk, and room on it again, with events and without", function()
    local disk, within = small_disk()
    local script = process.write_file(directory .. "/script.lua", "")
    local path, arguments = within(process.program(), { "serve", script, "--listen",
      "127.0.0.1:0", "--admin", "127.0.0.1:0", "--db", disk .. "/events.db" })
    local served = stage:start(path, arguments, { env = { PALENCA_API_KEY = "k" } })
    served.url = served:wait_output("stderr", "receiving webhooks at (http://%S+),")
    local function fill()
      process.run(within("/bin/dd", { "if=/dev/zero", "of=" .. disk .. "/ballast", "bs=64k" }))
    end
    local function free()
      assert.equal(0, (process.run(within("/bin/rm", { disk .. "/ballast" }))))
    end
    wait_ready(served, 200)
    fill()
    wait_ready(served, 503, "disk_full")
    free()
    wait_ready(served, 200)
    fill()
    local status
    repeat -- the log has some room
      status = http.request("POST", served.url,
        helper.body({ note = ("x"):rep(50000) })).status
    until status ~= 200
    assert.equal(503, status)
    wait_ready(served, 503, "disk_full")
    free()
    wait_ready(served, 200)
    assert.equal(200, http.request("POST", served.url, helper.body()).status)
  end)
end)

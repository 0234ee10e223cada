--- What `palenca serve` takes from a service manager, and what it notifies it of.
local uv = require("luv")
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local CALLING = [[
  local palenca = require "palenca"
  palenca.on("*", function(event)
    assert(palenca.http{url = os.getenv "SPEC_URL" .. "/" .. event.account_id})
    print("handled " .. event.account_id)
  end)
]]

local function pause(milliseconds)
  local is_over = false
  uv.new_timer():start(milliseconds, 0, function()
    is_over = true
  end)
  process.wait_for(function()
    return is_over
  end, "a timer")
end

local function request_with(body)
  return "POST /webhooks/palenca HTTP/1.1\r\nHost: x\r\nContent-Length: " .. #body .. "\r\n\r\n"
    .. body
end

describe("palenca serve under a service manager", function()
  local stage = helper.stage_for_each()

  -- Starts the program below one that holds its socket: `{text=, holder={}, arguments={}, env={}}`.
  local function hold(options)
    local directory = stage:directory()
    local arguments = { "spec/support/socket_holder.py" }
    local function add(list)
      table.move(list or {}, 1, #(list or {}), #arguments + 1, arguments)
    end
    add(options.holder)
    add({ process.program(), "serve", process.write_file(directory .. "/script.lua",
      options.text or ""), "--db", directory .. "/events.db", "--workers", "1" })
    add(options.arguments)
    local env = { PALENCA_API_KEY = "spec-key" }
    for name, value in pairs(options.env or {}) do
      env[name] = value
    end
    local held = stage:start("/usr/bin/python3", arguments, { env = env })
    stage:at_end(function() -- with what it has started
      held:stop()
    end)
    held.db, held.directory = directory .. "/events.db", directory
    held.server = tonumber(held:wait_output("stdout", "started (%d+)"))
    return held
  end

  local function wait_ready(held)
    held:wait_output("stdout", "notified (READY=1)")
    held.url = held:wait_output("stderr", "receiving webhooks at (http://%S+),")
    return held
  end

  it("uses a socket that was passed, and says when it is ready and when it stops", function()
    local held = wait_ready(hold({ arguments = { "--drain-timeout", "7" } }))
    local address = held.stdout:match("listening (%S+)")
    assert.are.equal("http://" .. address .. "/webhooks/palenca", held.url)
    assert.truthy(held.stdout:find("notified READY=1 STATUS=receiving webhooks at " .. held.url,
      1, true))
    helper.post(held.url, {})
    assert.are.equal(0, held:stop(), held.stderr)
    assert.truthy(held.stdout:find("notified STOPPING=1 EXTEND_TIMEOUT_USEC=27000000", 1, true))
    assert.truthy(held.stdout:find("ended 0", 1, true))
    assert.is_nil(held.stderr:find("warning", 1, true), held.stderr)
  end)

  it("uses a Unix socket that was passed, and leaves its file", function()
    local path = stage:directory() .. "/socket"
    local held = wait_ready(hold({ holder = { "--unix", path } }))
    assert.truthy(held.stderr:find("at http://unix:" .. path .. ":/webhooks/palenca,", 1, true))
    local status, out = process.run("/usr/bin/curl", { "-sS", "--unix-socket", path, "-d",
      helper.body(), "http://x/webhooks/palenca" })
    assert.are.equal(0, status)
    assert.truthy(out:find('"received":true', 1, true), out)
    assert.are.equal(0, held:stop())
    assert.truthy(uv.fs_stat(path))
  end)

  it("warns if another address was asked for", function()
    local held = wait_ready(hold({ arguments = { "--listen", "127.0.0.1:1" } }))
    assert.truthy(held.stderr:find("warning: the socket that was passed is used, at "
      .. held.stdout:match("listening (%S+)") .. ", not --listen 127.0.0.1:1", 1, true),
      held.stderr)
  end)

  it("receives while handlers end, and starts no other; the next process runs it", function()
    local server = stage:server(function() end)
    local held = wait_ready(hold({ text = CALLING, env = { SPEC_URL = server.url } }))
    local kept = stage:connect(held.url)
    kept:send(request_with(helper.body()))
    assert.is_nil(kept:response().headers.connection)
    helper.post(held.url, { account_id = "a" })
    local request = server:wait_request("/a")
    held:kill("sighup")
    held:wait_output("stdout", "notified (STOPPING=1)")
    helper.ask_until(function()
      kept:send(request_with(helper.body()))
      return kept:response().headers.connection == "close"
    end, "the last response of a connection")
    helper.post(held.url, { account_id = "b" })
    assert.is_nil(held.stdout:find("ended", 1, true))
    assert.is_nil(server:find("/b"))
    request.respond(200)
    held:wait_output("stdout", "(handled a)")
    held:wait_output("stdout", "(ended 0)")
    server:wait_request("/b").respond(200)
    held:wait_output("stdout", "(handled b)")
  end)

  -- The connection is in the queue of the socket, or accepted by the process that ends.
  it("responds to whoever has connected before it ends", function()
    local held = wait_ready(hold({}))
    local early = stage:connect(held.url):wait_connected()
    helper.post(held.url, {}) -- it is accepted before this one
    held:kill("sighup")
    held:wait_output("stdout", "notified (STOPPING=1)")
    pause(200) -- a fifth of the time that it has
    early:send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert.are.equal(404, assert(early:response(), "no response").status)
  end)

  it("says when a reload starts, and when it has ended or failed", function()
    local held = wait_ready(hold({}))
    uv.kill(held.server, "sighup")
    held:wait_output("stdout", "(notified RELOADING=1 MONOTONIC_USEC=%d+\nnotified READY=1 "
      .. "STATUS=reloaded )")
    process.write_file(held.directory .. "/script.lua", "error('broken')")
    uv.kill(held.server, "sighup")
    held:wait_output("stdout", "(notified READY=1 STATUS=reload of %S+ failed)")
  end)

  -- The library that slows the disk would come before the sanitizers' own.
  if not helper.sanitized then
    it("feeds the watchdog, unless the loop that receives hangs", function()
      local switch = stage:directory() .. "/switch"
      local held = wait_ready(hold({ holder = { "--watchdog", "1" },
        env = { SPEC_PRELOAD = faults.built("libslow_disk.so"), SLOW_DISK_SWITCH = switch } }))
      local function fed()
        return select(2, held.stdout:gsub("WATCHDOG=1", ""))
      end
      helper.wait_lines(held, "stdout", "WATCHDOG=1", 3)
      process.write_file(switch, "2500")
      local before = fed()
      helper.post(held.url, {}) -- is responded to after the sync
      -- half of the timeout at its start, where a loop that turns has ten
      assert.is_true(fed() - before <= 4, fed() - before .. " times")
      os.remove(switch)
      helper.wait_lines(held, "stdout", "WATCHDOG=1", fed() + 1)
    end)
  end

  it("does not start with what it cannot use, and leaves no file", function()
    local held = hold({ holder = { "--sockets", "2" } })
    held:wait_output("stderr", "(the service manager has passed 2 sockets, and one is used)")
    held:stop()
    assert.is_nil(uv.fs_stat(held.db))
    assert.is_nil(uv.fs_stat(held.db .. "-lock"))
  end)

  it("ignores what was passed to another process", function()
    local served = stage:serve({ env = { LISTEN_FDS = "1", LISTEN_PID = "1",
      NOTIFY_SOCKET = "/none", WATCHDOG_USEC = "1000000", WATCHDOG_PID = "1" } })
    assert.are.equal(404, http.request("GET", (served.url:gsub("/[^:]*$", "/"))).status)
    assert.are.equal(0, served:stop(), served.stderr)
  end)
end)

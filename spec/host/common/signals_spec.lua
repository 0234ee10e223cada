--- Signals at any time between the start of the program and its end.
local uv = require("luv")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

describe("a signal", function()
  local stage = helper.stage_for_each()
  local directory

  before_each(function()
    directory = stage:directory()
  end)

  local function write(text)
    return process.write_file(directory .. "/script.lua", text)
  end

  local function start(command, env)
    local arguments = { command, directory .. "/script.lua", "--listen", "127.0.0.1:0",
      "--workers", "2", "--cpu-timeout", "600" }
    if command == "dev" then
      table.move({ "--sandbox-listen", "127.0.0.1:0" }, 1, 2, #arguments + 1, arguments)
    else
      table.move({ "--db", directory .. "/events.db" }, 1, 2, #arguments + 1, arguments)
    end
    return stage:palenca(arguments, { env = env })
  end

  -- Until it keeps signals off, which is what it does first. It is looked at without a pause: while
  -- the program waits for signals, the kernel does not count them as kept off.
  local function wait_main(started)
    local mask
    local stops = uv.hrtime() + 60e9
    repeat
      mask = (helper.read_file("/proc/" .. started.pid .. "/status") or ""):match("SigBlk:%s*(%x+)")
    until uv.hrtime() > stops or (mask and tonumber(mask, 16) & (1 << 14) ~= 0)
    assert(uv.hrtime() < stops, "signals are not kept off")
  end

  local HANGS = [[
    print("loading")
    %s
  ]]
  local hangs = {
    ["computes"] = "while true do end",
    ["waits"] = "require('palenca').sleep(86400)",
    ["blocks"] = "io.open(os.getenv('SPEC_FIFO'))",
  }

  for _, signal in ipairs({ "sigterm", "sigint" }) do
    for name, text in pairs(hangs) do
      it(signal .. " ends the program well while the script " .. name .. " as it loads", function()
        local fifo = directory .. "/fifo"
        assert.are.equal(0, (process.run("/usr/bin/mkfifo", { fifo })))
        write(HANGS:format(text))
        local started = start("serve", { SPEC_FIFO = fifo })
        started:wait_output("stdout", "loading")
        started:kill(signal)
        assert.are.equal(0, started:wait_exit(), started.stderr)
        assert.are.equal(signal:upper() .. " while the script was being loaded\n", started.stderr)
      end)
    end
  end

  it("ends dev while the script loads, and takes its database away", function()
    write(HANGS:format(hangs.waits))
    local temporary = stage:directory()
    local started = start("dev", { TMPDIR = temporary })
    started:wait_output("stdout", "loading")
    started:kill("sigterm")
    assert.are.equal(0, started:wait_exit(), started.stderr)
    assert.is_nil(uv.fs_scandir_next(uv.fs_scandir(temporary)))
  end)

  it("SIGHUP loads the script anew while it loads, any number of times", function()
    write(HANGS:format(hangs.computes))
    local started = start("serve")
    started:wait_output("stdout", "loading\n")
    started:kill("sighup")
    started:wait_output("stdout", "loading\nloading\n")
    write([[require("palenca").on("*", function() print("handled") end)]])
    started:kill("sighup")
    local url = started:wait_output("stderr", "receiving webhooks at (http://[%d.:]+/[%w/]+)")
    helper.post(url)
    started:wait_output("stdout", "handled")
    started:kill("sigterm")
    assert.are.equal(0, started:wait_exit(), started.stderr)
  end)

  it("that comes before anything is loaded is kept until it can be obeyed", function()
    write([[require("palenca").on("*", print)]])
    local started = start("serve")
    wait_main(started)
    started:kill("sighup")
    started:kill("sighup")
    started:wait_output("stderr", "receiving webhooks at")
    started:kill("sigterm")
    assert.are.equal(0, started:wait_exit(), started.stderr)
    started = start("serve")
    wait_main(started)
    started:kill("sigterm")
    started:kill("sighup")
    assert.are.equal(0, started:wait_exit(), started.stderr)
    assert.truthy(started.stderr:find("SIGTERM", 1, true), started.stderr)
  end)

  it("ends the program at any time of a start under SIGHUP, again and again", function()
    write([[require("palenca").on("*", print)]])
    for at = 1, 10 do
      local started = start("serve")
      wait_main(started)
      for _ = 1, at do
        started:kill("sighup")
        uv.run("nowait")
      end
      started:kill("sigterm")
      started:kill("sighup")
      assert.are.equal(0, started:wait_exit(), started.stderr)
    end
  end)

  it("SIGHUP amid a reload begins it anew, and SIGTERM ends the program amid one", function()
    write([[print "first" require("palenca").on("*", function() print("handled") end)]])
    local started = start("serve")
    local url = started:wait_output("stderr", "receiving webhooks at (http://[%d.:]+/[%w/]+)")
    write(HANGS:format(hangs.waits))
    started:kill("sighup")
    started:wait_output("stdout", "loading\n")
    started:kill("sighup")
    started:wait_output("stdout", "loading\n.*loading\n")
    helper.post(url)
    started:wait_output("stdout", "handled")
    started:kill("sigterm")
    started:kill("sighup")
    assert.are.equal(0, started:wait_exit(), started.stderr)
  end)

  it("SIGHUP does not end the program while it stops, and a second SIGTERM does", function()
    local gate = stage:server(function() end)
    write([[
      local palenca = require "palenca"
      palenca.on("*", function() palenca.http { url = os.getenv "SPEC_URL" } print "ended" end)
    ]])
    local started = start("serve", { SPEC_URL = gate.url .. "/" })
    local url = started:wait_output("stderr", "receiving webhooks at (http://[%d.:]+/[%w/]+)")
    helper.post(url, { account_id = "a" })
    local request = gate:wait_request("/")
    started:kill("sigterm")
    started:wait_output("stderr", "SIGTERM: finishing running handlers")
    started:kill("sighup")
    request.respond(200)
    started:wait_output("stdout", "ended")
    assert.are.equal(0, started:wait_exit(), started.stderr)

    started = start("serve", { SPEC_URL = gate.url .. "/" })
    url = started:wait_output("stderr", "receiving webhooks at (http://[%d.:]+/[%w/]+)")
    helper.post(url, { account_id = "b" })
    gate:wait_request("/", 2)
    started:kill("sigterm")
    started:wait_output("stderr", "SIGTERM: finishing running handlers")
    started:kill("sigterm")
    assert.are.equal(1, started:wait_exit(), started.stderr)
  end)

  it("that was ignored at the start is so when the terminal is gone", function()
    write([[require("palenca").on("*", print)]])
    local log = directory .. "/log"
    local terminal = stage:start("/usr/bin/script", { "-qfc", string.format(
      "trap '' HUP; exec %s serve %s --listen 127.0.0.1:0 --db %s/events.db 2> %s",
      process.program(), directory .. "/script.lua", directory, log), "/dev/null" })
    local url
    helper.ask_until(function()
      url = (helper.read_file(log) or ""):match("receiving webhooks at (http://[%d.:]+/[%w/]+)")
      return url
    end, "the receiver")
    terminal:kill("sigkill")
    terminal:wait_exit()
    helper.post(url)
    local pid = helper.read_file(directory .. "/events.db-lock"):match("^%d+") -- who holds it
    uv.kill(math.tointeger(pid), "sigterm")
    helper.ask_until(function()
      return helper.read_file(log):find("SIGTERM", 1, true)
    end, "its end")
  end)
end)

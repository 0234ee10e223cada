--- The timers of `palenca serve`: one run over all workers, and across restarts.
local uv = require("luv")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

describe("palenca.every", function()
  local stage = helper.stage_for_each()

  local function serve(text, options)
    options = options or {}
    options.text = 'local palenca = require "palenca"\n' .. text
    options.arguments = options.arguments or { "--workers", "2" }
    return stage:serve(options)
  end

  local function wait_timers(db, expected)
    helper.ask_until(function()
      return helper.query(db, "SELECT name FROM timers ORDER BY name") == expected
    end, "the timers " .. expected)
  end

  local NAMED = [[
    palenca.every(%g, {name = "report"}, function() print "ran" end)
    palenca.on("*", function(event) print("passed " .. event.account_id) end)
  ]]

  -- What was due before has started once an event that comes later has run.
  local function pass_by(served, account)
    helper.post(served.url, { account_id = account })
    served:wait_output("stdout", "(passed " .. account .. ")\n")
  end

  it("is done once an interval over all workers, whatever the event", function()
    local began = uv.hrtime()
    local served = serve([[palenca.every(0.2, function() print "ran" end)]],
      { arguments = { "--workers", "3" } })
    served:wait_output("stderr", "handlers: (every 0%.2 s)\n")
    helper.wait_lines(served, "stdout", "ran\n", 6)
    served:kill("sigterm")
    served:wait_exit()
    local _, count = served.stdout:gsub("ran\n", "")
    local most = (uv.hrtime() - began) / 1e9 / 0.2
    assert.is_true(count <= most, count .. " times, at most " .. most)
    assert.truthy(served.stderr:find("every 0.2 s  done in 0.", 1, true), served.stderr)
  end)

  it("#file is made up for once after a new start, and not done again after a kill", function()
    local served = serve(NAMED:format(3600))
    wait_timers(served.db, "report")
    pass_by(served, "first")
    assert.are.equal(0, served:stop())
    assert.is_nil(served.stdout:find("ran", 1, true))
    helper.change_database(served.db, "UPDATE timers SET due_at = 1")
    local again = serve(NAMED:format(3600), { directory = served.directory })
    again:wait_output("stdout", "(ran)")
    pass_by(again, "second")
    again:kill("sigkill")
    again:wait_exit()
    local last = serve(NAMED:format(3600), { directory = served.directory })
    pass_by(last, "third")
    pass_by(last, "fourth")
    assert.are.equal(0, last:stop())
    assert.is_nil(last.stdout:find("ran", 1, true))
    assert.are.equal(1, select(2, again.stdout:gsub("ran", "")))
  end)

  it("that fails or takes too long is logged, and done again an interval later", function()
    local served = serve([[
      palenca.every(0.2, {name = "failing"}, function()
        local guard <close> = setmetatable({}, {__close = function() print "failed" end})
        error("no XEXX010101HNEXXXA4", 0)
      end)
      palenca.every(0.2, {name = "late", timeout = 0.1}, function() palenca.sleep(3600) end)
    ]], { arguments = { "--workers", "1" } })
    helper.wait_lines(served, "stderr", "  failing  FAILED: no %[identity number%]\n", 2)
    helper.wait_lines(served, "stderr", "  late  FAILED: timed out after 0%.1 s\n", 2)
    assert.is_nil(served.stderr:find("XEXX", 1, true))
    assert.are.equal(0, served:stop())
  end)

  it("#file goes with the script: another interval, another name, none", function()
    local served = serve(NAMED:format(3600))
    wait_timers(served.db, "report")
    local function reload(text, pattern)
      process.write_file(served.directory .. "/script.lua",
        'local palenca = require "palenca"\n' .. text)
      served:kill("sighup")
      served:wait_output("stderr", pattern)
    end
    reload(NAMED:format(0.2), "reloaded: handles %*, report %((every 0.2 s)%)")
    helper.wait_lines(served, "stdout", "ran\n", 2)
    reload([[palenca.every(3600, function() end)]], "reloaded: handles (every 3600 s)\n")
    wait_timers(served.db, "every 3600 s")
    reload([[palenca.on("*", function(event) end)]], "reloaded: handles (%*)\n")
    wait_timers(served.db, "")
    assert.are.equal(0, served:stop())
  end)

  it("goes on with another worker when one has failed", function()
    local served = serve([[
      palenca.every(0.2, function() print "ran" end)
      palenca.on("login.success", function() string.format = nil end)
    ]], { arguments = { "--workers", "2", "--max-attempts", "1" } })
    helper.wait_lines(served, "stdout", "ran\n", 1)
    helper.post(served.url, { account_id = "breaking" })
    served:wait_output("stderr", "(worker failed)")
    local _, count = served.stdout:gsub("ran\n", "")
    helper.wait_lines(served, "stdout", "ran\n", count + 3)
    assert.are.equal(0, served:stop())
  end)

  it("is known to palenca check, and rejected by palenca run", function()
    local path = process.write_file(stage:directory() .. "/script.lua",
      [[require "palenca".every(60, function() end)]])
    local status, out, err = process.run(process.program(), { "check", path })
    assert.are.same({ 0, path .. ": ok, handles every 60 s\n", "" }, { status, out, err })
    status, out, err = process.run(process.program(), { "run", path })
    assert.are.same({ 1, "" }, { status, out })
    assert.truthy(err:find("palenca.every: timers run in 'palenca serve'", 1, true), err)
  end)

  it("with an interval of no use keeps a script from being served", function()
    local path = process.write_file(stage:directory() .. "/script.lua",
      [[require "palenca".every(0, function() end)]])
    local served = stage:palenca({ "serve", path, "--listen", "127.0.0.1:0", "--db",
      path .. ".db" })
    assert.are.equal(1, served:wait_exit())
    assert.truthy(served.stderr:find("interval must be a number of seconds from 0.1", 1, true),
      served.stderr)
  end)
end)

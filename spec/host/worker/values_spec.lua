--- Values of a script that have methods of their own, wherever the program calls these: in errors,
-- logs, JSON and options, and where they are collected. One program for all that only fail.
local uv = require("luv")
local helper = require("spec.host.helper")

local STOPPED = "^stopped after 0%.1 s of CPU time, at [^\n:]+:%d+$"
local AT = ", at [^\n:]+script%.lua:%d+$"
local HIDDEN = "^an error that cannot be shown: table" .. AT

-- account → what its handler does, and the error that is left of it, or the one or the other;
-- without one it is done.
local deeds = {
  ["shown without end"] = { "error(with { __tostring = forever })", STOPPED },
  ["shown by an error"] = { "error(with { __tostring = error })", HIDDEN },
  ["shown by an endless chain of errors"] = { [[
    error(with { __tostring = function()
      while true do pcall(error, with { __tostring = forever }) end
    end })]], STOPPED },
  ["shown as no text"] = { "error(with { __tostring = function() return {} end })", HIDDEN },
  ["shown by a yield"] = { "error(with { __tostring = coroutine.yield })", HIDDEN },
  ["shown after a wait"] = { [[
    error(with { __tostring = function() palenca.sleep(0) return "waited" end })]],
    "^waited" .. AT },
  ["shown by all memory"] = { [[
    error(with { __tostring = function() local s = "x" while true do s = s .. s end end })]],
    HIDDEN },
  ["indexed without end"] = { "error(with { __index = forever })", STOPPED },
  ["indexed by an error"] = { "error(with { __index = error })", "^table: " },
  ["with a name and a guard"] = { "error(with { __name = 'mine', __metatable = false })",
    "^mine: " },
  ["handled by an error"] = { [[
    assert(xpcall(error, function() error(with { __tostring = forever }) end))]],
    "error in error handling" },
  ["a table"] = { "error { code = 'E7', message = 'no luck', at = {} }",
    "^table: raised instead of a text, with the fields at, code, message: no luck" .. AT },
  ["an empty table"] = { "error {}", "^table: raised instead of a text, with no fields" .. AT },
  ["nil"] = { "error()", "^nil$" },
  ["logged without end"] = { "palenca.log.info { what = with { __tostring = forever } }", STOPPED },
  ["logged by an error"] = { "palenca.log.info { what = with { __tostring = error } }" },
  ["logged pairs without end"] = { [[
    palenca.log.info(with { __pairs = function() return function() return 1, 1 end end })]],
    STOPPED },
  ["written without end"] = { [[
    palenca.json.encode(with { __pairs = function() return function() return "a", 1 end end })]],
    STOPPED, "not enough memory" }, -- its names are collected before the first is written
  ["written by its length"] = { "palenca.json.encode(with({ __len = forever }, { 1 }))", STOPPED },
  ["sent without end"] = { "palenca.http(with { __index = forever })", STOPPED },
  ["printed without end"] = { "print(with { __tostring = forever })", STOPPED },
  ["compared without end"] = { [[
    table.sort({ with { __lt = forever }, with { __lt = forever } })]], STOPPED },
  ["joined without end"] = { "return with { __concat = forever } .. 'x'", STOPPED },
  ["equal without end"] = { "return with { __eq = forever } == with {}", STOPPED },
  ["returned"] = { "return with { __tostring = forever, __index = forever }" },
  ["collected without end"] = { "with { __gc = forever } collectgarbage()", STOPPED },
  ["collected by an error"] = { "with { __gc = error } collectgarbage()" },
  ["collected by a yield"] = { "with { __gc = coroutine.yield } collectgarbage()" },
  ["collected by a debug metatable"] = { [[
    debug.setmetatable({}, { __gc = forever }) collectgarbage()]], STOPPED },
  ["a hook"] = { "debug.sethook(forever, '', 1)",
    "debug%.sethook is not available in a script that is served" },
  ["no hook"] = { "debug.sethook()" },
  ["deep in C"] = { "local function f() return (('x'):gsub('x', f)) end f()",
    "C stack overflow" },
  ["deep in methods"] = { [[
    local t = with {}
    for _ = 1, 5000 do t = with { __index = t } end
    return t.x]], "'__index' chain too long" },
  ["deep in coroutines"] = { [[
    local function f() return coroutine.wrap(f)() end
    f()]], "^%S+script%.lua:%d+: " },
  ["protected"] = { "return setmetatable(with { __metatable = 1 }, {})",
    "script%.lua:%d+: cannot change a protected metatable" },
  ["no metatable"] = { "return setmetatable({}, 1)",
    "script%.lua:%d+: bad argument #2 to 'setmetatable' %(nil or table expected, got number%)" },
}

local SCRIPT = [[
  local palenca = require "palenca"
  local function forever() while true do end end
  local function with(methods, value) return setmetatable(value or {}, methods) end
  local deeds = {}
  %s
  local reads = {}
  local options = with { __index = function(_, name)
    reads[name] = (reads[name] or 0) + 1
    if name == "max_attempts" then return reads[name] == 1 and 1 or forever end
  end }
  palenca.on("login.*", options, function(event) return deeds[event.account_id](event) end)
]]

describe("a value with methods of its own", function()
  local stage, served

  setup(function()
    stage = helper.stage()
    local functions = {}
    for name, deed in pairs(deeds) do
      functions[#functions + 1] = string.format("deeds[%q] = function() %s end", name, deed[1])
    end
    served = stage:serve({ text = SCRIPT:format(table.concat(functions, "\n")),
      arguments = { "--workers", "1", "--cpu-timeout", "0.1", "--memory-limit", "16" } })
    for name in pairs(deeds) do
      helper.post(served.url, { account_id = name })
    end
  end)

  teardown(function()
    stage:clear()
  end)

  for name, deed in pairs(deeds) do
    it("fails alone, if it does: " .. name, function()
      local event = helper.wait_state(served.db, name, deed[2] and "dead" or "done")
      assert.truthy(deed[2] == nil or event.error:find(deed[2])
        or deed[3] and event.error:find(deed[3]), event.error)
    end)
  end

  it("has cost no worker", function()
    assert.are.equal(0, served:stop(), served.stderr)
    assert.is_nil(served.stderr:find("worker failed", 1, true), served.stderr)
    assert.truthy(served.stderr:find('"what":"a table that cannot be shown"', 1, true))
  end)
end)

describe("a finalizer that never ends", function()
  local stage = helper.stage_for_each()

  local SCRIPT_WITH_FINALIZERS = [[
    local palenca = require "palenca"
    local function forever() while true do end end
    palenca.on("login.success", function(event)
      collectgarbage("generational") -- each collection takes all that is young
      collectgarbage("stop")
      setmetatable({}, { __gc = forever })
      collectgarbage("restart") -- the next one is due as soon as the handler has ended
    end)
    kept = {}
    if %s then
      for i = 1, 20 do kept[i] = setmetatable({}, { __gc = forever }) end
    end
  ]]

  it("amid the program's own code has its worker replaced", function()
    -- on a loaded machine, too, it has used that up long before it counts as blocked
    local served = stage:serve({ text = SCRIPT_WITH_FINALIZERS:format("false"),
      arguments = { "--workers", "1", "--cpu-timeout", "0.03" } })
    helper.post(served.url, { account_id = "a" })
    served:wait_output("stderr",
      "worker failed: a finalizer %(__gc%) of the script was stopped")
    helper.post(served.url, { account_id = "after", webhook_action = "login.created" })
    helper.wait_state(served.db, "after", "done")
    assert.are.equal(0, served:stop(), served.stderr)
  end)

  it("does not keep the thread of a version that is not served any more", function()
    local served = stage:serve({ text = SCRIPT_WITH_FINALIZERS:format("true"),
      arguments = { "--workers", "1", "--cpu-timeout", "0.1" } })
    local function threads()
      local count, directory = 0, uv.fs_scandir("/proc/" .. served.pid .. "/task")
      while uv.fs_scandir_next(directory) do
        count = count + 1
      end
      return count
    end
    local before = threads()
    served:kill("sighup")
    served:wait_output("stderr", "script%.lua reloaded")
    helper.ask_until(function()
      uv.sleep(5)
      return threads() == before
    end, "the end of the old thread")
    assert.are.equal(0, served:stop(), served.stderr)
  end)
end)

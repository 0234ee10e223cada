--- What each line of the log of `palenca serve` begins with, for machines, people and the journal.
local uv = require("luv")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local LEVELS = { info = true, warning = true, error = true }

-- Handlers that end in each way, and what scripts log.
local SCRIPT = [[
  local palenca = require "palenca"
  palenca.on("login.success", function(event)
    palenca.log.info { message = "seen", event = "own", level = "none", time = 5, z = 1, a = 2 }
    palenca.log.warn("slow")
    palenca.log.error { event = 7, [1] = print }
  end)
  palenca.on("login.error", { max_attempts = 1 }, function() error("dead") end)
  palenca.on("login.retry", function() error("again\nmore") end)
  palenca.every(0.2, { name = "bad" }, function() error("of a timer") end)
]]

describe("the log of palenca serve", function()
  local stage = helper.stage_for_each()

  local function start(arguments, env, wrap)
    local directory = stage:directory()
    local script = process.write_file(directory .. "/script.lua", SCRIPT)
    local extra = table.move(arguments, 1, #arguments, 3, { "--workers", "1" })
    return helper.serve_unseen(directory, script, extra, function(all, key)
      env.PALENCA_API_KEY = key.PALENCA_API_KEY
      return wrap and wrap(directory, all, env) or stage:palenca(all, { env = env })
    end)
  end

  local function work(served)
    helper.post(served.url, { account_id = "dead", webhook_action = "login.error" })
    helper.post(served.url, { account_id = "late", webhook_action = "login.retry" })
    helper.post(served.url, { account_id = "none", webhook_action = "user.created" })
    assert.equal(404, http.request("POST", served.url .. "/no", "{}").status)
    helper.wait_state(served.db, "dead", "dead")
    helper.wait_state(served.db, "late", "retry")
    helper.wait_state(served.db, "none", "done")
    helper.wait_state(served.db, "first", "done")
  end

  it("begins each line of JSON with time, level and kind", function()
    local served = start({ "--json" }, {})
    work(served)
    served:wait_output("stderr", '("event":"timer")')
    assert.equal(0, served:stop(), served.stderr)
    local kinds = {}
    for line in served.stderr:gmatch("[^\n]+") do
      local time, level, kind = line:match(
        '^{"time":("?[%w:-]+"?),"level":"(%l+)","event":"?([%w_]+)"?[,}]')
      assert.truthy(time and LEVELS[level], line)
      assert.truthy(kind == "own" or time:find("^\"%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ\"$"), line)
      helper.json.decode(line)
      kinds[kind .. " " .. level] = true
    end
    for _, kind in ipairs { "ready info", "handled info", "handled warning", "handled error",
      "timer error", "own info", "script warning", "7 error", "message info" } do
      assert.is_true(kinds[kind], kind)
    end
  end)

  for level, expected in pairs { warning = { "warning", "error" }, error = { "error" } } do
    it("has only what is at least: " .. level, function()
      local key = process.write_file(stage:directory() .. "/key", "spec-key")
      local served = start({ "--json", "--log-level", level, "--api-key-file", key }, {})
      work(served)
      process.write_file(key, "")
      served:kill("sighup")
      served:wait_output("stderr", '("event":"secret_reload_failed")')
      served:wait_output("stderr", '("event":"timer")')
      assert.equal(0, served:stop(), served.stderr)
      local found = {}
      for _, entry in ipairs(helper.lines_of_json(served.stderr)) do
        found[entry.level] = true
      end
      for _, one in ipairs(expected) do
        assert.is_true(found[one], one)
        found[one] = nil
      end
      assert.same({}, found)
    end)
  end

  it("has priorities if it goes to the journal, on each line", function()
    local path
    local served = start({}, {}, function(directory, arguments, env)
      path = process.write_file(directory .. "/journal", "")
      local status = uv.fs_stat(path)
      env.JOURNAL_STREAM = status.dev .. ":" .. status.ino
      return stage:palenca(arguments, { env = env, log = path })
    end)
    work(served)
    assert.equal(0, served:stop())
    local text = helper.read_file(path)
    for line in text:gmatch("[^\n]+") do
      assert.truthy(line:find("^<[346]>"), line)
    end
    assert.truthy(text:find("<6>receiving webhooks at ", 1, true))
    assert.truthy(text:find("<4>[%d:]+  event %d+  login.retry [^\n]+again\n<4>\tmore\n"), text)
    assert.truthy(text:find("<3>[%d:]+  event %d+  login.error [^\n]+dead"), text)
    assert.truthy(text:find("<4>palenca: rejected request", 1, true))
    assert.truthy(text:find('<4>{"time":[^\n]+"slow"'), text)
  end)

  it("has none if only the variable is there, as for what a service starts", function()
    local served = start({}, { JOURNAL_STREAM = "1:2" })
    assert.equal(0, served:stop())
    assert.is_nil(served.stderr:find("<[346]>"))
    assert.is_nil(served.stderr:find("\n%d%d%d%d%-"))
  end)

  for _, case in ipairs { { color = true, TERM = "xterm" }, { TERM = "dumb" },
    { TERM = "xterm", NO_COLOR = "1" } } do
    it("has dates on a terminal, and colors if it has those: " .. case.TERM
      .. (case.NO_COLOR and " with NO_COLOR" or ""), function()
      local served = start({}, { TERM = case.TERM, NO_COLOR = case.NO_COLOR },
        function(_, arguments, env)
          env.SPEC_COMMAND = "exec '" .. process.program() .. "' '"
            .. table.concat(arguments, "' '") .. "'"
          return stage:start("/usr/bin/script", { "-qfec", env.SPEC_COMMAND, "/dev/null" },
            { env = env })
        end)
      work(served)
      served:wait_output("stdout", "(login.error [^\r\n]+dead)")
      served:kill("sigterm")
      served:wait_exit()
      local dim, plain, yellow, red = "\27%[2m", "\27%[0m", "\27%[33m", "\27%[31m"
      if not case.color then
        assert.is_nil(served.stdout:find("\27", 1, true), served.stdout)
        dim, plain, yellow, red = "", "", "", ""
      end
      local date = dim .. "%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d" .. plain .. "  "
      assert.truthy(served.stdout:find(date .. "receiving webhooks"), served.stdout)
      assert.truthy(served.stdout:find("\n" .. date .. "event %d+  login.success"), served.stdout)
      assert.truthy(served.stdout:find("\n" .. date .. yellow
        .. "event %d+  login.retry [^\r]+again"), served.stdout)
      assert.truthy(served.stdout:find("\n" .. date .. red .. "event %d+  login.error [^\r]+dead"),
        served.stdout)
      assert.truthy(served.stdout:find(date .. yellow .. "palenca: rejected request"),
        served.stdout)
    end)
  end
end)

--- A log that nobody reads, or that has nowhere to go, does not stop `palenca serve`.
local uv = require("luv")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

-- Their lines are more than a pipe holds, and more than is kept.
local EVENTS = 100

describe("the log of palenca serve", function()
  local stage = helper.stage_for_each()
  local directory, script

  before_each(function()
    directory = stage:directory()
    script = process.write_file(directory .. "/script.lua", [[
      local palenca = require "palenca"
      palenca.on("login.success", function(event)
        palenca.log.info { note = ("n"):rep(20000) }
      end)
      palenca.on("login.error", function()
        palenca.log.info { note = ("n"):rep(2^21) }
      end)
    ]])
  end)

  -- Serves with the shell's words for its standard error.
  local function serve(redirection, ...)
    return helper.serve_unseen(directory, script, { "--workers", "2", ... }, function(all, env)
      return stage:start("/bin/sh", table.move(all, 1, #all, 4, { "-c",
        'exec "$0" "$@" ' .. redirection, process.program() }), { env = env })
    end)
  end

  -- Sends events, and what is rejected: all of it gets a response, and the events are handled.
  local function work(served)
    for i = 1, EVENTS do
      helper.post(served.url, { account_id = "a" .. i })
    end
    for _ = 1, 20 do
      assert.are.equal(404, http.request("POST", served.url .. "/no", "{}").status)
    end
    helper.ask_until(function()
      return #helper.events(served.db, { "--state", "done" }) == EVENTS + 1
    end, "all to be handled")
  end

  -- A pipe with a name that is open for reading, so that opening it for writing does not wait.
  local function fifo()
    local path = directory .. "/fifo"
    assert.are.equal(0, (process.run("/usr/bin/mkfifo", { path })))
    local fd = assert(uv.fs_open(path, "r+", 0))
    stage:at_end(function()
      uv.fs_close(fd)
    end)
    return path
  end

  for _, case in ipairs({ { "palenca: dropped %d+ log lines: stderr was not being read\n" },
    { '{"time":"[%d:TZ-]+","level":"warning","event":"log","lost":%d+}\n', "--json" } })
  do
    it("blocks nothing while it is not read, and counts the lost lines: "
      .. (case[2] or "text"), function()
      local path = fifo()
      local served = serve("2>" .. path, case[2])
      work(served)
      local reader = stage:start("/bin/cat", { path })
      reader:wait_output("stdout", case[1])
      helper.post(served.url, { account_id = "after" })
      reader:wait_output("stdout", case[1] .. ".*after[^\n]*\n")
      assert.are.equal(0, served:stop())
      for line in reader.stdout:gmatch("[^\n]+") do
        assert.is_true(#line < 21000, "lines are mixed up")
      end
    end)
  end

  it("says in each line of JSON when that was", function()
    local served = stage:palenca({ "serve", script, "--listen", "127.0.0.1:0", "--db",
      directory .. "/events.db", "--json" }, { env = { PALENCA_API_KEY = "spec-key" } })
    local url = served:wait_output("stderr", '"url":"([^"]+)"'):gsub("\\", "")
    helper.post(url, { account_id = "a" })
    helper.wait_state(directory .. "/events.db", "a", "done")
    assert.are.equal(404, http.request("POST", url .. "/no", "{}").status)
    assert(os.remove(directory .. "/events.db"))
    assert.are.equal(503, http.request("POST", url, helper.body({ account_id = "b" })).status)
    served:wait_output("stderr", '("event":"store")')
    assert.are.equal(0, served:stop())
    local seen = {}
    for _, entry in ipairs(helper.lines_of_json(served.stderr)) do
      assert.truthy(entry.time:find("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$"), entry.time)
      seen[entry.event] = true
    end
    assert.are.same({ ready = true, created = true, handled = true, ["refused"] = true,
      store = true, message = true, script = true, stopped = true }, seen)
  end)

  for _, form in ipairs({ "text", "JSON" }) do
    it("has no part of a body, nor the key, whatever becomes of a request: " .. form, function()
      local failing = process.write_file(directory .. "/failing.lua", [[
        local palenca = require "palenca"
        palenca.on("login.success", function() end)
        palenca.on("login.error", function(event) error("no: " .. event.account_id) end)
      ]])
      local served = stage:palenca({ "serve", failing, "--listen", "127.0.0.1:0", "--db",
        directory .. "/events.db", "--max-body", "4096", form == "JSON" and "--json" or nil },
        { env = { PALENCA_API_KEY = "private-key" } })
      local url = served:wait_output("stderr", '(http:[^%s"]+palenca)'):gsub("\\", "")
      local function private(action, account)
        return (helper.body({ webhook_action = action, account_id = account })
          :gsub("^{", '{"private-name":"private-value",'))
      end
      for _, case in ipairs({
        { 200, private("login.success", "done") }, { 200, private("login.error", "failed") },
        { 200, private("login.success", "done") }, { 400, "private-value" },
        { 400, (private("login.success", "cut"):sub(1, -2)) },
        { 400, '{"private-name":"private-value"}' }, { 413, ("private-value"):rep(1000) },
        { 404, private("login.success", "lost"), url .. "/private-path" },
      }) do
        assert.are.equal(case[1], http.request("POST", case[3] or url, case[2]).status)
      end
      helper.wait_state(directory .. "/events.db", "done", "done")
      helper.wait_state(directory .. "/events.db", "failed", "retry")
      assert.are.equal(0, served:stop())
      assert.truthy(served.stderr:find("no: failed", 1, true))
      assert.is_nil((served.stdout .. served.stderr):find("private", 1, true), served.stderr)
    end)
  end

  it("truncates an entry that is too large, with its size, and continues", function()
    local path = fifo()
    local served = serve("2>" .. path)
    local reader = stage:start("/bin/cat", { path })
    helper.post(served.url, { account_id = "large", webhook_action = "login.error" })
    helper.wait_state(served.db, "large", "done")
    helper.post(served.url, { account_id = "after" })
    reader:wait_output("stdout", "(account after  done)")
    local entry = helper.json.decode(reader.stdout:match('{[^\n]*"truncated"[^\n]*}'))
    assert.truthy(entry.note:find("^nnn.*n %[…%] %(truncated: 2097152 bytes%)$"),
      entry.note:sub(-60))
    assert.is_true(entry.truncated > 2 ^ 21)
    assert.is_nil(reader.stdout:find("dropped", 1, true))
    assert.are.equal(0, served:stop())
  end)

  it("does not keep the program from its end while nobody reads it", function()
    local served = serve("2>" .. fifo())
    work(served)
    assert.are.equal(0, served:stop())
  end)

  it("stops nothing if its reader is gone", function()
    local path = directory .. "/fifo"
    assert.are.equal(0, (process.run("/usr/bin/mkfifo", { path })))
    local reader = stage:start("/usr/bin/head", { "-n", "1", path })
    local served = serve("2>" .. path)
    assert.are.equal(0, reader:wait_exit())
    work(served)
    assert.are.equal(0, served:stop())
  end)

  for what, redirection in pairs({ ["is closed"] = "2>&-", ["goes to a full disk"] = "2>/dev/full",
    ["is closed, as all else is"] = "2>&- >&- <&-" })
  do
    it("stops nothing if it " .. what, function()
      local served = serve(redirection)
      work(served)
      assert.are.equal(0, served:stop())
      -- nor has it got into what was opened instead
      local file = helper.read_file(served.db)
      assert.is_nil(file:find("receiving webhooks at", 1, true))
    end)
  end
end)

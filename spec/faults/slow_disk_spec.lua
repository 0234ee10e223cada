--- A disk whose syncs take long, another process that writes, and a clock that is set, while
-- `palenca serve` receives.
local uv = require("luv")
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

-- Connects and sends; `responded` of what is returned has the status of the response.
local function send(stage, url, method, body)
  local host, port, path = url:match("^http://([%d.]+):(%d+)(/.*)$")
  local sent, socket = {}, uv.new_tcp()
  socket:connect(host, tonumber(port), function()
    socket:read_start(function(_, data)
      sent.responded = sent.responded or data and data:match("^HTTP/1%.1 (%d+)") or "nothing"
    end)
    socket:write(string.format("%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s",
      method, path, #body, body))
  end)
  stage:at_end(function()
    socket:close()
  end)
  return sent
end

local function wait_status(sent)
  process.wait_for(function()
    return sent.responded
  end, "a response")
  return sent.responded
end

describe("palenca serve on a slow disk", function()
  local stage = helper.stage_for_each()
  local directory, switch

  before_each(function()
    directory = stage:directory()
    switch = directory .. "/switch"
  end)

  local function serve(arguments)
    return stage:serve({ text = "", directory = directory, arguments = arguments,
      env = { LD_PRELOAD = faults.built("libslow_disk.so"), SLOW_DISK_SWITCH = switch } })
  end

  local function syncs()
    local status = uv.fs_stat(switch .. ".began")
    return status and status.size or 0
  end

  local function set_sync_time(milliseconds)
    process.write_file(switch .. ".new", tostring(milliseconds))
    assert(os.rename(switch .. ".new", switch))
  end

  it("responds in batches when a sync takes 20 ms, and loses nothing", function()
    local served = serve()
    set_sync_time(20)
    local counts = faults.loaded(faults.load(stage, served.url, {
      connections = 64, accounts = 64, count = 2000, acked = directory .. "/acked",
      ["number-actions"] = true,
    }))
    local count = syncs()
    assert.are.same({ 2000, 0, 0 }, { counts.acked, counts.others, counts.broken })
    assert.is_true(count < 2000 / 10, count .. " syncs")
    os.remove(switch)
    assert.are.equal(0, served:stop(), served.stderr)
    local stored = faults.by_key(helper.events(served.db))
    for _, record in ipairs(faults.records(directory .. "/acked")) do
      assert(stored[record.key], "got 200, and not stored: " .. record.key)
    end
  end)

  it("responds to all that has come once a sync of seconds has ended", function()
    local served = serve({ "--request-timeout", "1" })
    helper.post(served.url, { account_id = "before" })
    helper.wait_state(served.db, "before", "done")
    set_sync_time(3500) -- seen from outside, which looks once a second
    local began = syncs()
    local first = send(stage, served.url, "POST", helper.body({ account_id = "first" }))
    process.wait_for(function()
      return syncs() > began
    end, "a sync")
    os.remove(switch)
    local others = {
      send(stage, served.url, "POST", helper.body({ account_id = "second" })),
      send(stage, served.url .. "/elsewhere", "POST", helper.body({ account_id = "third" })),
      send(stage, served.url, "GET", ""),
    }
    process.wait_for(function()
      return first.responded
    end, "a response")
    local ended = uv.hrtime()
    process.wait_for(function()
      return others[1].responded and others[2].responded and others[3].responded
    end, "responses to those behind it")
    assert.is_true((uv.hrtime() - ended) / 1e9 < 1)
    assert.are.same({ "200", "200", "404", "405" },
      { first.responded, others[1].responded, others[2].responded, others[3].responded })
    served:wait_output("stderr", "the store has made no progress for %d+ s, requests wait: is")
    served:wait_output("stderr", "the store makes progress again\n")
    helper.wait_state(served.db, "second", "done")
    assert.are.equal(0, served:stop(), served.stderr)
  end)

  -- Sends an event; returns what is sent, and is being stored.
  local function begin_to_store(served, seconds)
    set_sync_time(seconds * 1000)
    local began = syncs()
    local sent = send(stage, served.url, "POST", helper.body({}))
    process.wait_for(function()
      return syncs() > began
    end, "a sync")
    os.remove(switch)
    return sent
  end

  it("is not said to hang if the process was stopped meanwhile", function()
    local served = serve()
    local sent = begin_to_store(served, 1)
    served:kill("sigstop")
    uv.sleep(2500) -- longer than what is said to hang
    served:kill("sigcont")
    assert.are.equal("200", wait_status(sent))
    assert.are.equal(0, served:stop(), served.stderr)
    assert.is_nil(served.stderr:find("made no progress", 1, true), served.stderr)
  end)

  it("ends without being asked a second time if it hangs at the end", function()
    local served = serve({ "--drain-timeout", "1" })
    begin_to_store(served, 600)
    served:kill("sigterm")
    assert.are.equal(1, served:wait_exit(), served.stderr)
    assert.truthy(served.stderr:find("the store has made no progress for", 1, true), served.stderr)
    assert.truthy(served.stderr:find("has not ended in time; the process exits", 1, true),
      served.stderr)
  end)

  it("ends by itself if its socket cannot be removed at the end", function()
    local served = serve({ "--drain-timeout", "1" })
    helper.post(served.url, { account_id = "a" })
    helper.wait_state(served.db, "a", "done")
    process.write_file(switch .. ".unlink", "")
    served:kill("sigterm")
    assert.are.equal(1, served:wait_exit(), served.stderr)
    assert.truthy(served.stderr:find("the store has not ended in time", 1, true),
      served.stderr)
    os.remove(switch .. ".unlink")
    local next_one = serve()
    helper.post(next_one.url, { account_id = "b" })
    helper.wait_state(next_one.db, "b", "done")
    assert.are.equal(0, next_one:stop(), next_one.stderr)
  end)
end)

describe("palenca serve beside another process that writes", function()
  local stage = helper.stage_for_each()
  local directory

  before_each(function()
    directory = stage:directory()
  end)

  -- Holds the database's lock until what is returned is called.
  local function lock(db)
    local fifo = directory .. "/fifo"
    assert.are.equal(0, (process.run("/usr/bin/mkfifo", { fifo })))
    local holder = stage:start("/bin/sh", { "-c",
      [[{ echo "BEGIN IMMEDIATE; SELECT 'locked';"; cat "$1"; } | sqlite3 "$2"]], "sh", fifo, db })
    local writer = assert(io.open(fifo, "r+"))
    holder:wait_output("stdout", "locked\n")
    stage:at_end(function()
      if io.type(writer) == "file" then
        writer:close()
      end
    end)
    return function()
      writer:write("ROLLBACK;\n")
      writer:close()
      assert.are.equal(0, holder:wait_exit())
    end
  end

  it("has events wait for it for two seconds, and all else go on", function()
    local served = stage:serve({ text = "", directory = directory })
    local unlock = lock(served.db)
    local first = send(stage, served.url, "POST", helper.body({ account_id = "first" }))
    local other = send(stage, served.url, "GET", "")
    assert.are.equal("405", wait_status(other))
    assert.is_nil(first.responded)
    assert.are.equal("503", wait_status(first))
    served:wait_output("stderr", "cannot write to [^\n]+: database is locked\n")
    local second = send(stage, served.url, "POST", helper.body({ account_id = "second" }))
    unlock()
    assert.are.equal("200", wait_status(second))
    served:wait_output("stderr", "writing again to ")
    helper.wait_state(served.db, "second", "done")
    assert.are.equal(0, served:stop(), served.stderr)
  end)
end)

describe("palenca serve under a clock that is set back", function()
  local stage = helper.stage_for_each()
  local directory, switch

  before_each(function()
    directory = stage:directory()
    switch = directory .. "/clock"
  end)

  it("goes on with retries, the events behind them, timers and duplicates", function()
    local served = stage:serve({ directory = directory, text = [[
      local palenca = require "palenca"
      palenca.every(0.5, function() print "ran" end)
      palenca.on("*", {retry_wait = 1}, function(event)
        if event.account_id == "a" and event.attempt == 1 and event.external_id == "1" then
          error "again"
        end
        print(event.account_id, event.external_id, event.attempt)
      end)
    ]], env = { LD_PRELOAD = faults.built("libset_clock.so"), SET_CLOCK_SWITCH = switch } })
    local body = helper.body({ account_id = "b", external_id = "1" })
    assert.are.equal(200, http.request("POST", served.url, body).status)
    helper.post(served.url, { account_id = "a", external_id = "1" })
    helper.wait_state(served.db, "a", "retry")
    process.write_file(switch, "-3600")
    helper.post(served.url, { account_id = "a", external_id = "2" })
    served:wait_output("stdout", "a\t1\t2\n.*a\t2\t1\n")
    local _, ran = served.stdout:gsub("ran\n", "")
    helper.wait_lines(served, "stdout", "ran\n", ran + 3)
    assert.are.equal(200, http.request("POST", served.url, body).status)
    helper.post(served.url, { account_id = "b", external_id = "2" })
    served:wait_output("stdout", "b\t2\t1\n")
    local _, times = served.stdout:gsub("b\t1\t", "")
    assert.are.equal(1, times)
    assert.are.equal(0, served:stop(), served.stderr)
  end)
end)

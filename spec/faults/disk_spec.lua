--- A disk that fills up, turns read-only or fails to sync while `palenca serve` receives: what is
-- got 200 is stored all the same, and the service resumes by itself.
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

-- Linux's numbers.
local EIO, EROFS = 5, 30

describe("palenca serve on a failing disk", function()
  local stage = helper.stage_for_each()
  local directory, acked, handled, sequence

  before_each(function()
    directory = stage:directory()
    acked, handled, sequence = directory .. "/acked", directory .. "/handled", 0
    process.write_file(directory .. "/script.lua", faults.RECORDING)
    assert(process.run("/bin/mkdir", { directory .. "/disk" }) == 0)
  end)

  -- A file system of its own for the events, which nobody else sees, and which ends with the test.
  -- Returns what starts a program within. The test is skipped where a process must not mount one,
  -- as in many containers.
  local function small_disk(size)
    local holder = stage:start("/usr/bin/unshare", { "--map-root-user", "--mount", "/bin/sh", "-c",
      'mount -t tmpfs -o "size=$1" events "$2" && echo mounted && exec tail -f /dev/null', "sh",
      size, directory .. "/disk" })
    process.wait_for(function()
      return holder.stdout:find("mounted", 1, true) or (holder.code and holder.open == 0)
    end, "a file system")
    if holder.code then
      local is_right = holder.stderr:find("Operation not permitted", 1, true)
        or holder.stderr:lower():find("permission denied", 1, true)
        or holder.stderr:find("No space left on device", 1, true) -- of namespaces
      assert(is_right, holder:describe())
      pending("needs the right to mount in a namespace of its own: "
        .. holder.stderr:match("[^\n]*"))
    end
    return function(program, arguments)
      return "/usr/bin/nsenter", table.move(arguments, 1, #arguments, 7, { "--target",
        tostring(holder.pid), "--user", "--preserve-credentials", "--mount", program })
    end
  end

  local function serve(within, env)
    local arguments = { "serve", directory .. "/script.lua", "--listen", "127.0.0.1:0", "--db",
      directory .. "/disk/events.db" }
    env = env or {}
    env.PALENCA_API_KEY, env.SPEC_HANDLED = "spec-key", handled
    local path = process.program()
    if within then
      path, arguments = within(path, arguments)
    end
    local served = stage:start(path, arguments, { env = env })
    served.url = served:wait_output("stderr", "receiving webhooks at (http://%S+),")
    return served
  end

  -- Sends for a while, or so many; each batch has accounts of its own.
  local function send(served, options)
    sequence = sequence + 1
    options.tag, options.connections, options.accounts = sequence, 16, 64
    options["number-actions"], options.acked = true, acked
    return faults.loaded(faults.load(stage, served.url, options))
  end

  -- Posts until it gets 200 again.
  local function wait_healed(served)
    helper.ask_until(function()
      local response = http.request("POST", served.url, helper.body({ account_id = "healed",
        webhook_action = "numbered.1", external_id = "1" }))
      assert(response.status == 200 or response.status == 503, response.status)
      return response.status == 200
    end, "a response of 200")
    local after = send(served, { count = 200 })
    assert.are.same({ 200, 0, 0 }, { after.acked, after.others, after.broken })
  end

  local function stored(within)
    local path, arguments = process.program(), { "events", "list", "--json", "--db",
      directory .. "/disk/events.db" }
    if within then
      path, arguments = within(path, arguments)
    end
    local status, out, err = process.run(path, arguments)
    assert(status == 0, err)
    return faults.by_key(helper.lines_of_json(out))
  end

  -- Whatever got 200 is stored, comes to be handled, and no handler ran for anything else.
  local function assert_whole(within)
    local events = stored(within)
    for _, record in ipairs(faults.records(acked)) do
      assert(events[record.key], "got 200, and not stored: " .. record.key)
    end
    helper.ask_until(function()
      events = stored(within)
      for _, list in pairs(events) do
        if list[1].state ~= "done" then
          return false
        end
      end
      return true
    end, "all events to be done")
    local was_handled = {}
    for _, record in ipairs(faults.records(handled)) do
      was_handled[record.key] = true
      assert(events[record.key], "handled, and not stored: " .. record.key)
    end
    for key in pairs(events) do
      assert(was_handled[key], "never handled: " .. key)
    end
    faults.assert_order(faults.records(handled))
  end

  -- Trouble is logged when it begins, and not for each event.
  local function assert_logged(served, length_before)
    -- all that is said, but for the events handled meanwhile that were stored before
    local function lines()
      local count = 0
      for line in served.stderr:sub(length_before + 1):gmatch("([^\n]*)\n") do
        count = count + (line:find("^[%d:]+  event %d+  .*  done in ") and 0 or 1)
      end
      return count
    end
    process.wait_for(function()
      return lines() > 0
    end, "a line about the trouble")
    assert(lines() < 10, served:describe())
  end

  local function fill(within)
    process.run(within("/bin/dd", { "if=/dev/zero", "of=" .. directory .. "/disk/filler",
      "bs=4096" }))
  end

  local function clear(within)
    assert.are.equal(0, (process.run(within("/bin/rm", { directory .. "/disk/filler" }))))
  end

  it("responds with 503 while it is full, and resumes once there is room", function()
    local within = small_disk("16m")
    local served = serve(within)
    assert.are.equal(300, send(served, { count = 300 }).acked)
    local logged = #served.stderr
    fill(within)
    helper.ask_until(function()
      return send(served, { seconds = 0.1 }).acked == 0
    end, "the disk to be full")
    assert.truthy(served.stderr:find("full", 1, true), served:describe())
    assert_logged(served, logged)
    clear(within)
    wait_healed(served)
    assert_whole(within)
    assert.are.equal(0, served:stop())
  end)

  it("fills up by itself, and has lost nothing when it is killed then", function()
    local within = small_disk("2m")
    local served = serve(within)
    helper.ask_until(function()
      return send(served, { seconds = 0.3 }).others > 0
    end, "the disk to be full")
    served:kill("sigkill")
    served:wait_exit()
    assert.are.equal(0, (process.run(within("/bin/mount", { "-o", "remount,size=32m",
      directory .. "/disk" }))))
    served = serve(within)
    wait_healed(served)
    assert_whole(within)
    assert.are.equal(0, served:stop())
  end)

  it("lists on a read-only one, cannot begin there, and has all events once it is not", function()
    local within = small_disk("16m")
    local served = serve(within)
    assert.are.equal(100, send(served, { count = 100 }).acked)
    assert.are.equal(0, served:stop())
    local db = directory .. "/disk/events.db"
    local function remount(how)
      assert.are.equal(0, (process.run(within("/bin/mount", { "-o", "remount," .. how,
        directory .. "/disk" }))))
    end
    remount("ro")
    for _, arguments in ipairs({ { "serve", directory .. "/script.lua", "--db", db },
      { "events", "retry-dead", "--db", db } })
    do
      local status, _, err = process.run(within(process.program(), arguments))
      assert.are.equal(1, status)
      assert.are.equal("palenca: cannot write to " .. db
        .. ": the file or its directory is read-only\n", err)
    end
    local status, out, err = process.run(within(process.program(),
      { "events", "list", "--json", "--db", db }))
    assert.are.same({ 0, 100 }, { status, #helper.lines_of_json(out) }, err)
    status, out = process.run(within(process.program(), { "events", "stats", "--db", db }))
    assert.are.equal(0, status)
    assert.truthy(out:find("\nall +%d"), out)
    remount("rw")
    served = serve(within)
    wait_healed(served)
    assert_whole(within)
    assert.are.equal(0, served:stop())
  end)

  local function failing()
    return {
      LD_PRELOAD = faults.built("libfailing_disk.so"),
      FAILING_DISK_DIRECTORY = directory .. "/disk",
      FAILING_DISK_SWITCH = directory .. "/switch",
    }
  end

  -- `text`: what fails now; nil: nothing any more.
  local function switch(text)
    if text then
      process.write_file(directory .. "/switch.new", text)
      assert(os.rename(directory .. "/switch.new", directory .. "/switch"))
    else
      assert(os.remove(directory .. "/switch"))
    end
  end

  for name, fault in pairs({
    ["turned read-only"] = "write " .. EROFS,
    ["fails to write"] = "write " .. EIO,
    ["fails to sync"] = "sync " .. EIO,
  }) do
    it("responds with 503 while it " .. name .. ", and resumes after it", function()
      local served = serve(nil, failing())
      assert.are.equal(300, send(served, { count = 300 }).acked)
      local logged = #served.stderr
      switch(fault)
      local during = send(served, { seconds = 0.3 })
      assert.are.same({ 0, 0 }, { during.acked, during.broken })
      assert(during.others > 0)
      assert_logged(served, logged)
      switch(nil)
      wait_healed(served)
      assert_whole()
      assert.are.equal(0, served:stop())
    end)

    it("loses nothing if it is killed while it " .. name, function()
      local served = serve(nil, failing())
      assert.are.equal(300, send(served, { count = 300 }).acked)
      switch(fault)
      assert.are.equal(0, send(served, { seconds = 0.1 }).acked)
      served:kill("sigkill")
      served:wait_exit()
      switch(nil)
      served = serve(nil, failing())
      wait_healed(served)
      assert_whole()
      assert.are.equal(0, served:stop())
    end)
  end
end)

--- A worker that is blocked by its script, in a call that cannot be stopped, and its replacement.
local uv = require("luv")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

-- A call that comes back once there is a byte to be read.
local wait = [[
  local palenca = require "palenca"
  function palenca.wait_in_place()
    local file = io.open(os.getenv("SPEC_FIFO"))
    file:setvbuf("no")
    file:read(1)
    file:close()
  end
]]

local script = wait .. [[
  palenca.on("login.created", function(event)
    print(event.account_id .. " began")
    while not io.open(os.getenv("SPEC_FIFO") .. ".go") do palenca.sleep(0.01) end
  end)
  palenca.on("login.*", function(event)
    if event.action == "login.error" then palenca.wait_in_place() end
    print(event.account_id .. " " .. event.attempt)
  end)
]]

describe("a blocked worker", function()
  local stage, fifo, writer

  before_each(function()
    stage = helper.stage()
    fifo = stage:directory() .. "/fifo"
    assert.are.equal(0, (process.run("/usr/bin/mkfifo", { fifo })))
    writer = assert(io.open(fifo, "r+"))
  end)

  after_each(function()
    writer:close()
    stage:clear()
  end)

  local function serve(text, arguments)
    local all = { "--workers", "1", "--cpu-timeout", "0.1" }
    table.move(arguments or {}, 1, #(arguments or {}), #all + 1, all)
    return stage:serve({ text = text, arguments = all, env = { SPEC_FIFO = fifo } })
  end

  -- Blocks a worker until `let_go`.
  local function block(served, account)
    helper.post(served.url, { account_id = account, webhook_action = "login.error" })
  end

  -- Lets as many blocked workers continue.
  local function let_go(count)
    writer:write(("x"):rep(count))
    writer:flush()
  end

  local function count_threads(served)
    local count, directory = 0, uv.fs_scandir("/proc/" .. served.pid .. "/task")
    while uv.fs_scandir_next(directory) do
      count = count + 1
    end
    return count
  end

  local function wait_logged(served, pattern)
    served:wait_output("stderr", pattern)
  end

  it("is replaced, and ends after its event", function()
    local served = serve(script, { "--watch" })
    helper.post(served.url, { account_id = "waiting", webhook_action = "login.created" })
    served:wait_output("stdout", "waiting began\n")
    block(served, "11122233344")
    helper.wait_state(served.db, "[identity number]", "running")
    for i = 1, 10 do
      helper.post(served.url, { account_id = "other-" .. i })
    end
    helper.post(served.url, { account_id = "11122233344" })
    wait_logged(served, "palenca: worker blocked for %d+ s by event %d+ login%.error uber "
      .. "account %[identity number%]; starting a replacement\n")
    for i = 1, 10 do
      helper.wait_state(served.db, "other-" .. i, "done")
    end
    assert.is_nil(served.stdout:find("11122233344", 1, true))
    let_go(1)
    -- its event is done, and only then the next of its account
    served:wait_output("stdout", "11122233344 1\n11122233344 1\n")
    -- the handler that waited in that worker has continued there
    process.write_file(fifo .. ".go", "")
    served:wait_output("stdout", "waiting 1\n")
    assert.are.equal(0, served:stop(), served.stderr)
    local _, began = served.stdout:gsub("waiting began", "")
    assert.are.equal(1, began)
    assert.are.equal(13, #helper.events(served.db, { "--state", "done" }))
    local _, count = served.stderr:gsub("worker blocked", "")
    assert.are.equal(1, count)
  end)

  -- It was idle while its handler waited, so it may have leased events.
  it("has leased no events of other accounts, though its handler had waited before", function()
    local served = stage:serve({ env = { SPEC_FIFO = fifo },
      arguments = { "--workers", "2", "--cpu-timeout", "600" }, text = wait .. [[
        palenca.on("login.error", function()
          palenca.sleep(0.05)
          print("blocks now")
          palenca.wait_in_place()
        end)
      ]] })
    block(served, "a")
    served:wait_output("stdout", "blocks now\n")
    for i = 1, 4 do
      helper.post(served.url, { account_id = "other-" .. i })
      helper.wait_state(served.db, "other-" .. i, "done")
    end
    let_go(1)
    helper.wait_state(served.db, "a", "done")
    assert.are.equal(0, served:stop(), served.stderr)
  end)

  it("is not replaced if as many as --workers are blocked already", function()
    local served = serve(script)
    local threads = count_threads(served)
    block(served, "a")
    wait_logged(served, "worker blocked for %d+ s by event [^\n]* a; starting a replacement")
    block(served, "b")
    wait_logged(served, "worker blocked for %d+ s by event [^\n]* b; no replacement")
    helper.post(served.url, { account_id = "other" })
    let_go(2)
    for _, account in ipairs({ "a", "b", "other" }) do
      helper.wait_state(served.db, account, "done")
    end
    helper.ask_until(function()
      return count_threads(served) == threads
    end, "as many workers as before")
    block(served, "c")
    wait_logged(served, "worker blocked for %d+ s by event [^\n]* c; starting a replacement")
    helper.post(served.url, { account_id = "last" })
    helper.wait_state(served.db, "last", "done")
    let_go(1)
    helper.wait_state(served.db, "c", "done")
    assert.are.equal(0, served:stop(), served.stderr)
  end)

  it("does not delay the shutdown, and its event runs again", function()
    local served = serve(script, { "--drain-timeout", "0.1" })
    block(served, "a")
    wait_logged(served, "starting a replacement")
    helper.post(served.url, { account_id = "other" })
    helper.wait_state(served.db, "other", "done")
    assert.are.equal(0, served:stop(), served.stderr)
    assert.truthy(served.stderr:find("handlers have not ended; their events run again", 1, true))
    local again = stage:serve({ db = served.db, text = [[
      require("palenca").on("*", function(event)
        print(event.account_id .. " again " .. event.attempt)
      end)
    ]] })
    again:wait_output("stdout", "a again 2\n")
    assert.are.equal(0, again:stop())
  end)

  it("continues if its replacement fails", function()
    local served = serve(script)
    process.write_file(served.directory .. "/script.lua", "= broken")
    block(served, "a")
    wait_logged(served, "starting a replacement")
    wait_logged(served, "worker replacement failed: [^\n]*script%.lua:1:")
    helper.post(served.url, { account_id = "other" })
    let_go(1)
    served:wait_output("stdout", "a 1\n")
    helper.wait_state(served.db, "other", "done")
    assert.are.equal(0, served:stop(), served.stderr)
  end)

  it("is logged if a timer blocks it", function()
    local served = serve(wait .. [[
      palenca.every(0.1, {name = "clean up"}, palenca.wait_in_place)
      palenca.on("*", function(event) print(event.account_id) end)
    ]])
    wait_logged(served, "palenca: worker blocked for %d+ s by clean up; ")
    helper.post(served.url, { account_id = "other" })
    served:wait_output("stdout", "other\n")
    served:kill("sigint")
    wait_logged(served, "SIGINT: finishing running handlers")
    let_go(1)
    assert.are.equal(0, served:wait_exit())
  end)
end)

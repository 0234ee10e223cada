--- Runs `palenca serve` and sends bodies again, replays events and retries dead ones.
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local function send(url, body)
  local response = assert(http.request("POST", url, body))
  assert.are.equal(200, response.status)
  return helper.json.decode(response.body).id
end

local function events(db, ...)
  local arguments = { "events", ... }
  table.move({ "--db", db }, 1, 2, #arguments + 1, arguments)
  local status, out, err = process.run(process.program(), arguments)
  return status, out, err
end

describe("a duplicate", function()
  local stage = helper.stage_for_each()

  it("gets the first one's id and runs once, also after a restart", function()
    local text = [[require "palenca".on("*", function(e) print("ran", e.id, e.account_id) end)]]
    local served = stage:serve({ text = text })
    local body = helper.body({ account_id = "a" })
    local id = send(served.url, body)
    assert.are.equal(id, send(served.url, body))
    local other = send(served.url, body .. " ")
    assert.are_not.equal(id, other)
    helper.wait_lines(served, "stdout", "ran", 2)
    assert.are.equal(0, served:stop())
    local again = stage:serve({ directory = served.directory, text = text })
    assert.are.equal(id, send(again.url, body))
    local last = send(again.url, helper.body({ account_id = "a" }))
    again:wait_output("stdout", "ran\t" .. string.format("(%d)", last))
    assert.are.equal(1, select(2, again.stdout:gsub("ran", "")))
    assert.are.equal(3, #helper.events(served.db))
  end)

  it("is known after a kill as well, with whatever has become of the event", function()
    local text = [[require "palenca".on("*", function(e) print("ran", e.id) end)]]
    local served = stage:serve({ text = text })
    local body = helper.body({ account_id = "a" })
    local id = send(served.url, body)
    served:kill("sigkill")
    served:wait_exit()
    local again = stage:serve({ directory = served.directory, text = text })
    assert.are.equal(id, send(again.url, body))
    helper.wait_state(again.db, id, "done")
    assert.are.equal(1, #helper.events(again.db))
    assert.are.equal(0, again:stop())
  end)

  it("is an event of its own when the window is over, or off", function()
    for _, case in ipairs({
      { env = { PALENCA_REDELIVERY_WINDOW = "0" } },
      { arguments = { "--redelivery-window", "0.001" } },
    }) do
      local served = stage:serve(case)
      local body = helper.body({ account_id = "a" })
      local first = send(served.url, body)
      helper.ask_until(function()
        return send(served.url, body) ~= first
      end, "a new event")
    end
  end)
end)

describe("palenca events", function()
  local stage = helper.stage_for_each()

  local script = [[
    local palenca = require "palenca"
    palenca.on("login.success", { max_attempts = 1 }, function(event)
      print("ran", event.account_id, event.attempt, event.replay or "-")
      local file = io.open("%s")
      if not file then error("not yet", 0) end
      file:close()
    end)
  ]]

  local function serve()
    local directory = stage:directory()
    local fixed = directory .. "/fixed"
    return stage:serve({ directory = directory, text = script:format(fixed) }), fixed
  end

  it("replay runs an event again while it is served, whatever was received meanwhile", function()
    local served, fixed = serve()
    local body = helper.body({ account_id = "a" })
    local id = send(served.url, body)
    helper.wait_state(served.db, "a", "dead")
    process.write_file(fixed, "")
    assert.are.equal(id, send(served.url, body))
    local status, out, err = events(served.db, "replay", string.format("%d", id))
    assert.are.equal(0, status, err)
    assert.are.equal(string.format("event %d runs again\n", id), out)
    served:wait_output("stdout", "(ran\ta\t1\t1)\n")
    local done = helper.wait_state(served.db, "a", "done")
    assert.are.equal(1, done.replays)
    assert.is_nil(done.error)
    status, out = events(served.db, "replay", "--json", string.format("%d", id), "7")
    assert.are.equal(1, status)
    local results = helper.lines_of_json(out)
    assert.are.same({ { id = id, result = "replayed" }, { id = 7, result = "not_found" } }, results)
    served:wait_output("stdout", "(ran\ta\t1\t2)\n")
  end)

  it("replay rejects unfinished events, and runs others after the next start", function()
    local served = serve()
    local dead = send(served.url, helper.body({ account_id = "a" }))
    helper.wait_state(served.db, "a", "dead")
    assert.are.equal(0, served:stop())
    local name = string.format("%d", dead)
    assert.are.equal(0, (events(served.db, "replay", name)))
    local status, out, err = events(served.db, "replay", name)
    assert.are.equal(1, status)
    assert.are.equal("", out)
    assert.are.equal("palenca: event " .. name
      .. " is not done or dead: it will still run\n", err)
    local again = stage:serve({ directory = served.directory, text = script:format("none") })
    again:wait_output("stdout", "(ran\ta\t1\t1)\n")
  end)

  it("retry-dead runs all that are dead again, or those of an action or a time", function()
    local served, fixed = serve()
    for i = 1, 3 do
      helper.post(served.url, { account_id = "a" .. i })
    end
    for i = 1, 3 do
      helper.wait_state(served.db, "a" .. i, "dead")
    end
    process.write_file(fixed, "")
    local status, out = events(served.db, "retry-dead", "--action", "login.error")
    assert.are.same({ 0, "0 events run again\n" }, { status, out })
    status, out = events(served.db, "retry-dead", "--since", "2999-01-01", "--json")
    assert.are.same({ 0, '{"replayed":0}\n' }, { status, out })
    status, out = events(served.db, "retry-dead", "--since", "1h", "--action", "login.success")
    assert.are.same({ 0, "3 events run again\n" }, { status, out })
    for i = 1, 3 do
      assert.are.equal(1, helper.wait_state(served.db, "a" .. i, "done").replays)
    end
  end)
end)

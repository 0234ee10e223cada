--- `palenca.on_dead`: what is called for events that become dead letters.
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

-- Appends what it is called with to $SPEC_CALLS; the file $SPEC_BROKEN makes it fail.
local SCRIPT = [[
  local palenca = require "palenca"
  local function exists(name)
    local file = io.open(os.getenv(name) or "")
    return file and file:close()
  end
  palenca.on("login.error", { max_attempts = 1 }, function(event)
    error("no: " .. event.account_id, 0)
  end)
  palenca.on_dead(function(event, failure)
    local file <close> = io.open(os.getenv "SPEC_CALLS", "a")
    file:write(palenca.json.encode { id = event.id, account_id = event.account_id,
      body = event.body, action = event.action, note = event.data.note,
      received_at = event.received_at,
      attempt = event.attempt, replay = event.replay, error = failure.error,
      attempts = failure.attempts, call = failure.call }, "\n")
    file:close()
    if exists "SPEC_BROKEN" then
      error("the pager is down", 0)
    end
  end)
]]

describe("palenca.on_dead", function()
  local stage = helper.stage_for_each()
  local directory, calls, broken

  before_each(function()
    directory = stage:directory()
    calls, broken = directory .. "/calls", directory .. "/broken"
  end)

  local function serve(options)
    options = options or {}
    options.directory, options.text = directory, options.text or SCRIPT
    options.env = { SPEC_CALLS = calls, SPEC_BROKEN = broken }
    return stage:serve(options)
  end

  local function called(count)
    return helper.ask_until(function()
      local list = helper.lines_of_json(helper.read_file(calls) or "")
      return #list >= count and list
    end, count .. " calls")
  end

  it("is called once for each dead letter, with the event, its error and its attempts", function()
    local served = serve()
    local body = helper.body({ account_id = "a1", webhook_action = "login.error",
      note = 'a "quoted",\\"dead\\":{ ñ' })
    assert.are.equal(200, http.request("POST", served.url, body).status)
    helper.post(served.url, { account_id = "done" })
    local list = called(1)
    local events = helper.wait_ended(served.db)
    assert.are.equal(1, #list)
    assert.are.equal(3, #events)
    local dead, call = events[1], list[1]
    assert.are.same({ dead.id, "a1", "login.error", body, "no: a1", 1, 1, 1 }, { call.id,
      call.account_id, call.action, call.body, call.error, call.attempts, call.call, call.attempt })
    assert.are.equal(helper.json.decode(body).data.note, call.note)
    assert(math.abs(call.received_at - os.time()) < 60)
    assert.are.same({ "dead", "done", "palenca.dead", "done" }, { dead.state, events[2].state,
      events[3].action, events[3].state })
    assert.are.equal(0, (process.run(process.program(), { "events", "replay", "--db", served.db,
      ("%d"):format(dead.id) })))
    assert.are.same({ 1, 1 }, { called(2)[2].replay, called(2)[2].call })
    assert.are.equal(0, served:stop())
  end)

  it("is called again while it fails, and makes no dead letter of that", function()
    process.write_file(broken, "")
    local served = serve({ arguments = { "--max-attempts", "1" } })
    helper.post(served.url, { account_id = "a1", webhook_action = "login.error" })
    served:wait_output("stderr",
      "(palenca.dead .*account a1  FAILED %(attempt 1%), not called again: the pager is down)")
    local events = helper.wait_ended(served.db)
    assert.are.same({ 2, "dead", "done" }, { #events, events[1].state, events[2].state })
    assert.are.equal(0, served:stop())

    served = serve({ arguments = { "--max-attempts", "2" } })
    helper.post(served.url, { account_id = "a2", webhook_action = "login.error" })
    served:wait_output("stderr", "(account a2  FAILED %(attempt 1%), next attempt in)")
    os.remove(broken)
    assert.are.equal(2, called(3)[3].call)
    helper.wait_ended(served.db)
    assert.are.equal(0, served:stop())
  end)

  it("is called after a kill -9 as well", function()
    local served = serve({ text = SCRIPT:gsub('palenca.on_dead%(function%(event, failure%)',
      "%0 local pause <close> = exists 'SPEC_BROKEN' and palenca.sleep(1000)") })
    process.write_file(broken, "")
    helper.post(served.url, { account_id = "a1", webhook_action = "login.error" })
    helper.wait_state(served.db, "a1", "dead")
    served:kill("sigkill")
    served:wait_exit()
    os.remove(broken)
    assert.is_nil(helper.read_file(calls))
    served = serve()
    assert.are.equal("a1", called(1)[1].account_id)
    helper.wait_ended(served.db)
    assert.are.equal(0, served:stop())
  end)

  it("#file leaves nothing behind in a script that no longer has it", function()
    process.write_file(broken, "")
    local served = serve({ arguments = { "--workers", "1" } })
    helper.post(served.url, { account_id = "a1", webhook_action = "login.error" })
    served:wait_output("stderr", "(palenca.dead .* FAILED %(attempt 1%), next attempt)")
    assert.are.equal(0, served:stop())
    helper.change_database(served.db, "UPDATE events SET due_at = 1 WHERE state = 2")
    served = serve({ arguments = { "--workers", "1" }, text = 'require "palenca"' })
    served:wait_output("stderr", "(palenca.dead .* no handler for it)")
    helper.wait_ended(served.db)
    assert.are.equal(0, served:stop())
    assert.is_nil(served.stderr:find("worker failed", 1, true), served.stderr)
  end)

  it("cannot be called by who sends webhooks", function()
    local served = serve()
    for _, action in ipairs({ "palenca.dead", "palenca.alert", "palenca." }) do
      local response = http.request("POST", served.url, helper.body({ webhook_action = action }))
      assert.are.same({ 400, "the actions palenca.* are reserved" }, { response.status,
        helper.json.decode(response.body).error })
    end
    served:wait_output("stderr",
      "(rejected request from 127.0.0.1: 400 %(the actions palenca.%* are reserved%))")
    local response = http.request("POST", served.url,
      '{"event":{"data":{"webhook_action":"x.y"}},"dead":{"id":1,"attempts":1,"replay":0}}')
    assert.are.equal(400, response.status)
    helper.post(served.url, { account_id = "a1", webhook_action = "palencia.dead" })
    helper.wait_state(served.db, "a1", "done")
    assert.are.equal(1, #helper.events(served.db))
    assert.is_nil(helper.read_file(calls))
    assert.are.equal(0, served:stop())
  end)

  it("#file leaves nothing of a person who is forgotten", function()
    local served = serve()
    for _, user in ipairs({ "11111111-aaaa-4444-8888-000000000001",
      "11111111-aaaa-4444-8888-000000000002" }) do
      helper.post(served.url, { account_id = "account-of-" .. user, user_id = user,
        webhook_action = "login.error" })
    end
    called(2)
    assert.are.equal(4, #helper.wait_ended(served.db))
    local status, out, err = process.run(process.program(), { "forget", "--user",
      "11111111-aaaa-4444-8888-000000000001", "--db", served.db })
    assert.are.equal(0, status, out .. err)
    assert.are.equal(2, #helper.events(served.db))
    status, out, err = process.run(process.program(), { "forget", "--account",
      "account-of-11111111-aaaa-4444-8888-000000000002", "--db", served.db })
    assert.are.equal(0, status, out .. err)
    assert.are.equal(0, #helper.events(served.db))
    assert.are.equal(0, served:stop())
  end)

  it("has a count that a check can look at: events stats --fail-if-dead", function()
    local served = serve()
    helper.post(served.url, { account_id = "done" })
    helper.wait_state(served.db, "done", "done")
    local arguments = { "events", "stats", "--fail-if-dead", "--db", served.db }
    assert.are.equal(0, (process.run(process.program(), arguments)))
    helper.post(served.url, { account_id = "a1", webhook_action = "login.error" })
    helper.wait_state(served.db, "a1", "dead")
    local status, out, err = process.run(process.program(), arguments)
    assert.are.same({ 1, "" }, { status, err })
    assert.truthy(out:find("login.error"))
  end)
end)

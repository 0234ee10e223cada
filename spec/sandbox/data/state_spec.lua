--- The sandbox's state in a file: what outlives a restart, and what a damaged file does.
local helper = require("spec.sandbox.helper")
local journal = require("palenca.sandbox.data.journal")
local sandbox = require("palenca.sandbox")

describe("the sandbox's state file", function()
  local path, now
  before_each(function()
    path, now = os.tmpname(), helper.NOON
    os.remove(path)
  end)
  after_each(function()
    os.remove(path)
    os.remove(path .. ".new")
  end)

  -- A sandbox on the file, as helper.new returns one.
  local function open(options)
    local api = helper.new()
    local book, entries, skipped = journal.open(path)
    local settings = {
      api_key = helper.KEY, rate_limit = 0, journal = book, entries = entries,
      clock = function() return now end,
    }
    for name, value in pairs(options or {}) do
      settings[name] = value
    end
    api.sandbox = sandbox.new(settings)
    return api, skipped
  end

  local function close(api)
    assert.is_nil(api.sandbox:flush())
    api.sandbox.journal:close()
  end

  local function read_file()
    local file = assert(io.open(path, "rb"))
    local text = file:read("a")
    file:close()
    return text
  end

  local function write_file(text)
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
  end

  it("brings back users, accounts, logins, webhooks and deliveries", function()
    local api = open { webhook_delay = 0 }
    api:login { platform = "uber", external_id = "e" }
    local hook = api:webhook()
    -- of the same person
    local login = api:login { platform = "rappi", external_id = "e" }
    api.sandbox:delivered(api.sandbox:next_delivery(), { status = 200, body = "thanks" })
    local targets = {
      "/v1/accounts/" .. login.account_id, "/v1/accounts/" .. login.account_id .. "/profile",
      "/v1/users/" .. login.user_id .. "/accounts", "/v1/webhooks/" .. hook.webhook_id,
      "/v1/logins/" .. login.login_id, "/sandbox/deliveries",
    }
    local before = {}
    for at, target in ipairs(targets) do
      before[at] = select(4, api:call("GET", target))
    end
    close(api)
    api = open()
    for at, target in ipairs(targets) do
      assert.equal(before[at], (select(4, api:call("GET", target))))
    end
    -- what was queued goes on
    assert.equal("login.success", api.sandbox:next_delivery().action)
    close(api)
  end)

  it("keeps an account's pattern, its length and its warning", function()
    local function read(api, account_id)
      local _, account = api:call("GET", "/v1/accounts/" .. account_id)
      local rows = select(4, api:call("POST", "/v1/accounts/" .. account_id .. "/earnings/search",
        { start_date = "2020-01-01", end_date = "2030-01-01",
          options = { items_per_page = 1000 } }))
      return account.data.warning, rows
    end
    local history_patterns = require("palenca.sandbox.data.history_patterns")
    local api = open { webhook_delay = 0 }
    local before, count = {}, 0
    for pattern in pairs(history_patterns.names) do
      local id = api:login { platform = "didi", pattern = pattern, warning = "rider_account",
        days = 300 }.account_id
      before[id], count = { read(api, id) }, count + 1
    end
    -- one whose login has not ended yet
    api.sandbox.settings.webhook_delay = 60
    local pending = api:login { platform = "uber", pattern = "new", warning = "id_mismatch" }
    close(api)
    now = now + 100
    api = open { webhook_delay = 0 }
    assert.is_nil(api.sandbox:next_delivery())
    for id, expected in pairs(before) do
      assert.same(expected, { read(api, id) })
    end
    assert.equal(8, count)
    local warning, rows = read(api, pending.account_id)
    assert.equal("id_mismatch", warning)
    assert.is_true(select(2, rows:gsub("earning_date", "")) <= 20)
    close(api)
  end)

  it("goes on with a pending login and a failed delivery", function()
    local api = open()
    api:webhook()
    local login = api:login { platform = "uber" }
    local code = api:login { identifier = "uber+expired_otp@palenca-tests.com" }
    close(api)
    now = now + 30
    api = open()
    local first = api.sandbox:next_delivery()
    assert.truthy(first.body:find(login.account_id, 1, true))
    api.sandbox:delivered(first, { status = 500 })
    close(api)
    api = open()
    assert.same({ n = 2, nil, 30.0 }, table.pack(api.sandbox:next_delivery()))
    now = now + 30
    assert.equal(2, api.sandbox:next_delivery().attempt)
    local _, response = api:call("POST", "/sandbox/logins/" .. code.login_id .. "/code",
      { code = "1" }, helper.JSON)
    assert.equal("expired_otp", response.data.outcome.status_details)
    close(api)
  end)

  it("forgets what was deleted, of the tutorial too", function()
    local api = open()
    api:call("DELETE", "/v1/users/" .. helper.TUTORIAL_USER)
    close(api)
    api = open()
    assert.equal(404, (api:call("GET", "/v1/accounts/" .. helper.TUTORIAL)))
    assert.equal(404, (api:call("GET", "/v1/users/" .. helper.TUTORIAL_USER)))
    close(api)
  end)

  it("keeps seed, accounts and clock, and never draws an id twice", function()
    local api = open { seed = 7, accounts = 20 }
    api:call("POST", "/sandbox/clock", { advance = 86400 }, helper.JSON)
    local _, users = api:call("POST", "/v1/users", {})
    local before = select(4, api:call("GET", "/sandbox/logins?items_per_page=1000"))
    close(api)
    now = now + 5 * 86400
    api = open { seed = 1, accounts = 3 }
    assert.equal(7, api.sandbox.store.seed)
    assert.equal(21, #api.sandbox.store.account.list)
    assert.equal(86400, api.sandbox.clock_offset)
    assert.equal(before, (select(4, api:call("GET", "/sandbox/logins?items_per_page=1000"))))
    local _, more = api:call("POST", "/v1/users", {})
    assert.not_equal(users.data.user_id, more.data.user_id)
    close(api)
  end)

  it("keeps earnings that a fault has changed, to the cent", function()
    local api = open()
    api:call("POST", "/sandbox/faults", { kind = "earning_added", times = 1 }, helper.JSON)
    local target = "/v1/accounts/" .. helper.TUTORIAL .. "/earnings/search"
    local body = { start_date = "2024-09-01", end_date = "2026-03-01" }
    api:call("POST", target, body)
    local before = select(4, api:call("POST", target, body))
    close(api)
    api = open()
    assert.equal(before, (select(4, api:call("POST", target, body))))
    close(api)
  end)

  it("loses only a line that was truncated", function()
    local api = open()
    api:call("POST", "/v1/users", { external_id = "whole" })
    close(api)
    api = open()
    api:call("POST", "/v1/users", { external_id = "half" })
    close(api)
    write_file((read_file():gsub('half.*$', "")))
    local skipped
    api, skipped = open()
    assert.equal(1, skipped)
    assert.truthy(api.sandbox.store:user_by_external_id("whole"))
    assert.is_nil(api.sandbox.store:user_by_external_id("half"))
    api:call("POST", "/v1/users", { external_id = "after" })
    close(api)
    api, skipped = open()
    assert.equal(0, skipped)
    assert.truthy(api.sandbox.store:user_by_external_id("after"))
    close(api)
  end)

  it("writes again what could not be written", function()
    local api = open()
    api:call("POST", "/v1/users", { external_id = "e" })
    local real = api.sandbox.journal.file
    api.sandbox.journal.file = { write = function() return nil, "No space left on device" end }
    assert.equal("No space left on device", api.sandbox:flush())
    real:write('["user","cut o') -- what a full disk took of it
    api.sandbox.journal.file = real
    close(api)
    local again, skipped = open()
    assert.equal(1, skipped)
    assert.truthy(again.sandbox.store:user_by_external_id("e"))
    close(again)
  end)

  it("stays small however often a record changes", function()
    local api = open()
    local hook = api:webhook()
    for at = 1, 3000 do
      api:call("PUT", "/v1/webhooks/" .. hook.webhook_id, { name = "name " .. at })
    end
    close(api)
    local before = #read_file()
    close(open())
    assert.is_true(#read_file() < before / 100)
    local _, response = open():call("GET", "/v1/webhooks/" .. hook.webhook_id)
    assert.equal("name 3000", response.data.name)
  end)

  it("is rejected and left alone if it is not ours", function()
    for _, text in ipairs { "hello\nworld\n", "\0\1\2", '["palenca sandbox",2]\n' } do
      write_file(text)
      local ok, problem = pcall(open)
      assert.is_false(ok)
      assert.truthy(tostring(problem):find("not a file of the sandbox's", 1, true))
      assert.equal(text, read_file())
    end
  end)
end)

--- The sandbox as the API of a test: in the same process, and as a process of its own, with the
-- same results as the real client has over a socket.
local palenca = require("palenca")
local process = require("spec.support.process")
local reference = require("palenca.strict.reference")
local testing = require("palenca.testing")
local uv = require("luv")

local ACCOUNT = "cb39ee15-f29f-427d-9119-0c627575610d"
local USER = "d1c9b98b-3190-479e-99db-04060ff3997f"
local PERIOD = { start_date = "2024-09-01", end_date = "2026-03-01", items_per_page = 50 }
local HAS_SANDBOX = _VERSION >= "Lua 5.4"

describe("palenca.testing.sandbox", function()
  if HAS_SANDBOX then
    it("rejects a mistyped outcome of a test identifier, which would succeed", function()
      local test = testing.start { sandbox = true }
      local _, problem = pcall(function()
        test:worker { identifier = "rappi+incomplet@palenca-tests.com" }
      end)
      local status = test:worker({ identifier = "rappi+incomplete@palenca-tests.com" }).status
      test:stop()
      assert.truthy(problem:find("sandbox_spec.lua:%d+: .*; did you mean 'incomplete'%?$"), problem)
      assert.equal("incomplete", status)
    end)
  end

  it("starts the program's sandbox, which a client reaches, and ends it", function()
    local sandbox = testing.sandbox { program = process.program(), api_key = "k", accounts = 1 }
    local client = palenca.new { api_key = sandbox.api_key, base_url = sandbox.url,
      max_retries = 0 }
    assert.equal(ACCOUNT, client.accounts:get(ACCOUNT).account_id)
    sandbox:stop()
    sandbox:stop()
    local _, err = client.accounts:get(ACCOUNT)
    assert.equal("network", err.kind)
  end)

  it("ends with the process that has started it, however that ends", function()
    local text = "print(require('palenca.testing').sandbox({ program = '%s' }).url) "
      .. "io.stdout:flush() os.execute('kill -9 $PPID')"
    local _, url = process.run(uv.exepath(), { "-e", text:format(process.program()) })
    local client = palenca.new { api_key = "k", base_url = url:match("%S+"), max_retries = 0 }
    process.wait_for(function()
      return select(2, client.platforms:list()).kind == "network"
    end, "the end of the sandbox")
  end)

  it("says what to do if there is no program", function()
    local ok, problem = pcall(testing.sandbox, { program = "/nowhere/palenca" })
    assert.is_false(ok)
    assert.truthy(problem:find("/nowhere/palenca could not be started", 1, true), problem)
    assert.truthy(problem:find("which LuaRocks does not install", 1, true), problem)
    assert.has_error(function() testing.sandbox { port = 8400 } end)
  end)
end)

describe("palenca.testing.start with a sandbox", function()
  if not HAS_SANDBOX then
    it("says where there is none, and what to use instead", function()
      local ok, problem = pcall(testing.start, { sandbox = true })
      assert.is_false(ok)
      assert.truthy(problem:find("for Lua 5.4, and not of the rock", 1, true), problem)
      assert.truthy(problem:find("test:worker", 1, true), problem)
      testing.start():stop()
    end)
    return
  end

  local test

  before_each(function()
    test = testing.start { sandbox = { accounts = 0, seed = 1 } }
  end)

  after_each(function() test:stop() end)

  -- What one client says of the same things.
  local function read_all(client)
    local said = {}
    local function add(...)
      said[#said + 1] = { ... }
    end
    local function read(resource, operation, ...)
      local data, other = client[resource][operation](client[resource], ...)
      if data == nil then
        add(operation, other.kind, other.code, other.status, other.message, other.attempts)
      else
        add(operation, data, other.status, other.attempts)
      end
    end
    read("accounts", "get", ACCOUNT, { language = "es" })
    read("accounts", "get", "00000000-0000-4000-8000-000000000000")
    read("accounts", "profile", ACCOUNT)
    read("users", "accounts", USER)
    read("countries", "list", { only_active = true })
    read("platforms", "list")
    read("users", "aggregated_earnings",
      { user_id = USER, start_date = "2025-01-01", end_date = "2025-02-01" })
    add(client.accounts:earnings(ACCOUNT, PERIOD):all())
    add((client.accounts:earnings(ACCOUNT, PERIOD):page(3)))
    add(client.accounts:events(ACCOUNT, PERIOD):all())
    return said
  end

  -- Ids and times are not the same in two sandboxes.
  local function plain(said)
    return (palenca.json.canonical(said):gsub('"%x+%-%x+%-%x+%-%x+%-%x+"', "ID")
      :gsub("%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ", "TIME"))
  end

  it("has the results that a real client has of the program's sandbox", function()
    local inside = plain(read_all(palenca.new { max_retries = 0 }))
    test:stop()
    local running, url, key = process.sandbox { "--rate-limit", "0" }
    local client = palenca.new { api_key = key, base_url = url, max_retries = 0 }
    local outside = plain(read_all(client))
    running:stop()
    assert.equal(outside, inside)
  end)

  it("has workers who log in as the sandbox's do, at the test's time", function()
    local worker = test:worker { platform = "didi", pattern = "declining", external_id = "w" }
    assert.same({ "success", "w", "didi" }, { worker.status, worker.external_id, worker.platform })
    local account = palenca.new().accounts:get(worker.account_id)
    assert.truthy(account.created_at:find("2026-03-02T", 1, true))
    worker = test:worker { identifier = "uber+invalid_credentials@palenca-tests.com" }
    assert.same({ "error", "invalid_credentials" }, { worker.status, worker.status_details })
    local ok, problem = pcall(test.worker, test, { patern = "new" })
    assert.is_false(ok)
    assert.truthy(problem:find("patern", 1, true), problem)
  end)

  it("meets faults of the test as well", function()
    test:fault { status = 503, times = 1 }
    assert.equal(2, select(2, palenca.new().accounts:get(ACCOUNT)).attempts)
  end)

  -- What the stand-in responds with has the fields of the sandbox's responses, and of the types.
  it("is what the stand-in without a sandbox is like", function()
    local function shape(value, class)
      if type(value) ~= "table" then
        return type(value)
      end
      local fields = {}
      for name, field in pairs(value) do
        assert.truthy(reference.classes[class][name], class .. "." .. name)
        local kind = reference.classes[class][name]
        fields[name] = type(kind) == "string" and not kind:find("%[") and shape(field, kind)
          or type(field)
      end
      return fields
    end
    local function shapes(worker)
      local client, found = palenca.new(), {}
      found.Account = shape(client.accounts:get(worker.account_id), "Account")
      found.Profile = shape(client.accounts:profile(worker.account_id), "Profile")
      found.User = shape(client.accounts:user(worker.account_id), "User")
      found.Login = shape(client.accounts:logins(worker.account_id).logins[1], "Login")
      found.Earning = shape(client.accounts:earnings(worker.account_id, PERIOD):page(1)[1],
        "Earning")
      return found
    end
    local real = shapes(test:worker { pattern = "steady" })
    test:stop()
    test = testing.start()
    local function check(made, of, place)
      for name, kind in pairs(made) do
        if type(kind) == "table" then
          check(kind, of[name], place .. "." .. name)
        else
          assert.equal(of[name] or kind, kind, place .. "." .. name)
        end
      end
    end
    for class, made in pairs(shapes(test:worker())) do
      check(made, real[class], class)
    end
  end)
end)

--- What one operation of the sandbox does is seen by all the others.
local helper = require("spec.sandbox.helper")
local operations = require("spec.sandbox.operations")
local world = require("spec.sandbox.world")

local DAY = 86400

local function call(api, status, method, target, body)
  local got, response, _, text = api:call(method, target, body)
  assert.equal(status, got, method .. " " .. target .. " " .. text)
  return response.data, response
end

-- The values of one field, in order.
local function each(list, name)
  local values = {}
  for at, item in ipairs(list) do
    values[at] = item[name]
  end
  return values
end

local function search(api, target, kind, name, more)
  return each(call(api, 200, "POST", target, world.period(more))[kind], name)
end

local function users(api, more)
  return search(api, "/v1/users/search", "users", "user_id", more)
end

local function logins(api, more)
  return search(api, "/v1/logins/search", "logins", "id", more)
end

local function consents(api)
  return call(api, 200, "POST", "/v1/consents/search", {}).consents
end

-- No operation of an account finds it.
local function assert_gone(api, account_id)
  for _, operation in ipairs(operations) do
    if operation.ids == "accounts" then
      local ask = operation.asks and operation.asks({ spare = helper.TUTORIAL_USER })[1] or {}
      call(api, 404, operation.method, operations.target(operation, account_id), ask.body)
    end
  end
end

describe("a user of the sandbox", function()
  local api
  before_each(function() api = helper.new { webhook_delay = 0 } end)

  it("is found by id, by external id and by day, until they are deleted", function()
    local made = call(api, 201, "POST", "/v1/users", { external_id = "mine" })
    local target = "/v1/users/" .. made.user_id
    local function found()
      return {
        #users(api, { external_id = "mine" }),
        #users(api, { start_date = "2025-06-20", end_date = "2025-06-20" }),
      }
    end
    assert.equal("mine", call(api, 200, "GET", target).external_id)
    assert.same({ 1, 1 }, found())
    assert.same({}, users(api, { external_id = "Mine" }))
    assert.same({ helper.TUTORIAL_USER }, users(api, { end_date = "2025-06-19" }))
    assert.same({}, users(api, { start_date = "2025-06-21" }))
    assert.same({ user_id = made.user_id, external_id = "mine" },
      call(api, 200, "DELETE", target))
    assert.same({ 0, 0 }, found())
    for _, method in ipairs { "GET", "DELETE" } do
      call(api, 404, method, target)
    end
    call(api, 404, "GET", target .. "/accounts")
    call(api, 404, "POST", "/v1/users/earnings/aggregated", world.period {
      user_id = made.user_id,
    })
  end)

  it("is on one page of those made before and after, the newest first", function()
    local made = {}
    for number = 1, 7 do
      api.now = api.now + DAY
      made[8 - number] = call(api, 201, "POST", "/v1/users", {}).user_id
    end
    made[8] = helper.TUTORIAL_USER
    local seen = {}
    for page = 1, 4 do
      local found = users(api, { options = { page = page, items_per_page = 3 } })
      assert.equal(({ 3, 3, 2, 0 })[page], #found)
      table.move(found, 1, #found, #seen + 1, seen)
    end
    assert.same(made, seen)
  end)

  it("takes their accounts along, with logins and consents", function()
    local first = api:login { platform = "uber", external_id = "e" }
    local second = api:login { platform = "rappi", external_id = "e" }
    local other = api:login { platform = "didi" }
    call(api, 200, "DELETE", "/v1/users/" .. first.user_id)
    for _, login in ipairs { first, second } do
      assert_gone(api, login.account_id)
      call(api, 404, "GET", "/v1/logins/" .. login.login_id)
    end
    assert.same({ other.user_id, helper.TUTORIAL_USER }, users(api))
    assert.equal(other.login_id, logins(api)[1])
    assert.equal(2, #logins(api))
    assert.same({ other.account_id }, each(consents(api), "account_id"))
    -- an external id that is free again is a new user's
    assert.not_equal(first.user_id, api:login({ platform = "uber", external_id = "e" }).user_id)
  end)
end)

describe("an account of the sandbox", function()
  local api
  before_each(function() api = helper.new { webhook_delay = 0 } end)

  local function accounts_of(user_id)
    return each(call(api, 200, "GET", "/v1/users/" .. user_id .. "/accounts").accounts,
      "account_id")
  end

  it("is gone for everyone once it is deleted, and its user stays", function()
    local login = api:login { platform = "uber", external_id = "e" }
    local kept = api:login { platform = "didi", external_id = "e" }
    local target = "/v1/accounts/" .. login.account_id
    local before = call(api, 200, "GET", target)
    assert.same(before, call(api, 200, "DELETE", target))
    assert_gone(api, login.account_id)
    call(api, 404, "GET", "/v1/logins/" .. login.login_id)
    assert.same({ kept.account_id }, accounts_of(login.user_id))
    assert.same({ kept.account_id }, each(consents(api), "account_id"))
    assert.equal(2, #logins(api))
    local sums = call(api, 200, "POST", "/v1/users/earnings/aggregated", world.period {
      user_id = login.user_id,
    })
    assert.same({ kept.account_id }, each(sums.platforms, "account_id"))
  end)

  it("leaves no consent behind, of whichever country its person was", function()
    local given = { platform = "uber", external_id = "e", identifier = "i", country = "mx" }
    api:login(given)
    given.country = "br"
    local login = api:login(given)
    assert.equal(2, #consents(api))
    call(api, 200, "DELETE", "/v1/accounts/" .. login.account_id)
    assert.same({}, consents(api))
  end)

  it("is deleted while its login is pending", function()
    api = helper.new()
    local login = api:login { platform = "uber" }
    call(api, 200, "DELETE", "/v1/accounts/" .. login.account_id)
    api.now = api.now + DAY
    assert.is_nil(api.sandbox:next_delivery())
    assert_gone(api, login.account_id)
    assert.same({}, consents(api))
  end)

  it("goes over to another user with all that is its own", function()
    local login = api:login { platform = "uber", external_id = "old" }
    local heir = call(api, 201, "POST", "/v1/users", { external_id = "new" }).user_id
    local target = "/v1/accounts/" .. login.account_id
    local before = call(api, 200, "GET", target .. "/profile")
    assert.same({
      account_id = login.account_id, new_user_id = heir, old_user_id = login.user_id,
      old_user_deleted = false,
    }, call(api, 200, "PATCH", target .. "/user", { external_id = "new" }))
    assert.same({}, accounts_of(login.user_id))
    assert.same({ login.account_id }, accounts_of(heir))
    assert.equal(heir, call(api, 200, "GET", target .. "/user").user_id)
    assert.equal(heir, call(api, 200, "GET", target .. "?add_user_id=true").user_id)
    assert.equal(heir, consents(api)[1].user_id)
    assert.equal("new", consents(api)[1].external_id)
    local profile = call(api, 200, "GET", target .. "/profile")
    assert.equal("new", profile.external_id)
    assert.same(before.profile, profile.profile)
    -- who loses it does not take it along
    call(api, 200, "DELETE", "/v1/users/" .. login.user_id)
    assert.equal(heir, call(api, 200, "GET", target .. "/user").user_id)
    assert.equal(login.login_id,
      call(api, 200, "GET", target .. "/logins").logins[1].id)
  end)

  it("makes its new user and deletes the old one if that is to be smart", function()
    local first = api:login { platform = "uber", external_id = "old" }
    local second = api:login { platform = "didi", external_id = "old" }
    local function give(login)
      return call(api, 200, "PATCH", "/v1/accounts/" .. login.account_id .. "/user",
        { external_id = "new", smart = true })
    end
    local one = give(first)
    assert.is_false(one.old_user_deleted)
    assert.same({ one.new_user_id }, users(api, { external_id = "new" }))
    local two = give(second)
    assert.is_true(two.old_user_deleted)
    assert.equal(one.new_user_id, two.new_user_id)
    call(api, 404, "GET", "/v1/users/" .. first.user_id)
    assert.same({ first.account_id, second.account_id }, accounts_of(one.new_user_id))
  end)

  for name, case in pairs {
    ["nobody"] = { {}, 422 },
    ["two at once"] = { { user_id = helper.UNKNOWN, external_id = "e" }, 422 },
    ["who has it already"] = { { user_id = helper.TUTORIAL_USER }, 422 },
    ["an unknown id"] = { { user_id = helper.UNKNOWN }, 404 },
    ["an unknown external id"] = { { external_id = "nobody" }, 404 },
  } do
    it("is not given to " .. name, function()
      local target = "/v1/accounts/" .. helper.TUTORIAL .. "/user"
      local _, response = call(api, case[2], "PATCH", target, case[1])
      assert.equal(case[2] == 404 and "not_found" or "bad_request", response.error.code)
      assert.equal(helper.TUTORIAL_USER, call(api, 200, "GET", target).user_id)
      assert.same({ helper.TUTORIAL_USER }, users(api))
    end)
  end

  it("that waits for a code says so until it has one", function()
    local login = api:login { identifier = "uber+expired_otp@palenca-tests.com" }
    local target = "/v1/accounts/" .. login.account_id
    assert.equal("otp", call(api, 200, "GET", target).next_step)
    api:call("POST", "/sandbox/logins/" .. login.login_id .. "/code", { code = "1" }, helper.JSON)
    assert.is_nil(call(api, 200, "GET", target).next_step)
  end)
end)

describe("the logins of the sandbox", function()
  it("are found by day and in pages, the newest first", function()
    local api = helper.new { webhook_delay = 0 }
    local ids = {}
    for number = 1, 5 do
      api.now = helper.NOON + number * DAY
      ids[number] = api:login({ platform = "uber" }).login_id
    end
    assert.same({ ids[3], ids[2] },
      logins(api, { start_date = "2025-06-22", end_date = "2025-06-23" }))
    assert.same({ ids[5] }, logins(api, { start_date = "2025-06-25", end_date = "2025-06-25" }))
    assert.same({}, logins(api, { start_date = "2025-06-26" }))
    assert.same({ ids[3], ids[2] }, logins(api, { options = { page = 2, items_per_page = 2 } }))
    assert.equal(6, #logins(api))
  end)

  it("of an account come the newest first, each with its own end", function()
    local api = helper.new { webhook_delay = 0 }
    local given = { external_id = "e", identifier = "didi+invalid_otp@palenca-tests.com" }
    local first = api:login(given)
    -- nobody types the code
    api.now = api.now + 600
    api.sandbox:next_delivery()
    local second = api:login(given)
    api:call("POST", "/sandbox/logins/" .. second.login_id .. "/code", { code = "1" }, helper.JSON)
    local list = call(api, 200, "GET", "/v1/accounts/" .. first.account_id .. "/logins").logins
    assert.same({ second.login_id, first.login_id }, each(list, "id"))
    assert.same({ "error", "incomplete" }, each(list, "status"))
    assert.same({ "invalid_otp", "validation_time_expired" }, each(list, "status_details"))
    assert.same({ "2025-06-20T12:10:00Z", "2025-06-20T12:00:00Z" }, each(list, "created_at"))
    for _, one in ipairs(list) do
      assert.same(one, call(api, 200, "GET", "/v1/logins/" .. one.id))
    end
  end)
end)

describe("the consents of the sandbox", function()
  it("are one for each login that succeeded, found by its identity number", function()
    local api = helper.new { webhook_delay = 0 }
    local given = { platform = "ifood", external_id = "e", identifier = "i" }
    local login = api:login(given)
    api:login { identifier = "uber+banned@palenca-tests.com" }
    api.now = api.now + 60
    api:login(given)
    local list = consents(api)
    assert.same({ "2025-06-20T12:01:00Z", "2025-06-20T12:00:00Z" }, each(list, "accepted_at"))
    assert.equal(login.account_id, list[1].account_id)
    assert.equal("e", list[1].external_id)
    local gov_id = call(api, 200, "GET", "/v1/accounts/" .. login.account_id).gov_id
    assert.equal(gov_id, list[1].gov_id)
    assert.truthy(gov_id:find("[.-]"))
    for _, written in ipairs { gov_id, (gov_id:gsub(".", function(character)
      return ("%%%02x"):format(character:byte())
    end)) } do
      assert.same({ consents = list }, call(api, 200, "GET", "/v1/consents/" .. written))
    end
    assert.same({ consents = {} }, call(api, 200, "GET", "/v1/consents/nobody"))
    local page = call(api, 200, "POST", "/v1/consents/search",
      { options = { page = 2, items_per_page = 1 } })
    assert.same({ consents = { list[2] } }, page)
  end)
end)

describe("two sandboxes", function()
  local function everything(seed)
    local made, responses = world.new { seed = seed }, {}
    for at = 1, operations.reading do
      local texts = {}
      for _, response in ipairs(operations.ask(operations[at], made)) do
        texts[#texts + 1] = response.target .. " " .. response.text
      end
      responses[at] = table.concat(texts, "\n")
    end
    return responses
  end

  it("of one seed respond equally, and of two seeds not", function()
    local one, same, other = everything(3), everything(3), everything(4)
    -- the world's own, whoever looks at it
    local fixed = { ["/v1/platforms"] = true, ["/v1/countries"] = true,
      ["/v1/widgets/{widget_id}"] = true }
    for at = 1, operations.reading do
      local path = operations[at].path
      assert.equal(one[at], same[at], path)
      assert.equal(fixed[path] or false, one[at] == other[at], path)
    end
  end)
end)

--- The sandbox's logins: how each case ends, and for whom.
local helper = require("spec.sandbox.helper")

local function magic(case, platform)
  return ("%s+%s@palenca-tests.com"):format(platform or "uber", case)
end

describe("sandbox login outcomes", function()
  local api
  before_each(function() api = helper.new { webhook_delay = 0 } end)

  local outcomes = {
    success = { "success" },
    no_such_case = { "success" },
    incomplete = { "incomplete" },
    rider_account = { "success", warning = "rider_account" },
    fleet_account = { "success", warning = "fleet_account" },
    incomplete_profile_data = { "success", warning = "incomplete_profile_data" },
    id_mismatch = { "success", warning = "id_mismatch" },
  }
  for code in ([[invalid_credentials login_refused platform_unavailable request_timeout
    platform_error recent_login_successful not_registered banned]]):gmatch("%S+") do
    outcomes[code] = { "error", code }
  end
  for case, outcome in pairs(outcomes) do
    it("of the case " .. case, function()
      local login = api:login { identifier = magic(case, "rappi"), external_id = "e" }
      assert.equal("rappi", login.platform)
      assert.equal(outcome[1], login.status)
      assert.equal(outcome[2], login.status_details)
      assert.equal("e", login.external_id)
      local _, response = api:call("GET", "/v1/accounts/" .. login.account_id)
      assert.equal(outcome.warning, response.data.warning)
      assert.equal(outcome[1], response.data.status)
    end)
  end

  for case in ([[invalid_otp expired_otp could_not_send_otp invalid_otp_auth_key
    invalid_otp_session]]):gmatch("%S+") do
    it("of the case " .. case .. ", once a code was typed", function()
      api:webhook()
      local login = api:login { identifier = magic(case) }
      assert.equal("pending", login.status)
      assert.equal("otp", login.next_step)
      assert.is_nil(login.outcome)
      assert.equal(0, api.sandbox:pending_deliveries())
      local target = "/sandbox/logins/" .. login.login_id .. "/code"
      local status, response = api:call("POST", target, { code = "123456" }, helper.JSON)
      assert.equal(200, status)
      assert.same({ status = "error", status_details = case }, response.data.outcome)
      assert.equal("error", response.data.status)
      local _, account = api:call("GET", "/v1/accounts/" .. login.account_id)
      assert.equal("error", account.data.status)
      assert.equal(case, account.data.status_details)
      assert.equal(2, api.sandbox:pending_deliveries())
      status, response = api:call("POST", target, { code = "123456" }, helper.JSON)
      assert.equal(409, status)
      assert.equal("bad_request", response.error.code)
    end)
  end

  it("succeed for anything else that is typed", function()
    for _, identifier in ipairs {
      "me@example.com", "", "+525500000000", "uber+banned@palenca-tests.com.mx",
      "xuber+@palenca-tests.com",
    } do
      local login = api:login { platform = "cabify", identifier = identifier }
      assert.equal("success", login.status)
      assert.equal("cabify", login.platform)
    end
  end)

  it("follow the identifier's platform before the body's", function()
    local login = api:login { platform = "uber", identifier = magic("banned", "didi_food") }
    assert.equal("didi_food", login.platform)
    login = api:login { platform = "uber", identifier = magic("BANNED", "nowhere") }
    assert.equal("uber", login.platform)
    assert.equal("banned", login.status_details)
  end)

  it("let anything be typed into the widget, in any of its fields", function()
    local constants = require("palenca.sandbox.data.vendor_constants")
    local _, response = api:call("GET", "/widget/config", nil, helper.JSON)
    local asked = 0
    for _, platform in ipairs(response.data.platforms) do
      for _, kind in ipairs(platform.identifiers) do
        for _, typed in ipairs { "12345", "1", "x", "+52 12345" } do
          local status, login = api:call("POST", "/widget/logins", {
            platform = platform.code, identifier = typed, identifier_type = kind,
            password = "12345", consent = true,
          }, helper.JSON)
          assert.equal(201, status)
          assert.equal(kind == "phone" and "otp" or nil, login.data.next_step)
          if login.data.next_step then
            status, login = api:call("POST", "/widget/logins/" .. login.data.login_id .. "/code",
              { code = "12345" }, helper.JSON)
            assert.equal(200, status)
            asked = asked + 1
          end
          assert.equal("success", login.data.outcome.status)
        end
      end
    end
    assert.is_true(asked > 50)
    for platform in pairs(constants.platforms) do
      assert.equal("success", api:login { platform = platform, identifier = "12345",
        external_id = "12345" }.status)
    end
  end)

  it("reject nothing but blanks typed into the widget", function()
    for _, typed in ipairs { "", " ", "\t\n" } do
      for _, kind in ipairs { "phone", "email", "gov_id" } do
        local status, response = api:call("POST", "/widget/logins", {
          platform = "uber", identifier = typed, identifier_type = kind, consent = true,
        }, helper.JSON)
        assert.equal(422, status)
        assert.equal("identifier", response.error.errors[1].location)
      end
    end
    local status, response = api:call("POST", "/widget/logins", {
      platform = "uber", identifier = "x", identifier_type = "fax", consent = true,
    }, helper.JSON)
    assert.equal(422, status)
    assert.truthy(helper.blames(response, "body.identifier_type"))
  end)

  it("say whether the user is new", function()
    assert.is_true(api:login { platform = "uber", external_id = "n" }.user_created)
    local known = api:login { platform = "uber", external_id = "n" }
    assert.is_false(known.user_created)
    assert.is_false(api:login { platform = "uber", user_id = known.user_id }.user_created)
    assert.is_true(api:login { platform = "uber" }.user_created)
  end)

  it("spell out nulls", function()
    local _, _, _, text = api:call("POST", "/sandbox/logins", { platform = "uber" }, {})
    assert.truthy(text:find('"external_id":null', 1, true))
    assert.truthy(text:find('"status_details":null', 1, true))
  end)

  for body, place in pairs {
    ['{"platform":"tram"}'] = "platform",
    ['{"platform":7}'] = "platform",
    ['{"platform":"uber","identifier":7}'] = "identifier",
    ['{"platform":"uber","external_id":7}'] = "external_id",
    ['{"platform":"uber","user_id":"u"}'] = "user_id",
    ['{"platform":"uber","widget_id":"w"}'] = "widget_id",
    ['{"platform":"uber","country":"xx"}'] = "country",
  } do
    it("respond with 422 to " .. body, function()
      local status, response = api:call("POST", "/sandbox/logins", body, {})
      assert.equal(422, status)
      assert.truthy(helper.blames(response, "body." .. place))
    end)
  end

  it("need a platform from somewhere", function()
    for _, body in ipairs { "{}", '{"identifier":"me@example.com"}',
      '{"identifier":"tram+success@palenca-tests.com"}' } do
      local status, response = api:call("POST", "/sandbox/logins", body, {})
      assert.equal(422, status)
      assert.equal("bad_request", response.error.code)
    end
  end)
end)

describe("sandbox login users", function()
  local api
  before_each(function() api = helper.new() end)

  it("are new without an id", function()
    local one, other = api:login { platform = "uber" }, api:login { platform = "uber" }
    assert.not_equal(one.user_id, other.user_id)
    assert.not_equal(one.account_id, other.account_id)
    assert.not_equal(one.login_id, other.login_id)
  end)

  it("are found by external_id, and made with it", function()
    local one = api:login { platform = "uber", external_id = "e", widget_id = helper.WIDGET }
    local other = api:login { platform = "didi", external_id = "e" }
    assert.equal(one.user_id, other.user_id)
    assert.not_equal(one.account_id, other.account_id)
    local _, user = api:call("GET", "/v1/users/" .. one.user_id)
    assert.equal("e", user.data.external_id)
    assert.equal(helper.WIDGET, user.data.widget_id)
    local _, list = api:call("GET", "/v1/users/" .. one.user_id .. "/accounts")
    assert.equal(2, #list.data.accounts)
  end)

  it("are found by user_id before external_id", function()
    local _, user = api:call("POST", "/v1/users", { external_id = "known" })
    local login = api:login {
      platform = "uber", user_id = user.data.user_id:upper(), external_id = "other",
    }
    assert.equal(user.data.user_id, login.user_id)
    assert.equal("known", login.external_id)
  end)

  it("keep their account when they connect it again", function()
    api = helper.new { webhook_delay = 0 }
    local given = { platform = "uber", external_id = "e", identifier = "me@example.com" }
    local one, again = api:login(given), api:login(given)
    assert.equal(one.account_id, again.account_id)
    assert.not_equal(one.login_id, again.login_id)
    given.identifier = "other@example.com"
    assert.not_equal(one.account_id, api:login(given).account_id)
    local _, list = api:call("GET", "/v1/accounts/" .. one.account_id .. "/logins")
    assert.equal(2, #list.data.logins)
  end)

  it("find an account as it was after a later login that fails", function()
    api = helper.new { webhook_delay = 0 }
    local login = api:login { platform = "uber", external_id = "e", identifier = "x" }
    local target = "/v1/accounts/" .. login.account_id
    local _, before = api:call("GET", target .. "/profile")
    api.now = api.now + 86400
    api.sandbox.settings.webhook_delay = 30
    api:login { platform = "uber", external_id = "e", identifier = "x" }
    local _, account = api:call("GET", target)
    assert.equal("pending", account.data.status)
    local _, meanwhile = api:call("GET", target .. "/profile")
    assert.same(before, meanwhile)
  end)

  it("must exist when named by user_id", function()
    local params = { platform = "uber", user_id = helper.UNKNOWN }
    local status, response = api:call("POST", "/sandbox/logins", params, {})
    assert.equal(404, status)
    assert.equal("not_found", response.error.code)
  end)
end)

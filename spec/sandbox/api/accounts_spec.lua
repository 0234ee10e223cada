--- The sandbox's accounts and the profiles of the people behind them.
local date = require("palenca.util.date")
local helper = require("spec.sandbox.helper")

describe("sandbox accounts", function()
  local api
  before_each(function() api = helper.new { webhook_delay = 0 } end)

  it("show what the login left", function()
    local login = api:login { identifier = "didi+id_mismatch@palenca-tests.com" }
    local status, response, _, text = api:call("GET", "/v1/accounts/" .. login.account_id)
    assert.equal(200, status)
    local account = response.data
    assert.equal("didi", account.platform)
    assert.equal("didi+id_mismatch@palenca-tests.com", account.identifier)
    assert.equal("id_mismatch", account.warning)
    assert.equal("success", account.status)
    assert.equal("2025-06-20T12:00:00Z", account.created_at)
    assert.equal("2025-06-20T12:00:00Z", account.last_successful_connection)
    assert.equal(18, #account.gov_id)
    assert.is_nil(account.user_id)
    assert.truthy(text:find('"next_step":null', 1, true))
  end)

  it("say why there is no data", function()
    for identifier, status_details in pairs {
      ["uber+banned@palenca-tests.com"] = "banned",
      ["uber+incomplete@palenca-tests.com"] = false,
    } do
      local login = api:login { identifier = identifier }
      local _, response = api:call("GET", "/v1/accounts/" .. login.account_id)
      assert.equal(login.status, response.data.status)
      assert.equal(status_details or nil, response.data.status_details)
      assert.is_string(response.data.message)
      assert.is_nil(response.data.last_successful_connection)
      assert.is_nil(response.data.gov_id)
    end
  end)

  it("name their user only when asked", function()
    for word, named in pairs {
      ["?add_user_id=true"] = true, ["?x=1&add_user_id=1"] = true,
      ["?add_user_id=false"] = false, ["?other=true"] = false, ["?xadd_user_id=true"] = false,
    } do
      local _, response = api:call("GET", "/v1/accounts/" .. helper.TUTORIAL .. word)
      assert.equal(named, response.data.user_id ~= nil, word)
    end
    local status, response = api:call("GET",
      "/v1/accounts/" .. helper.TUTORIAL .. "?add_user_id=maybe")
    assert.equal(422, status)
    assert.truthy(helper.blames(response, "query.add_user_id"))
  end)
end)

describe("the accounts of one user", function()
  local api
  before_each(function() api = helper.new { webhook_delay = 0 } end)

  local function profile_of(login)
    return select(2, api:call("GET", "/v1/accounts/" .. login.account_id .. "/profile")).data
  end

  local function person_of(login)
    local data = profile_of(login)
    return { data.profile.first_name, data.profile.last_name, data.profile.birthday,
      data.profile.email, data.ids_info }
  end

  it("are of one person, whose first account may be gone", function()
    local first = api:login { platform = "uber", country = "mx", external_id = "one" }
    local alone = profile_of(first)
    local second = api:login { platform = "didi", country = "mx", external_id = "one" }
    assert.same(alone, profile_of(first))
    assert.same(person_of(first), person_of(second))
    assert.is_not.same(alone.metrics_info, profile_of(second).metrics_info)
    local person = person_of(second)
    api:call("DELETE", "/v1/accounts/" .. first.account_id)
    assert.same(person, person_of(second))
    local third = api:login { platform = "rappi", country = "mx", external_id = "one" }
    assert.same(person, person_of(third))
    local other = api:login { platform = "uber", country = "mx", external_id = "other" }
    assert.is_not.same(person, person_of(other))
  end)

  it("keep the name and birth date in another country, with that one's number", function()
    local first = api:login { platform = "uber", country = "mx", external_id = "one" }
    local second = api:login { platform = "uber", country = "br", external_id = "one" }
    local here, there = person_of(first), person_of(second)
    assert.equal("CURP", table.remove(here)[1].name)
    assert.equal("CPF", table.remove(there)[1].name)
    assert.same(here, there)
  end)
end)

describe("sandbox profiles", function()
  local function profile_of(body)
    local api = helper.new { webhook_delay = 0 }
    local login = api:login(body)
    local status, response, _, text = api:call("GET",
      "/v1/accounts/" .. login.account_id .. "/profile")
    assert.equal(200, status)
    return response.data, text, login
  end

  it("have every documented field", function()
    local data, text, login = profile_of { platform = "uber", external_id = "e7" }
    assert.equal(login.account_id, data.account_id)
    assert.equal("e7", data.external_id)
    for part, names in pairs {
      profile = "first_name last_name email birthday phone address city_name picture_url "
        .. "worker_role",
      bank_info = "account_number holder_name holder_address bank_name bank_code",
      vehicle_info = "type brand model year license_plate vin",
      metrics_info = "acceptance_rate cancellation_rate thumps_up rating lifetime_trips "
        .. "time_since_first_trip level_name debt_pending debt_paid activation_status",
    } do
      for name in names:gmatch("%S+") do
        assert.is_not_nil(data[part][name], part .. "." .. name)
        assert.truthy(text:find('"' .. name .. '":', 1, true))
      end
    end
    assert.truthy(date.parse(data.profile.birthday))
    assert.truthy(data.profile.email:match("^[%l%d.]+@example%.com$"), data.profile.email)
    assert.equal(17, #data.vehicle_info.vin)
  end)

  for country, case in pairs {
    mx = { "CURP", "^XXXX%d%d%d%d%d%d[HM]XXXXX%d%d$", "national", count = 2 },
    br = { "CPF", "^000%.%d%d%d%.%d%d%d%-%d%d$", "individual_taxpayer_registry", count = 1 },
    co = { "Cédula", "^00%d%d%d%d%d%d$", "national", count = 1 },
    pe = { "DNI", "^00%d%d%d%d%d%d$", "national", count = 1 },
  } do
    it("carry the identity numbers of " .. country, function()
      local data = profile_of { platform = "uber", country = country }
      assert.equal(case.count, #data.ids_info)
      assert.equal(case[1], data.ids_info[1].name)
      assert.equal(case[3], data.ids_info[1].type)
      assert.truthy(data.ids_info[1].value:match(case[2]), data.ids_info[1].value)
    end)
  end

  it("agree with themselves", function()
    local data = profile_of { platform = "uber" }
    local day = data.profile.birthday:sub(3):gsub("-", "")
    assert.equal(day, data.ids_info[1].value:sub(5, 10))
    assert.equal("RFC", data.ids_info[2].name)
    assert.equal(day, data.ids_info[2].value:sub(5, 10))
    assert.equal(data.profile.first_name .. " " .. data.profile.last_name,
      data.bank_info.holder_name)
  end)

  it("never hold a CPF that passes its check", function()
    local data = profile_of { platform = "ifood" }
    local digits = data.ids_info[1].value:gsub("%D", "")
    local sum = 0
    for index = 1, 10 do
      sum = sum + digits:byte(index) % 48 * (12 - index)
    end
    assert.not_equal(sum * 10 % 11 % 10, digits:byte(11) % 48)
  end)

  it("of couriers have a motorcycle", function()
    local courier, driver = profile_of { platform = "rappi" }, profile_of { platform = "uber" }
    assert.equal("courier", courier.profile.worker_role)
    assert.equal("motorcycle", courier.vehicle_info.type)
    assert.equal("driver", driver.profile.worker_role)
    assert.equal("car", driver.vehicle_info.type)
  end)

  it("lack fields after incomplete_profile_data", function()
    local data, text = profile_of { identifier = "uber+incomplete_profile_data@palenca-tests.com" }
    assert.is_nil(data.bank_info)
    assert.is_nil(data.profile.phone)
    assert.is_string(data.profile.first_name)
    assert.truthy(text:find('"bank_info":null', 1, true))
    assert.truthy(text:find('"phone":null', 1, true))
  end)

  it("are all nulls after a login that failed", function()
    local data, text = profile_of { identifier = "uber+banned@palenca-tests.com" }
    assert.is_nil(data.profile)
    assert.same({}, data.ids_info)
    assert.truthy(text:find('"ids_info":[],"bank_info":null', 1, true))
  end)
end)

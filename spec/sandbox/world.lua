--- A sandbox with some history: accounts of all kinds, and the ids of what there is in it.
local helper = require("spec.sandbox.helper")

local world = {}

--- All days that anything in it can be of.
world.PERIOD = { start_date = "2024-01-01", end_date = "2026-12-31" }

world.PLATFORMS = {
  "uber", "rappi", "didi", "didi_food", "ifood", "indriver", "pedidos_ya", "noventa_nove",
  "cabify", "imss", "issste", "carteira_trabalho",
}
world.COUNTRIES = {
  "mx", "co", "br", "ar", "cl", "pe", "us", "cr", "pa", "ec", "bo", "ve", "sv", "do",
}

--- Whose two accounts earn in different currencies.
world.MIXED = "two currencies"

local CASES = [[
  success incomplete invalid_credentials login_refused platform_unavailable request_timeout
  platform_error recent_login_successful not_registered banned rider_account fleet_account
  incomplete_profile_data id_mismatch invalid_otp expired_otp could_not_send_otp
  invalid_otp_auth_key invalid_otp_session ]]

--- A period as a body, with what else is given.
function world.period(more)
  local body = { start_date = world.PERIOD.start_date, end_date = world.PERIOD.end_date }
  for name, value in pairs(more or {}) do
    body[name] = value
  end
  return body
end

local function log_in_all(api)
  for _, platform in ipairs(world.PLATFORMS) do
    -- several of each: some of what there is to say is a matter of chance
    for number = 1, 3 do
      api:login { platform = platform, external_id = ("%s/%d"):format(platform, number) }
    end
  end
  for _, country in ipairs(world.COUNTRIES) do
    api:login { platform = "uber", country = country, identifier = "+521234" .. country }
  end
  for case in CASES:gmatch("%S+") do
    local login = api:login { identifier = ("didi+%s@palenca-tests.com"):format(case) }
    -- one that needs a code stays without
    if login.next_step and case ~= "expired_otp" then
      local target = "/sandbox/logins/" .. login.login_id .. "/code"
      assert(api:call("POST", target, { code = "123456" }, helper.JSON) == 200)
    end
  end
  for _, country in ipairs { "mx", "co" } do
    api:login { platform = "didi", country = country, external_id = world.MIXED }
  end
end

local function ids_of(list, name)
  local ids = {}
  for at, item in ipairs(list) do
    ids[at] = item[name]
  end
  return ids
end

--- Every page of a search, as one list of ids.
local function find(api, target, kind, name)
  local ids, page = {}, 0
  repeat
    page = page + 1
    local _, response = api:call("POST", target, world.period { options = { page = page } })
    local found = ids_of(response.data[kind], name)
    table.move(found, 1, #found, #ids + 1, ids)
  until #found == 0
  return ids
end

--- Makes one. It has the lists `users`, `accounts`, `logins`, `webhooks` and `widgets` of ids,
-- `gov_ids`, the user `spare`, who has no account, and the sandbox to talk to as `api`.
function world.new(options)
  local api = helper.new {
    accounts = 20, webhook_delay = 0, history = "typical", seed = (options or {}).seed,
  }
  log_in_all(api)
  api:webhook { events = { "login.success", "login.error" }, sign_request = true }
  api:webhook { widget_id = helper.UNKNOWN:gsub("0$", "7"), is_sandbox = false }
  local _, spare = api:call("POST", "/v1/users", {})
  local self = {
    api = api,
    spare = spare.data.user_id,
    users = find(api, "/v1/users/search", "users", "user_id"),
    logins = find(api, "/v1/logins/search", "logins", "id"),
    gov_ids = find(api, "/v1/consents/search", "consents", "gov_id"),
    webhooks = ids_of(select(2, api:call("GET", "/v1/webhooks")).data.webhooks, "webhook_id"),
    widgets = { helper.WIDGET, (helper.UNKNOWN:gsub("0$", "7")) },
    accounts = {},
  }
  for _, id in ipairs(self.users) do
    local _, response = api:call("GET", "/v1/users/" .. id .. "/accounts")
    local found = ids_of(response.data.accounts, "account_id")
    table.move(found, 1, #found, #self.accounts + 1, self.accounts)
  end
  return self
end

return world

--- Fills a sandbox with workers who connected their accounts during the last year.
-- @module palenca.sandbox.data.population
local constants = require("palenca.sandbox.data.vendor_constants")
local random = require("palenca.sandbox.data.random")

local YEAR = 365 * 86400

local platforms = {
  "uber", "uber", "uber", "uber", "didi", "didi", "didi", "rappi", "rappi", "rappi", "indriver",
  "cabify", "pedidos_ya", "ifood", "noventa_nove", "didi_food",
}
local failures = { "invalid_credentials", "login_refused", "platform_error", "not_registered" }

local function outcome(stream)
  local draw = stream:real()
  if draw < 0.88 then
    return "success"
  elseif draw < 0.93 then
    return "incomplete"
  end
  return "error", stream:pick(failures)
end

local function add(store, stream, number, created)
  local platform = stream:pick(platforms)
  local status, details = outcome(stream)
  local user_id, account_id = stream:uuid(), stream:uuid()
  local country = constants.home_country[platform] or "mx"
  store:save("user", {
    user_id = user_id,
    external_id = ("worker-%06d"):format(number),
    widget_id = store.DEFAULT_WIDGET,
    created = created,
  })
  store:save("account", {
    account_id = account_id,
    worker_id = stream:uuid(),
    user_id = user_id,
    platform = platform,
    country = country,
    status = status,
    status_details = details,
    created = created,
    connected = status == "success" and created or nil,
  })
  store:save("login", {
    login_id = stream:uuid(),
    user_id = user_id,
    account_id = account_id,
    widget_id = store.DEFAULT_WIDGET,
    platform = platform,
    country = country,
    source = "widget",
    status = status,
    status_details = details,
    created = created,
    updated = created,
  })
end

--- Adds accounts, one for each user; the same seed, number and time have the same ones.
-- @tparam store store where to
-- @tparam integer count how many
-- @tparam integer now Unix time of the last login
return function(store, count, now)
  local stream = random.new(store.seed, "population")
  for number = 1, count do
    add(store, stream, number, now - YEAR + math.floor(YEAR / count * number))
  end
end

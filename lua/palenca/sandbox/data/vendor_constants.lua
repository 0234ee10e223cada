--- Lists the vendor's constants: platforms, countries, webhook actions, logins.
-- @module palenca.sandbox.data.vendor_constants
local api_values = require("palenca.util.api_values")
local webhook_actions = require("palenca.util.webhook_actions")
local word_set = require("palenca.util.word_set")

local constants = {}

--- Every platform code the API documents, as keys.
constants.platforms = api_values.platforms

--- Where a platform's workers are when a login does not say; elsewhere Mexico.
constants.home_country = {
  rappi = "co", ifood = "br", pedidos_ya = "ar", noventa_nove = "br", cabify = "pe",
  indriver = "pe", carteira_trabalho = "br", microempreendedor_individual = "br",
  picap = "co", mensajeros_urbanos = "co", mercado_pago = "ar", rapiboy = "ar",
}

--- How many days of earnings an account of the sandbox has unless a login says otherwise: two
-- years, so that the searches of the vendor's documentation find rows.
constants.history_default = 730
--- The longest history that a login may ask for, in days.
constants.history_max = 1100

--- How many days of earnings a login recovers on average, which is a platform's typical history.
constants.history_days = {
  uber = 60, rappi = 50, didi = 50, indriver = 20, cabify = 70, pedidos_ya = 50,
}
--- The same for every other platform.
constants.default_history_days = 45

--- Platforms whose riders may pay in cash; the others leave `cash_amount` null.
constants.takes_cash = word_set "didi didi_food indriver noventa_nove rappi"

--- Platforms that carry goods, whose workers are couriers.
constants.delivers = word_set [[
  rappi ifood uber_eats didi_food pedidos_ya mensajeros_urbanos rapiboy nueve_nueve_minutos
  cornershop
]]

--- Per country: its currency, what one trip pays there (in that currency), the step amounts are
-- rounded to (in hundredths: 1 where coins are in use), the dialling code, and a city.
constants.countries = {
  mx = { fare = 62, step = 1, dial = "52", city = "Ciudad de México" },
  co = { fare = 9500, step = 5000, dial = "57", city = "Bogotá" },
  br = { fare = 16, step = 1, dial = "55", city = "São Paulo" },
  ar = { fare = 3400, step = 1, dial = "54", city = "Buenos Aires" },
  cl = { fare = 3100, step = 100, dial = "56", city = "Santiago" },
  pe = { fare = 11, step = 1, dial = "51", city = "Lima" },
  us = { fare = 9, step = 1, dial = "1", city = "Miami" },
  cr = { fare = 2100, step = 500, dial = "506", city = "San José" },
  pa = { fare = 4, step = 1, dial = "507", city = "Panamá" },
  ec = { fare = 3, step = 1, dial = "593", city = "Quito" },
  bo = { fare = 17, step = 1, dial = "591", city = "La Paz" },
  ve = { fare = 140, step = 1, dial = "58", city = "Caracas" },
  sv = { fare = 3, step = 1, dial = "503", city = "San Salvador" },
  ["do"] = { fare = 190, step = 1, dial = "1", city = "Santo Domingo" },
}
for country, place in pairs(constants.countries) do
  place.currency = api_values.countries[country]
end

--- What a webhook may subscribe to, as keys.
constants.actions = { ["*"] = true }
for name in pairs(webhook_actions) do
  constants.actions[name] = true
end

--- The events that it may send: what it may subscribe to but for all of them.
constants.events = {}
for name in pairs(constants.actions) do
  constants.events[name] = name ~= "*" or nil
end

--- Identifier cases that succeed, but leave a warning on the account.
constants.warnings = api_values.warnings

--- Identifier cases that end as an error with that very `status_details`.
constants.errors = word_set [[
  invalid_credentials login_refused platform_unavailable request_timeout platform_error
  recent_login_successful not_registered banned
]]

--- Identifier cases that ask for a code before they fail.
constants.code_cases = word_set [[
  invalid_otp expired_otp could_not_send_otp invalid_otp_auth_key invalid_otp_session
]]

--- The events that lead to another one, in order, when a worker connects an account.
constants.chains = {
  ["login.success"] = { "login.created" },
  ["login.incomplete"] = { "login.created" },
  ["login.error"] = { "login.created" },
  ["login.retry"] = { "login.created" },
  ["account.created"] = { "user.created" },
  ["account.connected"] = { "user.created", "account.created" },
  ["profile.updated"] = { "user.created", "account.created", "account.connected" },
  ["earnings.updated"] = {
    "user.created", "account.created", "account.connected", "profile.updated",
  },
  ["employment.created"] = {
    "user.created", "account.created", "account.connected", "profile.updated",
  },
}

return constants

--- Lists the vendor's constants: platforms, countries, webhook actions, logins.
-- @module palenca.sandbox.data.vendor_constants
local webhook_actions = require("palenca.util.webhook_actions")

local constants = {}

local function names(words)
  local known = {}
  for word in words:gmatch("%S+") do
    known[word] = true
  end
  return known
end

--- Every platform code the API documents, as keys.
constants.platforms = names [[
  uber didi imss rappi osmos pemex picap ifood issste cabify workday indriver uber_eats
  didi_food pedidos_ya noventa_nove mensajeros_urbanos rapiboy nueve_nueve_minutos
  carteira_trabalho mercado_pago nom_gob_cdmx nom_salud_cdmx nom_sep_cdmx nom_sep_qro
  nom_gob_hidalgo nom_sep_durango nom_ayto_cancun nom_sep_qroo nom_gob_qroo nom_salud_qroo
  nom_sep_campeche nom_gob_oaxaca nom_sep_oaxaca nom_pensiones_jal nom_gob_nl nom_gob_tamps
  nom_salud_tamps nom_fiscalia_tamps nom_gob_sonora nom_sep_sonora nom_salud_sonora
  nom_sep_bcsur nom_gob_edomex nom_sep_edomex nom_gob_tabasco nom_salud_sonora2
  nom_com_soc_qroo nom_pemex mc_price_shoes mc_avon mc_mary_kay mc_betterware nominativa
  microempreendedor_individual runa grupo_tress beat clip worky cornershop
]]

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
constants.takes_cash = names "didi didi_food indriver noventa_nove rappi"

--- Platforms that carry goods, whose workers are couriers.
constants.delivers = names [[
  rappi ifood uber_eats didi_food pedidos_ya mensajeros_urbanos rapiboy nueve_nueve_minutos
  cornershop
]]

--- Per country: its currency, what one trip pays there (in that currency), the step amounts are
-- rounded to (in hundredths: 1 where coins are in use), the dialling code, and a city.
constants.countries = {
  mx = { currency = "mxn", fare = 62, step = 1, dial = "52", city = "Ciudad de México" },
  co = { currency = "cop", fare = 9500, step = 5000, dial = "57", city = "Bogotá" },
  br = { currency = "brl", fare = 16, step = 1, dial = "55", city = "São Paulo" },
  ar = { currency = "ars", fare = 3400, step = 1, dial = "54", city = "Buenos Aires" },
  cl = { currency = "clp", fare = 3100, step = 100, dial = "56", city = "Santiago" },
  pe = { currency = "pen", fare = 11, step = 1, dial = "51", city = "Lima" },
  us = { currency = "usd", fare = 9, step = 1, dial = "1", city = "Miami" },
  cr = { currency = "crc", fare = 2100, step = 500, dial = "506", city = "San José" },
  pa = { currency = "pab", fare = 4, step = 1, dial = "507", city = "Panamá" },
  ec = { currency = "usd", fare = 3, step = 1, dial = "593", city = "Quito" },
  bo = { currency = "bob", fare = 17, step = 1, dial = "591", city = "La Paz" },
  ve = { currency = "ves", fare = 140, step = 1, dial = "58", city = "Caracas" },
  sv = { currency = "usd", fare = 3, step = 1, dial = "503", city = "San Salvador" },
  ["do"] = { currency = "dop", fare = 190, step = 1, dial = "1", city = "Santo Domingo" },
}

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
constants.warnings = names "rider_account fleet_account incomplete_profile_data id_mismatch"

--- Identifier cases that end as an error with that very `status_details`.
constants.errors = names [[
  invalid_credentials login_refused platform_unavailable request_timeout platform_error
  recent_login_successful not_registered banned
]]

--- Identifier cases that ask for a code before they fail.
constants.code_cases = names [[
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

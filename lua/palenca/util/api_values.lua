--- The values that the API's documentation names, as keys.
-- @module palenca.util.api_values
local webhook_actions = require("palenca.util.webhook_actions")
local word_set = require("palenca.util.word_set")

local api_values = {}

--- The codes of platforms.
api_values.platforms = word_set [[
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

--- The countries, and the currency of each.
api_values.countries = {
  ar = "ars", bo = "bob", br = "brl", cl = "clp", co = "cop", cr = "crc", ["do"] = "dop",
  ec = "usd", mx = "mxn", pa = "pab", pe = "pen", sv = "usd", us = "usd", ve = "ves",
}

--- The currencies of ISO 4217.
api_values.currencies = word_set [[
  aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob bov brl bsd btn bwp
  byn bzd cad cdf che chf chw clf clp cny cop cou crc cuc cup cve czk djf dkk dop dzd egp ern etb
  eur fjd fkp gbp gel ghs gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr iqd irr isk jmd jod jpy
  kes kgs khr kmf kpw krw kwd kyd kzt lak lbp lkr lrd lsl lyd mad mdl mga mkd mmk mnt mop mru mur
  mvr mwk mxn mxv myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub
  rwf sar sbd scr sdg sek sgd shp sle sos srd ssp stn svc syp szl thb tjs tmt tnd top try ttd twd
  tzs uah ugx usd usn uyi uyu uyw uzs ved ves vnd vuv wst xaf xcd xof xpf xxx yer zar zmw zwg
]]

--- The statuses of logins.
api_values.login_statuses = word_set "pending success incomplete error retry"

--- Why a login ended as it did, or what it waits for. The API may have others.
api_values.status_details = word_set [[
  pending_for_data validation_pending validation_time_expired invalid_credentials login_refused
  platform_unavailable service_unavailable request_timeout platform_error recent_login_successful
  not_registered banned invalid_otp expired_otp could_not_send_otp invalid_otp_auth_key
  invalid_otp_session too_many_requests email_not_validated invalid_phone_number invalid_email
  lambda_error unable_to_get_performance
]]

--- The warnings of accounts.
api_values.warnings = word_set "rider_account fleet_account incomplete_profile_data id_mismatch"

--- The codes of errors that the API's documentation names, and those of the sandbox.
api_values.error_codes = word_set [[
  missing_api_key invalid_api_key bad_request invalid_credentials platform_unavailable
  too_many_requests service_unavailable request_timeout platform_error invalid_otp expired_otp
  email_not_validated invalid_phone_number invalid_email lambda_error login_refused
  invalid_otp_auth_key could_not_send_otp unable_to_get_performance recent_login_successful
  invalid_otp_session not_found forbidden method_not_allowed
]]

local code_of_status = {
  [401] = "invalid_api_key", [403] = "forbidden", [404] = "not_found",
  [405] = "method_not_allowed", [408] = "request_timeout", [412] = "recent_login_successful",
  [429] = "too_many_requests", [504] = "request_timeout",
}

--- The code of a simulated error whose status alone is given.
-- @tparam integer status from 400
-- @treturn string
function api_values.code_of(status)
  return code_of_status[status] or status < 500 and "bad_request" or "service_unavailable"
end

--- What handlers are registered for: present and former actions, their families, such as
-- `login.*`, and `*`.
api_values.handled = { ["*"] = true }
for name in pairs(webhook_actions) do
  api_values.handled[name] = true
  api_values.handled[name:match("^[^.]+") .. ".*"] = true
end

return api_values

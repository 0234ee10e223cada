--- The published types of the API, in the notation of `checker`: the shape of each response.
--
-- A name is always there, even if its value is null: that is how the API responds. Where what is
-- published leaves a field out that the API is known to send, the field is here as well.
local checker = require("spec.sandbox.checker")

local enums = {
  country = "mx co br ar cl pe us cr pa ec bo ve sv do",
  currency = "mxn usd cop clp ars pen brl crc pab bob ves dop brr",
  platform = [[
    uber didi imss rappi osmos pemex picap ifood issste cabify workday indriver uber_eats
    didi_food pedidos_ya noventa_nove mensajeros_urbanos rapiboy nueve_nueve_minutos
    carteira_trabalho mercado_pago nom_gob_cdmx nom_salud_cdmx nom_sep_cdmx nom_sep_qro
    nom_gob_hidalgo nom_sep_durango nom_ayto_cancun nom_sep_qroo nom_gob_qroo nom_salud_qroo
    nom_sep_campeche nom_gob_oaxaca nom_sep_oaxaca nom_pensiones_jal nom_gob_nl nom_gob_tamps
    nom_salud_tamps nom_fiscalia_tamps nom_gob_sonora nom_sep_sonora nom_salud_sonora
    nom_sep_bcsur nom_gob_edomex nom_sep_edomex nom_gob_tabasco nom_salud_sonora2
    nom_com_soc_qroo nom_pemex mc_price_shoes mc_avon mc_mary_kay mc_betterware nominativa
    microempreendedor_individual runa grupo_tress beat clip worky cornershop ]],
  platform_category = "gig employment",
  platform_status = "up down degraded maintenance deprecated",
  warning = [[
    banned not_registered profile_unavailable needs_auth no_employment_records
    missing_social_security_number social_security_number_mismatch curp_has_inconsistencies
    curp_not_in_platform zero_quoted_weeks rpci_backup_process web_scraping_backup_process
    rider_account fleet_account onboarding didi_auth_app didi_auth_web invalid_captcha
    incomplete_profile_data id_mismatch ]],
  login_status = [[
    created success retry incomplete error pending requires_auth profile_unavailable
    error_credentials error_otp pending_for_data validation_pending
    password_validation_pending ]],
  -- the last one is not in the published enumeration, but what its test login ends with
  status_details = [[
    bad_request banned invalid_credentials too_many_requests service_unavailable
    request_timeout access_forbidden platform_error invalid_otp expired_otp invalid_nss
    invalid_phone invalid_email lambda_error phone_or_code_missing password_missing
    not_registered login_refused unknown invalid_otp_session invalid_otp_auth_key needs_auth
    requires_auth curp_not_found could_not_send_otp profile_unavailable no_employment_records
    account_setup_incomplete identity_verification_failed gov_id_not_in_data_source
    gov_id_has_inconsistencies mfa_deactivation_required access_token_not_generated
    two_factor_auth_required captcha_bypass_error invalid_identifier account_blocked
    proxy_error invalid_captcha invalid_gov_id device_authorization_required
    max_retries_exceeded task_create_fail invalid_cpf invalid_in_auth_session_id
    unable_to_get_uber_metrics email_otp_validation_pending login_not_available
    invalid_password unknown_login_type email_not_validated already_connected
    missing_social_security_number social_security_number_mismatch zero_quoted_weeks
    proxy_max_retries_exceeded curp_not_found_in_renapo nss_not_found_in_imss
    renapo_unavailable service_degradation server_error db_constraint_violation api_forbidden
    auth_token_expired network_max_retries_exceeded api_service_unavailable_02
    api_service_unavailable_08 lambda_timeout api_service_unavailable
    auth_max_attempts_exceeded browser_navigation_timeout render_invalid_html
    browser_connection_timeout parser_invalid_pdf aws_s3_upload_fail
    network_connectivity_issues auth_invalid_token server_not_found api_server_error
    network_ssl_error auth_forbidden api_bad_gateway api_server_timeout system_platform_error
    api_rate_limit_exceeded api_renapo_unavailable user_gov_id_has_inconsistencies
    user_ssn_missing user_curp_not_found_in_renapo rpci_timeout pending_data_extraction
    employment_info_in_imss pending_for_data validation_pending password_validation_pending
    validation_time_expired curp_has_inconsistencies curp_not_in_platform
    platform_unavailable failed_refresh invalid_schema_response not_available_in_platform
    user_curp_not_in_platform user_gov_id_not_in_data_source account_not_found
    profile_not_found unable_to_get_rappi_metrics captcha_required captcha_detected
    didi_rate_limited device_risk cell_rate_limited resend_limit didi_rejected
    incomplete_profile
    recent_login_successful ]],
  login_type = "curp otp totp pilot email_otp credentials phone_voice_otp phone_whatsapp_otp",
  login_source = [[
    widget api legacy refresh connect bulk_upload console platform_retry refresh_earnings
    refresh_events refresh_profile ]],
  insights_status = "computed_not_saved incomplete success error",
  insights_details = [[
    empty_employment_events empty_employment_history login_not_success timeout_request
    lambda_error pending ]],
  id_type = "tax passport national social_security_number individual_taxpayer_registry",
  employment_status = [[
    retired employed unemployed unknown potentially_retired voluntary_contributions banned
    active ]],
  history_status = "empty partial complete",
  file_type = [[
    imss_employment_record imss_rpci_pdf buro_insights_employment_record
    issste_employment_file end_of_rights_pdf ]],
  event_type = "delivery ride bonus adjustment debt",
  payment_method = "cash card online_bank",
  widget_type = "income_verification",
  widget_internal_type = "default_api_calls",
}

local shapes = {
  -- users; widget_id of one just created is the sandbox's own
  created_user = { user_id = "uuid", external_id = "string?", widget_id = "uuid" },
  deleted_user = { user_id = "uuid", external_id = "string?" },
  user = { user_id = "uuid", external_id = "string?", widget_id = "uuid" },
  users = { users = "[user]" },
  reassigned = {
    account_id = "uuid", new_user_id = "uuid", old_user_id = "uuid", old_user_deleted = "boolean",
  },

  -- accounts
  account = {
    account_id = "uuid", country = "country?", platform = "platform?", identifier = "string?",
    worker_id = "string?", gov_id = "string?", last_successful_connection = "timestamp?",
    warning = "warning?", status = "login_status?", status_details = "status_details?",
    message = "string?", recommendation = "string?", next_step = "login_type?",
    created_at = "timestamp?",
  },
  accounts = { user_id = "uuid", accounts = "[account]" },

  -- a profile; what is published ends with the birthday and the identity numbers
  profile_data = {
    account_id = "uuid", external_id = "string?", profile = "profile?", ids_info = "[id_info]",
    bank_info = "bank_info?", vehicle_info = "vehicle_info?", metrics_info = "metrics_info?",
  },
  profile = {
    first_name = "string?", last_name = "string?", email = "string?", birthday = "date?",
    phone = "string?", address = "string?", city_name = "string?", picture_url = "url?",
    worker_role = "string?",
  },
  id_info = { type = "id_type?", name = "string?", value = "string?" },
  bank_info = {
    account_number = "string?", holder_name = "string?", holder_address = "string?",
    bank_name = "string?", bank_code = "string?",
  },
  vehicle_info = {
    type = "string?", brand = "string?", model = "string?", year = "integer?",
    license_plate = "string?", vin = "string?",
  },
  metrics_info = {
    acceptance_rate = "number?", cancellation_rate = "number?", thumps_up = "integer?",
    rating = "number?", lifetime_trips = "integer?", time_since_first_trip = "number?",
    level_name = "string?", debt_pending = "number?", debt_paid = "number?",
    activation_status = "string?",
  },

  -- earnings and trips
  earnings = { account_id = "uuid", earnings = "[earning]" },
  earning = {
    amount = "number?", currency = "currency?", earning_date = "date", cash_amount = "number?",
    count_trips = "integer?",
  },
  trips = { account_id = "uuid", events = "[trip]" },
  trip = {
    event_id = "string?", type = "event_type?", timezone = "string?", start_date = "timestamp?",
    amount = "number?", currency = "currency?", duration_sec = "integer?",
    distance_km = "number?", start_location = "string?", end_location = "string?",
    payment_method = "payment_method?", cash_amount = "number?",
    additional_timestamps = "[object]?",
  },
  aggregated = {
    platforms_count = "integer", platforms = "[aggregated_platform]",
    earnings = "[aggregated_day]",
  },
  aggregated_platform = {
    platform = "platform", account_id = "uuid", last_successful_connection = "date?",
  },
  aggregated_day = {
    earning_date = "date", amount = "number", currency = "string", count_trips = "integer?",
    details = "[aggregated_detail]?", currency_note = "string?",
  },
  aggregated_detail = {
    platform = "platform", account_id = "uuid", amount = "number", count_trips = "integer?",
  },

  -- employment; a loan's shape is not published
  employment = {
    platform = "platform", account_id = "uuid", external_id = "string?",
    employment_info = "employment_info?", employment_history = "[job]?",
  },
  employment_info = {
    id_type = "id_type?", quoted_weeks = "integer?", discounted_weeks = "integer?",
    reintegrated_weeks = "integer?", end_of_rights = "string?", status = "employment_status?",
    employment_files = "[employment_file]?", employment_history_status = "history_status?",
  },
  employment_file = { url = "url?", file_type = "file_type?", account_id = "uuid?" },
  job = {
    employer = "string?", employer_registration = "string?", start_date = "date|timestamp",
    end_date = "date|timestamp|null", job_title = "string?", job_title_code = "string?",
    federal_entity = "string?",
  },
  loans = { account_id = "uuid", consignados = "[loan]" },
  loan = {
    lender = "string", contract = "string", start_date = "date", end_date = "date",
    instalment = "number", balance = "number", currency = "currency",
  },

  -- logins
  login = {
    created_at = "timestamp?", updated_at = "timestamp?", id = "uuid?", bulk_id = "uuid?",
    status = "login_status?", platform = "platform?", source = "login_source?",
    status_details = "status_details?", authenticated_at = "timestamp?", message = "string?",
    company_id = "uuid?", recommendation = "string?", automatic_retry = "boolean?",
    has_insights = "boolean?", insights_status = "insights_status?",
    insights_status_details = "insights_details?", account_id = "uuid?",
  },
  logins = { logins = "[login]" },

  -- consents, whose shape is not published
  consents = { consents = "[consent]" },
  consent = {
    consent_id = "uuid", gov_id = "string", account_id = "uuid", user_id = "uuid",
    external_id = "string?", platform = "platform", widget_id = "uuid",
    accepted_at = "timestamp",
  },

  -- webhooks; the events are the sandbox's own
  webhook = {
    connect_flow_id = "uuid?", webhook_id = "uuid", url = "url", name = "string",
    widget_id = "uuid?", is_sandbox = "boolean", is_active = "boolean",
    sign_request = "boolean?", private_key = "string?", events = "[string]",
  },
  webhooks = { webhooks = "[webhook]" },

  -- what a company has, and what there is
  widget = {
    created_at = "timestamp?", updated_at = "timestamp?", id = "uuid?", name = "string?",
    company_id = "uuid", country = "country?", platforms = "[platform]", is_sandbox = "boolean",
    hide_logo = "boolean", hide_whatsapp = "boolean", hide_consent = "boolean",
    hide_privacy_url = "boolean", hide_redirect_url = "boolean", hide_label = "boolean",
    require_gov_id = "boolean", persist_session = "boolean", font_family = "string?",
    primary_color = "string?", background_color = "string?", text_field_style = "string?",
    border_radius = "string?", custom_privacy_url = "string?", redirect_url = "string?",
    whatsapp_number = "string?", webhook_url = "string?", countries = "[country]",
    widget_type = "widget_type?", widget_internal_type = "widget_internal_type?",
    settings = "object",
  },
  platform_info = {
    created_at = "timestamp?", updated_at = "timestamp?", id = "uuid", code = "platform",
    name = "string", logo = "url", is_active = "boolean", category = "platform_category",
    countries = "[country]", status = "platform_status?",
  },
  country_info = {
    created_at = "timestamp?", updated_at = "timestamp?", id = "uuid", alpha_2 = "country",
    alpha_3 = "string", name = "string", currency = "string", calling_code = "string",
    timezone = "string", flag = "string?", is_active = "boolean",
  },

  -- what is around all these, and what comes instead of them
  pagination = {
    page = "integer", items_per_page = "integer", total_items = "integer",
    total_pages = "integer",
  },
  failure = { success = "no", error = "reason", data = "null" },
  reason = { code = "string", message = "string", errors = "[reason_detail]" },
  reason_detail = { message = "string?", location = "string?" },
  invalid = { detail = "[fault]" },
  fault = { loc = "[string|integer]", msg = "string", type = "string" },
}
-- an account that was asked for with its user
shapes.account_of_user = { user_id = "uuid" }
for name, kind in pairs(shapes.account) do
  shapes.account_of_user[name] = kind
end

--- Makes a checker that knows all these.
return function()
  local known = {}
  for name, shape in pairs(shapes) do
    known[name] = shape
  end
  return checker.new(enums, known)
end

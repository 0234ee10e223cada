--- What results are made of, and which operation returns which.
-- Made by spec/support/annotations of the reference.
return {
  classes = {
    Account = {
      account_id = true, user_id = true, country = true, platform = true, identifier = true,
      worker_id = true, gov_id = true, last_successful_connection = true, warning = true,
      status = true, status_details = true, message = true, recommendation = true,
      next_step = true, created_at = true,
    },
    AccountLogins = {
      logins = "Login[]",
    },
    AccountRows = {
      rows = true, report = "Report", account = true, platform = true, warning = true,
    },
    Advice = {
      actor = true, can_repeat = true, repeat_after = true, text = "AdviceText",
    },
    AdviceText = {
      es = true, pt = true, en = true,
    },
    AggregatedDay = {
      earning_date = true, amount = true, currency = true, count_trips = true,
      details = "AggregatedDetail[]", currency_note = true,
    },
    AggregatedDetail = {
      platform = true, account_id = true, amount = true, count_trips = true,
    },
    AggregatedEarnings = {
      platforms_count = true, platforms = "AggregatedPlatform[]", earnings = "AggregatedDay[]",
    },
    AggregatedPlatform = {
      platform = true, account_id = true, last_successful_connection = true,
    },
    Attempt = {
      method = true, path = true, number = true, status = true, kind = true, seconds = true,
      retry_in = true, request_id = true,
    },
    BankInfo = {
      account_number = true, holder_name = true, holder_address = true, bank_name = true,
      bank_code = true,
    },
    Country = {
      created_at = true, updated_at = true, id = true, alpha_2 = true, alpha_3 = true, name = true,
      currency = true, calling_code = true, timezone = true, flag = true, is_active = true,
    },
    Earning = {
      amount = true, currency = true, earning_date = true, cash_amount = true, count_trips = true,
    },
    Employment = {
      platform = true, account_id = true, external_id = true, employment_info = "EmploymentInfo",
      employment_history = "Job[]",
    },
    EmploymentFile = {
      url = true, file_type = true, account_id = true,
    },
    EmploymentInfo = {
      id_type = true, quoted_weeks = true, discounted_weeks = true, reintegrated_weeks = true,
      end_of_rights = true, status = true, employment_files = "EmploymentFile[]",
      employment_history_status = true,
    },
    Error = {
      kind = true, code = true, status = true, message = true, errors = "ErrorDetail[]",
      request_id = true, retry_after = true, actor = true, can_repeat = true, repeat_after = true,
      attempts = true, sent_to = true,
    },
    ErrorDetail = {
      message = true, location = true,
    },
    Event = {
      id = true, action = true, account_id = true, user_id = true, external_id = true,
      platform = true, status_details = true, webhook_id = true, attempt = true, replay = true,
      reconciled = true, received_at = true, traceparent = true, request_id = true, data = true,
      body = true,
    },
    Explanation = {
      analyst = true, worker = true,
    },
    Failure = {
      error = true, attempts = true, call = true,
    },
    HttpResponse = {
      status = true, headers = true, body = true,
    },
    IdInfo = {
      type = true, name = true, value = true,
    },
    Income = {
      as_of = true, currency = true, days_observed = true, window_days = true, unknown_days = true,
      uncounted_rows = true, monthly_income = true, monthly_income_minor = true,
      qualifying_income = true, qualifying_income_minor = true, income_30d = true,
      income_30d_minor = true, income_60d = true, income_60d_minor = true, income_90d = true,
      income_90d_minor = true, median_week = true, median_week_minor = true, low_week = true,
      low_week_minor = true, adjustments_total = true, adjustments_total_minor = true,
      stability = true, trend = true, cash_share = true, cash_known = true,
      qualifying_basis = "IncomeBasis", unknown = true, regularity = true, active_days = true,
      days_worked_per_week = true, longest_gap = true, days_since_last_income = true,
      full_weeks = true, active_weeks = true, weeks = "IncomeWeek[]", months = "IncomeMonth[]",
      adjustments = true, identical_rows = true, problems = true, platforms = true,
      by_currency = true,
    },
    IncomeBasis = {
      sum = true, days = true,
    },
    IncomeMonth = {
      month = true, from = true, to = true, total = true, total_minor = true, active_days = true,
      unknown_days = true, full = true,
    },
    IncomeOfCurrency = {
      monthly_income = true, monthly_income_minor = true, qualifying_income = true,
      qualifying_income_minor = true, income_30d = true, income_30d_minor = true,
      income_60d = true, income_60d_minor = true, income_90d = true, income_90d_minor = true,
      median_week = true, median_week_minor = true, low_week = true, low_week_minor = true,
      adjustments_total = true, adjustments_total_minor = true, stability = true, trend = true,
      cash_share = true, cash_known = true, qualifying_basis = "IncomeBasis", unknown = true,
    },
    IncomePlatform = {
      total = true, total_minor = true, active_days = true, uncounted_rows = true,
    },
    IncomeWeek = {
      from = true, to = true, total = true, total_minor = true, active_days = true,
      unknown_days = true,
    },
    Job = {
      employer = true, employer_registration = true, start_date = true, end_date = true,
      job_title = true, job_title_code = true, federal_entity = true,
    },
    Login = {
      created_at = true, updated_at = true, id = true, bulk_id = true, status = true,
      platform = true, source = true, status_details = true, authenticated_at = true,
      message = true, company_id = true, recommendation = true, automatic_retry = true,
      has_insights = true, insights_status = true, insights_status_details = true,
      account_id = true,
    },
    Meta = {
      status = true, request_id = true, rate_limit = "RateLimit", attempts = true,
      pagination = "Pagination",
    },
    Metrics = {
      acceptance_rate = true, cancellation_rate = true, thumps_up = true, rating = true,
      lifetime_trips = true, time_since_first_trip = true, level_name = true, debt_pending = true,
      debt_paid = true, activation_status = true,
    },
    Pagination = {
      page = true, items_per_page = true, total_items = true, total_pages = true,
    },
    Person = {
      first_name = true, last_name = true, email = true, birthday = true, phone = true,
      address = true, city_name = true, picture_url = true, worker_role = true,
    },
    Platform = {
      created_at = true, updated_at = true, id = true, code = true, name = true, logo = true,
      is_active = true, category = true, countries = true, status = true,
    },
    Profile = {
      account_id = true, external_id = true, profile = "Person", ids_info = "IdInfo[]",
      bank_info = "BankInfo", vehicle_info = "VehicleInfo", metrics_info = "Metrics",
    },
    RateLimit = {
      limit = true, remaining = true, reset = true,
    },
    Reason = {
      code = true, metric = true, value = true, limit = true,
    },
    Reassignment = {
      account_id = true, new_user_id = true, old_user_id = true, old_user_deleted = true,
    },
    Report = {
      complete = true, rows = true, total_items = true, total_pages = true, readings = true,
      requests = true, reason = true,
    },
    Rule = {
      version = true, min_days_observed = true, max_days_since_last = true,
      min_active_weeks = true, max_gap = true, min_regularity = true, min_stability = true,
      max_decline = true, ratio = true,
    },
    Trip = {
      event_id = true, type = true, timezone = true, start_date = true, amount = true,
      currency = true, duration_sec = true, distance_km = true, start_location = true,
      end_location = true, payment_method = true, cash_amount = true, additional_timestamps = true,
    },
    User = {
      user_id = true, external_id = true, widget_id = true,
    },
    UserAccounts = {
      user_id = true, accounts = "Account[]",
    },
    VehicleInfo = {
      type = true, brand = true, model = true, year = true, license_plate = true, vin = true,
    },
    Verdict = {
      outcome = true, reasons = "Reason[]", rule_version = true, currency = true,
      max_installment = true, max_installment_minor = true, explain = true,
    },
    Webhook = {
      connect_flow_id = true, webhook_id = true, url = true, name = true, widget_id = true,
      is_sandbox = true, is_active = true, sign_request = true, private_key = true, events = true,
    },
    Webhooks = {
      webhooks = "Webhook[]",
    },
    Widget = {
      created_at = true, updated_at = true, id = true, name = true, company_id = true,
      country = true, platforms = true, is_sandbox = true, hide_logo = true, hide_whatsapp = true,
      hide_consent = true, hide_privacy_url = true, hide_redirect_url = true, hide_label = true,
      require_gov_id = true, persist_session = true, font_family = true, primary_color = true,
      background_color = true, text_field_style = true, border_radius = true,
      custom_privacy_url = true, redirect_url = true, whatsapp_number = true, webhook_url = true,
      countries = true, widget_type = true, widget_internal_type = true, settings = true,
    },
  },
  returns = {
    ["accounts:delete"] = "Account",
    ["accounts:earnings"] = "Earning",
    ["accounts:employment"] = "Employment",
    ["accounts:events"] = "Trip",
    ["accounts:get"] = "Account",
    ["accounts:logins"] = "AccountLogins",
    ["accounts:profile"] = "Profile",
    ["accounts:reassign"] = "Reassignment",
    ["accounts:user"] = "User",
    ["countries:list"] = "Country[]",
    ["logins:get"] = "Login",
    ["logins:search"] = "Login",
    ["platforms:list"] = "Platform[]",
    ["users:accounts"] = "UserAccounts",
    ["users:aggregated_earnings"] = "AggregatedEarnings",
    ["users:create"] = "User",
    ["users:delete"] = "User",
    ["users:get"] = "User",
    ["users:search"] = "User",
    ["webhooks:create"] = "Webhook",
    ["webhooks:delete"] = "Webhook",
    ["webhooks:get"] = "Webhook",
    ["webhooks:list"] = "Webhooks",
    ["webhooks:update"] = "Webhook",
    ["widgets:get"] = "Widget",
  },
}

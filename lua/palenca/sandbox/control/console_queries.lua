--- Responds to what the console page reads, without a key: accounts, logins, requests, deliveries.
-- @module palenca.sandbox.control.console_queries
local accounts = require("palenca.sandbox.api.accounts")
local advice = require("palenca.advice")
local argcheck = require("palenca.util.argcheck")
local constants = require("palenca.sandbox.data.vendor_constants")
local console_filters = require("palenca.sandbox.control.console_filters")
local console_income = require("palenca.sandbox.control.console_income")
local date = require("palenca.util.date")
local employment = require("palenca.sandbox.api.employment")
local faults = require("palenca.sandbox.delivery.faults")
local login_flow = require("palenca.sandbox.control.login_flow")
local paging = require("palenca.sandbox.http.paging")
local history_patterns = require("palenca.sandbox.data.history_patterns")
local platforms = require("palenca.sandbox.api.platforms")
local query_string = require("palenca.sandbox.http.query_string")
local render = require("palenca.sandbox.data.render")
local request_log = require("palenca.sandbox.control.request_log")
local response = require("palenca.sandbox.http.response")
local store = require("palenca.sandbox.data.store")

local console_queries = {}

local delivery_names = {
  "delivery_id", "webhook_id", "webhook_name", "url", "login_id", "account_id", "external_id",
  "platform",
  "action", "state", "attempts", "last_status", "last_error", "created_at", "next_attempt_in",
  "resend_of",
}
local delivery_shape = render.shape(delivery_names)
local full_delivery_shape = render.shape { "request", "tries", table.unpack(delivery_names) }
local try_shape = render.shape { "at", "ms", "status", "error", "body" }
local sent_shape = render.shape { "method", "url", "headers", "body" }
local advice_shape = render.shape { "actor", "can_repeat", "repeat_after", "text" }
local employment_shape = render.shape { "info", "history" }

local function magic_cases()
  local cases = { "success", "incomplete" }
  for _, set in ipairs({ constants.errors, constants.code_cases, constants.warnings }) do
    local list = argcheck.words(set)
    table.move(list, 1, #list, #cases + 1, cases)
  end
  return cases
end

local function list_of(items, make)
  local list = {}
  for at, item in ipairs(items) do
    list[at] = make(item)
  end
  return render.array(list)
end

local function plain(item)
  local copy = {}
  for name, value in pairs(item) do
    copy[name] = type(value) == "table" and render.array(value) or value
  end
  return copy
end

local function fault_kinds()
  local kinds = {}
  for kind, fields in pairs(faults.kinds) do
    kinds[kind] = {
      fields = render.array(table.move(fields, 1, #fields, 1, {})),
      defaults = faults.defaults[kind],
    }
  end
  return kinds
end

local function overview(sandbox)
  local kept = sandbox.store
  return response.success {
    api_key = sandbox.api_key,
    seed = kept.seed,
    started_at = date.timestamp(sandbox.started),
    now = date.timestamp(sandbox.clock()),
    clock_offset = sandbox.clock_offset,
    revision = sandbox.revision,
    settings = sandbox.settings,
    counts = {
      users = #kept.user.list,
      accounts = #kept.account.list,
      logins = #kept.login.list,
      webhooks = #kept.webhook.list,
      deliveries_pending = sandbox.deliveries.pending,
    },
    history = sandbox.history,
    default_widget_id = store.DEFAULT_WIDGET,
    widgets = list_of(kept.widget.list, function(widget)
      return { id = widget.id, name = widget.name }
    end),
    platforms = list_of(platforms.list(), plain),
    platform_names = platforms.names(),
    fault_kinds = fault_kinds(),
    countries = list_of(platforms.countries(), plain),
    actions = render.array(argcheck.words(constants.actions)),
    magic_cases = render.array(magic_cases()),
    patterns = render.array(argcheck.words(history_patterns.names)),
    default_pattern = history_patterns.default,
    warnings = render.array(argcheck.words(constants.warnings)),
    income_words = console_income.words,
  }
end

local function changes(sandbox, request)
  local text = query_string.parameters(request.query).since or "0"
  local since = math.tointeger(tonumber(text) or 0) or 0
  if sandbox.revision == since and not request.final then
    return { hold = true, status = 200, body = "" }
  elseif sandbox.revision < since then
    since = 0 -- of an earlier run
  end
  local topics = {}
  for _, topic in ipairs(argcheck.words(sandbox.changed)) do
    if sandbox.changed[topic] > since then
      topics[#topics + 1] = topic
    end
  end
  return response.success { revision = sandbox.revision, topics = render.array(topics) }
end

local function respond_with_page(name, request, newest, is_included, make)
  local given = query_string.parameters(request.query)
  local options, rejection = paging.from_query(given)
  if not options then
    return rejection
  end
  local items, total = paging.collect(newest, options, function(record)
    return is_included(record, given)
  end, make)
  return response.success({ [name] = render.array(items) }, 200, paging.describe(options, total))
end

local function login_texts(sandbox, login)
  local user = sandbox.store.user:get(login.user_id)
  return {
    login.login_id, login.account_id, login.user_id, user and user.external_id or "",
    login.identifier or "", login.platform, platforms.name(login.platform), login.status,
    login.status_details or "",
  }
end

local function list_logins(sandbox, request)
  return respond_with_page("logins", request, sandbox.store.login:newest(), function(login, given)
    return console_filters.equals(given.status, login.status)
      and console_filters.equals(given.platform, login.platform)
      and console_filters.matches(given.search, login_texts(sandbox, login))
  end, function(login)
    return login_flow.render(sandbox, login)
  end)
end

local function render_delivery(sandbox, delivery, shape, more)
  local last = delivery.tries[#delivery.tries]
  local values = {
    account_id = delivery.event.account_id,
    external_id = delivery.event.external_id ~= "None" and delivery.event.external_id or nil,
    platform = delivery.event.platform,
    action = delivery.event.webhook_action,
    attempts = #delivery.tries,
    last_status = last and last.status,
    last_error = last and last.error,
    created_at = date.timestamp(delivery.created),
    next_attempt_in = delivery.due and math.max(0, delivery.due - sandbox.clock()),
  }
  for name, value in pairs(more or {}) do
    values[name] = value
  end
  return shape(setmetatable(values, { __index = delivery }))
end

local function delivery_texts(delivery)
  local event = delivery.event
  return {
    delivery.delivery_id, delivery.webhook_name, delivery.url, delivery.state, event.webhook_action,
    event.account_id, event.user_id, event.external_id or "", event.platform,
    platforms.name(event.platform) or "", event.status_details or "",
  }
end

local function list_deliveries(sandbox, request)
  return respond_with_page("deliveries", request, sandbox.store.delivery:newest(),
    function(delivery, given)
      return (not given.webhook_id or given.webhook_id == delivery.webhook_id)
        and (not given.login_id or given.login_id == delivery.login_id)
        and console_filters.equals(given.state, delivery.state)
        and console_filters.equals(given.platform, delivery.event.platform)
        and console_filters.matches(given.search, delivery_texts(delivery))
    end,
    function(delivery)
      return render_delivery(sandbox, delivery, delivery_shape)
    end)
end

local function deliveries_of(sandbox, login)
  local list = {}
  for delivery in sandbox.store.delivery:newest() do
    if delivery.login_id == login.login_id then
      list[#list + 1] = render_delivery(sandbox, delivery, delivery_shape)
    end
  end
  return render.array(list)
end

-- What a platform of employment reports; nil for others.
local function employment_of(account)
  local jobs, info = employment.of(account)
  return info and employment_shape { info = info, history = render.array(jobs) } or nil
end

-- Who must act on a failed login, and what to say to the worker. An incomplete one needs no advice.
local function advice_of(login)
  local found = login.status == "error" and advice.of_login(login.status_details)
  return found and advice_shape {
    actor = found.actor, can_repeat = found.can_repeat, repeat_after = found.repeat_after,
    text = found.text.en,
  } or nil
end

local function get_login(sandbox, request)
  local login = sandbox.store.login:get(request.ids.login_id)
  if not login then
    return response.not_found("login")
  end
  local account = sandbox.store.account:get(login.account_id)
  local earned = sandbox.store:earnings_of(account)
  local panel = console_income.of(account, earned:rows(), sandbox.clock())
  return response.success {
    login = login_flow.render(sandbox, login),
    account = accounts.render(sandbox.store, account, true),
    pattern = account.history ~= "tutorial" and (account.pattern or history_patterns.default)
      or nil,
    profile = account.connected and accounts.render_profile(sandbox.store, account),
    earnings = render.raw("[" .. earned:json(1, earned.count) .. "]"),
    income = panel.income,
    verdict = panel.verdict,
    explanation = panel.explanation,
    figures = panel.figures,
    employment = employment_of(account),
    advice = advice_of(login),
    deliveries = deliveries_of(sandbox, login),
  }
end

local function get_delivery(sandbox, request)
  local delivery = sandbox.store.delivery:get(request.ids.delivery_id)
  if not delivery then
    return response.not_found("delivery")
  end
  local sent = delivery.request
  return response.success(render_delivery(sandbox, delivery, full_delivery_shape, {
    request = sent and sent_shape {
      method = "POST", url = sent.url, headers = sent.headers, body = sent.body,
    },
    tries = list_of(delivery.tries, function(try)
      return try_shape(setmetatable({ at = date.timestamp(try.at) }, { __index = try }))
    end),
  }))
end

local function resend(sandbox, request)
  local delivery = sandbox.store.delivery:get(request.ids.delivery_id)
  local webhook = delivery and sandbox.store.webhook:get(delivery.webhook_id)
  if not webhook then
    return response.not_found(delivery and "webhook" or "delivery")
  end
  local again = sandbox.deliveries:resend(delivery, webhook)
  return response.success(render_delivery(sandbox, again, delivery_shape), 201)
end

local function request_texts(entry, subject)
  return {
    entry.request_id, entry.method, entry.path, entry.query or "", tostring(entry.status),
    entry.fault or "", subject.external_id or "", subject.platform or "",
    platforms.name(subject.platform) or "",
  }
end

local function list_requests(sandbox, request)
  local list, at = sandbox.requests:newest(), 0
  return respond_with_page("requests", request, function()
    at = at + 1
    return list[at]
  end, function(entry, given)
    local subject = console_filters.subject_of(sandbox.store, entry)
    return console_filters.equals(given.method, entry.method)
      and console_filters.has_status(given.status, entry.status)
      and console_filters.equals(given.platform, subject.platform)
      and console_filters.matches(given.search, request_texts(entry, subject))
  end, function(entry)
    return request_log.render(entry, console_filters.subject_of(sandbox.store, entry))
  end)
end

local function get_request(sandbox, request)
  local entry = sandbox.requests:get(request.ids.request_id)
  return entry and response.success(request_log.render_full(entry,
    console_filters.subject_of(sandbox.store, entry))) or response.not_found("request")
end

-- The names that the query of a list may have.
local function paged(...)
  local names = { page = true, items_per_page = true }
  for _, name in ipairs { ... } do
    names[name] = true
  end
  return names
end

--- The routes of this module.
console_queries.routes = {
  { "GET", "/sandbox/overview", overview, public = true },
  { "GET", "/sandbox/changes", changes, public = true, query = { since = true } },
  { "GET", "/sandbox/logins", list_logins, public = true,
    query = paged("status", "platform", "search") },
  { "GET", "/sandbox/logins/{login_id}", get_login, public = true },
  { "GET", "/sandbox/deliveries", list_deliveries, public = true,
    query = paged("webhook_id", "login_id", "state", "platform", "search") },
  { "GET", "/sandbox/deliveries/{delivery_id}", get_delivery, public = true },
  { "POST", "/sandbox/deliveries/{delivery_id}/resend", resend, public = true },
  { "GET", "/sandbox/requests", list_requests, public = true,
    query = paged("method", "status", "platform", "search") },
  { "GET", "/sandbox/requests/{request_id}", get_request, public = true },
}

return console_queries

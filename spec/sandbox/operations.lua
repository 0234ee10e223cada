--- The 28 public operations: its requests, and its published response.
--
-- An operation has `method`, `path`, `status`, `data` (a kind of `shapes`), and maybe
-- `paged`: its response has a page number;
-- `ids`: the list of a `world` that stands for the name in its path;
-- `any_id`: what stands there need not be a UUID;
-- `samples`: how many of these ids are asked for, instead of all;
-- `asks`: returns the requests for it, each with `query` or `body`, and `data` if that differs;
-- `wrong`: bodies that are not of the published form, each with the place of its fault;
-- `empty`: no body at all is fine;
-- `open`: it needs no key.
local helper = require("spec.sandbox.helper")
local world = require("spec.sandbox.world")

local period = world.period

local PAGES = { period(), period { options = { page = 2, items_per_page = 3 } } }

-- What is wrong with the body of a search by dates.
local function wrong_search(more)
  local wrong = {
    { {}, "body.start_date" },
    { { start_date = "2025-01-01" }, "body.end_date" },
    { period { start_date = "2025-02-30" }, "body.start_date" },
    { period { end_date = 20250101 }, "body.end_date" },
  }
  return table.move(more, 1, #more, #wrong + 1, wrong)
end

local wrong_pages = {
  { period { options = "all" }, "body.options" },
  { period { options = { page = 0 } }, "body.options.page" },
  { period { options = { items_per_page = 2.5 } }, "body.options.items_per_page" },
}

-- The ways to ask with each of some bodies.
local function with(bodies)
  return function()
    local asks = {}
    for at, body in ipairs(bodies) do
      asks[at] = { body = body }
    end
    return asks
  end
end

local function with_queries(queries)
  return function()
    local asks = {}
    for at, query in ipairs(queries) do
      asks[at] = { query = query }
    end
    return asks
  end
end

local HOOK = {
  url = "https://example.com/hook", name = "mine", connect_flow_id = helper.WIDGET,
  is_sandbox = true,
}

local function hook(more)
  local body = {}
  for _, fields in ipairs { HOOK, more } do
    for name, value in pairs(fields) do
      body[name] = value
    end
  end
  return body
end

local wrong_hooks = {
  { hook { url = "example.com" }, "body.url" },
  { hook { name = false }, "body.name" },
  { hook { connect_flow_id = "mine" }, "body.connect_flow_id" },
  { hook { is_sandbox = "true" }, "body.is_sandbox" },
  { hook { events = { "login" } }, "body.events.0" },
}

local operations = {}

local function add(method, path, status, data, more)
  local operation = { method = method, path = path, status = status, data = data }
  for name, value in pairs(more or {}) do
    operation[name] = value
  end
  operations[#operations + 1] = operation
end

-- What only reads comes first.
add("GET", "/v1/users/{user_id}", 200, "user", { ids = "users" })
add("GET", "/v1/users/{user_id}/accounts", 200, "accounts", { ids = "users" })
add("POST", "/v1/users/search", 200, "users", {
  asks = with { PAGES[1], PAGES[2], period { external_id = world.MIXED } },
  wrong = wrong_search { { period { external_id = 7 }, "body.external_id" },
    table.unpack(wrong_pages) },
})
add("POST", "/v1/users/earnings/aggregated", 200, "aggregated", {
  asks = function(made)
    local asks = { { body = period { external_id = world.MIXED, options = { details = true } } } }
    for at, user_id in ipairs(made.users) do
      asks[#asks + 1] = { body = period { user_id = user_id, options = { details = at % 2 == 0 } } }
    end
    return asks
  end,
  wrong = wrong_search {
    { period { user_id = "u" }, "body.user_id" },
    { period { external_id = 7 }, "body.external_id" },
    { period { external_id = "e", options = { details = "yes" } }, "body.options.details" },
  },
})
add("GET", "/v1/accounts/{account_id}", 200, "account", {
  ids = "accounts",
  asks = function()
    return {
      { query = "add_user_id=false" },
      { query = "add_user_id=true", data = "account_of_user" },
    }
  end,
})
add("GET", "/v1/accounts/{account_id}/user", 200, "user", { ids = "accounts" })
add("GET", "/v1/accounts/{account_id}/logins", 200, "logins", { ids = "accounts" })
add("GET", "/v1/accounts/{account_id}/profile", 200, "profile_data", { ids = "accounts" })
add("GET", "/v1/accounts/{account_id}/employment", 200, "employment", {
  ids = "accounts", paged = true, asks = with_queries { "page=1", "page=2&items_per_page=2" },
})
add("GET", "/v1/accounts/{account_id}/consignados", 200, "loans", { ids = "accounts" })
add("POST", "/v1/accounts/{account_id}/earnings/search", 200, "earnings", {
  ids = "accounts", paged = true, asks = with(PAGES), wrong = wrong_search(wrong_pages),
})
add("POST", "/v1/accounts/{account_id}/events/search", 200, "trips", {
  ids = "accounts", paged = true, asks = with(PAGES), wrong = wrong_search(wrong_pages),
})
add("POST", "/v1/logins/search", 200, "logins", {
  asks = with(PAGES), wrong = wrong_search(wrong_pages),
})
add("GET", "/v1/logins/{login_id}", 200, "login", { ids = "logins" })
add("GET", "/v1/consents/{gov_id}", 200, "consents", { ids = "gov_ids", any_id = true })
add("POST", "/v1/consents/search", 200, "consents", {
  asks = with { {}, { options = { page = 2, items_per_page = 3 } } },
  wrong = {
    { { options = "all" }, "body.options" },
    { { options = { page = "1" } }, "body.options.page" },
  },
})
add("GET", "/v1/widgets/{widget_id}", 200, "widget", { ids = "widgets" })
add("GET", "/v1/webhooks", 200, "webhooks")
add("GET", "/v1/webhooks/{webhook_id}", 200, "webhook", { ids = "webhooks" })
add("GET", "/v1/platforms", 200, "[platform_info]", { open = true })
add("GET", "/v1/countries", 200, "[country_info]", {
  open = true, asks = with_queries { "only_active=true", "only_active=false" },
})
operations.reading = #operations

add("POST", "/v1/users", 201, "created_user", {
  asks = with { {}, { external_id = "mine" }, { connect_flow_id = helper.WIDGET } },
  empty = true,
  wrong = {
    { { external_id = 7 }, "body.external_id" },
    { { connect_flow_id = "w" }, "body.connect_flow_id" },
  },
})
add("POST", "/v1/webhooks", 201, "webhook", {
  asks = with { HOOK, hook { sign_request = true, events = { "login.success" } } },
  wrong = { { {}, "body.url" }, table.unpack(wrong_hooks) },
})
add("PUT", "/v1/webhooks/{webhook_id}", 200, "webhook", {
  ids = "webhooks", asks = with { HOOK, { is_active = false }, {} },
  wrong = { { { is_active = 1 }, "body.is_active" }, table.unpack(wrong_hooks) },
})
add("PATCH", "/v1/accounts/{account_id}/user", 200, "reassigned", {
  ids = "accounts", samples = 3,
  asks = function(made)
    return {
      { body = { user_id = made.spare } },
      { body = { external_id = "rappi/1" } },
      { body = { external_id = "nobody yet", smart = true } },
      { body = { user_id = made.spare, smart = true } },
    }
  end,
  wrong = {
    { { user_id = "u" }, "body.user_id" },
    { { external_id = {} }, "body.external_id" },
    { { external_id = "e", smart = "yes" }, "body.smart" },
  },
})
add("DELETE", "/v1/webhooks/{webhook_id}", 200, "webhook", { ids = "webhooks" })
add("DELETE", "/v1/accounts/{account_id}", 200, "account", { ids = "accounts", samples = 5 })
add("DELETE", "/v1/users/{user_id}", 200, "deleted_user", { ids = "users", samples = 5 })

local function targets(operation, made)
  local list = {}
  for _, id in ipairs(operation.ids and made[operation.ids] or { "" }) do
    if #list < (operation.samples or math.huge) then
      list[#list + 1] = operations.target(operation, id)
    end
  end
  return list
end

--- The path of an operation with an id, if it takes one.
function operations.target(operation, id)
  return (operation.path:gsub("{[%w_]+}", id or ""))
end

--- Sends all requests of an operation to a world. Returns a list of responses: `target`, `status`,
-- `headers`, `text`, and `kind`, that of the data that is due.
function operations.ask(operation, made)
  local responses = {}
  local asks = operation.asks and operation.asks(made) or { {} }
  for _, target in ipairs(targets(operation, made)) do
    for _, ask in ipairs(asks) do
      local whole = target .. (ask.query and "?" .. ask.query or "")
      local status, _, headers, text = made.api:call(operation.method, whole, ask.body)
      responses[#responses + 1] = {
        target = whole, status = status, headers = headers, text = text,
        kind = ask.data or operation.data,
      }
    end
  end
  return responses
end

return operations

--- The operations of the API: what each is called, where it goes, and whether it may be repeated.
-- @module palenca.resources
local check = require("palenca.check")
local core = require("palenca.core")
local pager = require("palenca.pager")

local resources = {}

-- The documents name the same thing widget_id in examples and connect_flow_id
-- in schemas; either is taken, and both are sent.
local function with_both_widget_names(body)
  local copy = {}
  for name, value in pairs(body or {}) do
    copy[name] = value
  end
  local widget = copy.widget_id or copy.connect_flow_id
  if copy.connect_flow_id and copy.connect_flow_id ~= widget then
    error("widget_id and connect_flow_id are two names of the same thing, and differ", 3)
  end
  copy.widget_id, copy.connect_flow_id = widget, widget
  return copy
end

local function earnings_body(fields, page, items_per_page)
  return {
    start_date = fields.start_date,
    end_date = fields.end_date,
    options = { page = page, items_per_page = items_per_page },
  }
end

local webhook_fields = {
  url = "string",
  name = "string",
  widget_id = "uuid",
  connect_flow_id = "uuid",
  is_sandbox = "boolean",
  sign_request = "boolean",
  events = "actions",
}

local function extended(spec, more)
  local copy = {}
  for name, kind in pairs(spec) do
    copy[name] = kind
  end
  for name, kind in pairs(more) do
    copy[name] = kind
  end
  return copy
end

-- safe: doing it twice is the same as doing it once. POST searches are safe, POST
-- creations are not. search: the field of `data` that holds the rows.
local operations = {
  users = {
    create = {
      method = "POST",
      path = "/v1/users",
      fields = {
        external_id = "string",
        user_id = "string",
        widget_id = "uuid",
        connect_flow_id = "uuid",
      },
      body = with_both_widget_names,
    },
    get = { method = "GET", path = "/v1/users/{id}", id = "string", safe = true },
    accounts = { method = "GET", path = "/v1/users/{id}/accounts", id = "string", safe = true },
  },
  accounts = {
    get = { method = "GET", path = "/v1/accounts/{id}", id = "uuid", safe = true },
    profile = { method = "GET", path = "/v1/accounts/{id}/profile", id = "uuid", safe = true },
    earnings = {
      method = "POST",
      path = "/v1/accounts/{id}/earnings/search",
      id = "uuid",
      safe = true,
      fields = { start_date = "date!", end_date = "date!", items_per_page = "positive" },
      body = earnings_body,
      search = "earnings",
    },
  },
  webhooks = {
    create = {
      method = "POST",
      path = "/v1/webhooks",
      fields = extended(webhook_fields, {
        url = "string!",
        name = "string!",
        is_sandbox = "boolean!",
      }),
      body = with_both_widget_names,
    },
    list = { method = "GET", path = "/v1/webhooks", safe = true },
    get = { method = "GET", path = "/v1/webhooks/{id}", id = "uuid", safe = true },
    update = {
      method = "PUT",
      path = "/v1/webhooks/{id}",
      id = "uuid",
      safe = true,
      fields = extended(webhook_fields, { is_active = "boolean" }),
      body = with_both_widget_names,
    },
    delete = { method = "DELETE", path = "/v1/webhooks/{id}", id = "uuid", safe = true },
  },
}

local function check_period(what, fields, level)
  if fields.start_date and fields.end_date and fields.start_date > fields.end_date then
    error(what .. ": start_date is after end_date", level + 1)
  end
end

local function build(client, name, operation)
  return function(_, ...)
    local id, fields
    if operation.id then
      id, fields = ...
      check.value(name .. ": id", id, operation.id, 2)
    else
      fields = ...
    end
    if operation.fields then
      check.fields(name, fields, operation.fields, 2)
      check_period(name, fields or {}, 2)
    end
    local path = operation.path
    if id then
      local escaped, problem = core.escape(id)
      if not escaped then
        error(name .. ": id: " .. problem, 2)
      end
      path = path:gsub("{id}", function()
        return escaped
      end)
    end
    if operation.search then
      return pager.new(client, operation, path, fields)
    end
    local body = operation.fields and (operation.body or function(given)
      return given
    end)(fields)
    return client:_call(operation.method, path, body, operation.safe)
  end
end

--- Gives a client its resources: `client.users`, `client.accounts`, `client.webhooks`.
-- @param client the client
function resources.attach(client)
  for resource, members in pairs(operations) do
    local methods = {}
    for method, operation in pairs(members) do
      methods[method] = build(client, resource .. ":" .. method, operation)
    end
    client[resource] = methods
  end
end

return resources

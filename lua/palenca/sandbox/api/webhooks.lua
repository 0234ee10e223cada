--- Responses for webhooks: creating, listing, reading, changing and deleting them.
-- @module palenca.sandbox.api.webhooks
local constants = require("palenca.sandbox.data.vendor_constants")
local render = require("palenca.sandbox.data.render")
local response = require("palenca.sandbox.http.response")
local validate = require("palenca.sandbox.http.validate")

local webhooks = {}

local webhook_shape = render.shape {
  "connect_flow_id", "webhook_id", "url", "name", "widget_id", "is_sandbox", "is_active",
  "sign_request", "private_key", "events",
}
local list_shape = render.shape { "webhooks" }

local events = validate.list_of(validate.one_of(constants.actions, "webhook action"))

local update_fields = {
  { name = "url", check = validate.http_url },
  { name = "name", check = validate.string },
  { name = "widget_id", check = validate.uuid },
  { name = "connect_flow_id", check = validate.uuid },
  { name = "is_sandbox", check = validate.boolean },
  { name = "is_active", check = validate.boolean },
  { name = "sign_request", check = validate.boolean },
  { name = "events", check = events },
}

local create_fields = {
  { name = "url", check = validate.http_url, required = true },
  { name = "name", check = validate.string, required = true },
  { name = "widget_id", check = validate.uuid },
  { name = "connect_flow_id", check = validate.uuid },
  { name = "is_sandbox", check = validate.boolean, required = true },
  { name = "sign_request", check = validate.boolean, default = false },
  { name = "events", check = events, default = { "*" } },
}

local function render_webhook(webhook)
  return webhook_shape {
    connect_flow_id = webhook.widget_id,
    webhook_id = webhook.webhook_id,
    url = webhook.url,
    name = webhook.name,
    widget_id = webhook.widget_id,
    is_sandbox = webhook.is_sandbox,
    is_active = webhook.is_active,
    sign_request = webhook.sign_request,
    private_key = webhook.sign_request and webhook.private_key or nil,
    events = render.array(webhook.events),
  }
end

-- Sets the passed fields and updates those that depend on them.
local function apply(sandbox, webhook, given)
  for _, field in ipairs(update_fields) do
    local value = given[field.name]
    if value ~= nil and field.name ~= "connect_flow_id" then
      webhook[field.name] = value
    end
  end
  -- Two names for one thing: the examples say widget_id, the schema connect_flow_id.
  local widget_id = given.widget_id or given.connect_flow_id or webhook.widget_id
  webhook.widget_id = sandbox.store:widget_of(widget_id).id
  webhook.subscribed_to = {}
  for _, action in ipairs(webhook.events) do
    webhook.subscribed_to[action] = true
  end
  if webhook.sign_request and not webhook.private_key then
    webhook.private_key = sandbox.store:stream("webhook keys"):hex(64)
  end
  sandbox.store:save("webhook", webhook)
end

local function create(sandbox, request, read)
  local given, faults = read(create_fields, request.body)
  if not given then
    return response.invalid(faults)
  elseif not (given.widget_id or given.connect_flow_id) then
    return response.invalid { {
      loc = { "body", "connect_flow_id" },
      msg = "is required, under this name or as widget_id",
      type = "value_error.missing",
    } }
  end
  local store = sandbox.store
  local webhook = {
    webhook_id = store:stream("webhooks"):uuid(),
    is_active = true,
    created = store:now(),
  }
  apply(sandbox, webhook, given)
  return response.success(render_webhook(webhook), 201)
end

local function list(sandbox)
  local rendered = {}
  for index, webhook in ipairs(sandbox.store.webhook.list) do
    rendered[index] = render_webhook(webhook)
  end
  return response.success(list_shape { webhooks = render.array(rendered) })
end

local function get(sandbox, request)
  local webhook = sandbox.store.webhook:get(request.ids.webhook_id)
  return webhook and response.success(render_webhook(webhook)) or response.not_found("webhook")
end

local function update(sandbox, request, read)
  local webhook = sandbox.store.webhook:get(request.ids.webhook_id)
  if not webhook then
    return response.not_found("webhook")
  end
  local given, faults = read(update_fields, request.body)
  if not given then
    return response.invalid(faults)
  end
  apply(sandbox, webhook, given)
  if not webhook.is_active then
    sandbox.deliveries:cancel(webhook)
  end
  return response.success(render_webhook(webhook))
end

local function delete(sandbox, request)
  local webhook = sandbox.store.webhook:get(request.ids.webhook_id)
  if not webhook then
    return response.not_found("webhook")
  end
  sandbox.deliveries:cancel(webhook)
  sandbox.store:remove("webhook", webhook.webhook_id)
  return response.success(render_webhook(webhook))
end

-- The API ignores a field that it does not know; the sandbox's own fields reject it.
local function lenient(handler)
  return function(sandbox, request)
    return handler(sandbox, request, validate.body)
  end
end

local function strict(handler)
  return function(sandbox, request)
    return handler(sandbox, request, validate.strict_body)
  end
end

--- The routes of this module; the console has the same ones.
webhooks.routes = {
  { "POST", "/v1/webhooks", lenient(create) },
  { "GET", "/v1/webhooks", list },
  { "GET", "/v1/webhooks/{webhook_id}", get },
  { "PUT", "/v1/webhooks/{webhook_id}", lenient(update) },
  { "DELETE", "/v1/webhooks/{webhook_id}", delete },
  { "POST", "/sandbox/webhooks", strict(create), public = true, body = true },
  { "GET", "/sandbox/webhooks", list, public = true },
  { "PUT", "/sandbox/webhooks/{webhook_id}", strict(update), public = true, body = true },
  { "DELETE", "/sandbox/webhooks/{webhook_id}", delete, public = true },
}

return webhooks

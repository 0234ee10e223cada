--- Webhooks: the URLs to which the API sends events.
--
-- All functions are methods of `client.webhooks`. They return the API's `data` and a meta table, or
-- nil and a @{palenca.errors.Error}; a wrong argument raises before anything is sent.
-- @module palenca.client.resources.webhooks
local request_body = require("palenca.client.resources.request_body")

local webhooks = {}

local function fields_with(more)
  local fields = {
    url = "string", name = "string", widget_id = "uuid", connect_flow_id = "uuid",
    is_sandbox = "boolean", sign_request = "boolean", events = "actions",
  }
  for name, kind in pairs(more) do
    fields[name] = kind
  end
  return fields
end

--- Creates a webhook. Never sent twice, so after a network failure it may or may not exist.
-- @function webhooks:create
-- @tparam table fields
-- @tparam string fields.url where events are sent
-- @tparam string fields.name what it is called
-- @tparam boolean fields.is_sandbox whether it is of the sandbox
-- @tparam ?string fields.widget_id the widget (UUID) whose logins it hears of
-- @tparam ?string fields.connect_flow_id another name of `widget_id`
-- @tparam ?boolean fields.sign_request sign what is sent
-- @tparam[opt] {string,...} fields.events such as `{"login.success"}`; `{"*"}` for all
-- @treturn Webhook
webhooks.create = {
  method = "POST",
  path = "/v1/webhooks",
  fields = fields_with { url = "string!", name = "string!", is_sandbox = "boolean!" },
  verify = request_body.verify_widget,
  body = request_body.with_both_widget_names,
}

--- Reads all webhooks.
-- @function webhooks:list
-- @treturn Webhooks
webhooks.list = { method = "GET", path = "/v1/webhooks", idempotent = true }

--- Reads a webhook.
-- @function webhooks:get
-- @tparam string id the webhook's (UUID)
-- @treturn Webhook
webhooks.get = { method = "GET", path = "/v1/webhooks/{id}", id = "uuid", idempotent = true }

--- Changes a webhook; what is not given stays.
-- @function webhooks:update
-- @tparam string id the webhook's (UUID)
-- @tparam table fields those to change
-- @tparam ?string fields.url where events are sent
-- @tparam ?string fields.name what it is called
-- @tparam ?boolean fields.is_sandbox whether it is of the sandbox
-- @tparam ?boolean fields.is_active whether events are sent
-- @tparam ?string fields.widget_id the widget (UUID) whose logins it hears of
-- @tparam ?string fields.connect_flow_id another name of `widget_id`
-- @tparam ?boolean fields.sign_request sign what is sent
-- @tparam[opt] {string,...} fields.events such as `{"login.success"}`; `{"*"}` for all
-- @treturn Webhook
webhooks.update = {
  method = "PUT",
  path = "/v1/webhooks/{id}",
  id = "uuid",
  idempotent = true,
  fields = fields_with { is_active = "boolean" },
  verify = request_body.verify_widget,
  body = request_body.with_both_widget_names,
}

--- Deletes a webhook.
-- @function webhooks:delete
-- @tparam string id the webhook's (UUID)
-- @treturn Webhook the one that is gone
webhooks.delete = { method = "DELETE", path = "/v1/webhooks/{id}", id = "uuid", idempotent = true }

--- A webhook.
-- @table Webhook
-- @tfield ?string connect_flow_id the same as `widget_id`
-- @tfield string webhook_id
-- @tfield string url
-- @tfield string name
-- @tfield ?string widget_id
-- @tfield boolean is_sandbox
-- @tfield boolean is_active
-- @tfield ?boolean sign_request
-- @tfield ?string private_key what signatures are made with
-- @tfield {string,...} events actions, or `*`

--- All webhooks.
-- @table Webhooks
-- @tfield {Webhook,...} webhooks

return { webhooks = webhooks }

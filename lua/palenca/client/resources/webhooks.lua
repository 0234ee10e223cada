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
-- @tparam ?string fields.widget_id the widget (UUID) whose logins it hears of; also as
-- `connect_flow_id`
-- @tparam ?boolean fields.sign_request sign what is sent
-- @tparam[opt] {string,...} fields.events such as `{"login.success"}`; `{"*"}` for all
-- @treturn table `webhook_id`, `url`, `name`, `widget_id`, `is_sandbox`, `is_active`,
-- `sign_request`, `private_key`, `events`
webhooks.create = {
  method = "POST",
  path = "/v1/webhooks",
  fields = fields_with { url = "string!", name = "string!", is_sandbox = "boolean!" },
  verify = request_body.verify_widget,
  body = request_body.with_both_widget_names,
}

--- Reads all webhooks.
-- @function webhooks:list
-- @treturn table `webhooks`, a list
webhooks.list = { method = "GET", path = "/v1/webhooks", idempotent = true }

--- Reads a webhook.
-- @function webhooks:get
-- @tparam string id the webhook's (UUID)
-- @treturn table as from @{webhooks:create}
webhooks.get = { method = "GET", path = "/v1/webhooks/{id}", id = "uuid", idempotent = true }

--- Changes a webhook; what is not given stays.
-- @function webhooks:update
-- @tparam string id the webhook's (UUID)
-- @tparam table fields as for @{webhooks:create}, none of which must be given; and `is_active`
-- @treturn table as from @{webhooks:create}
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
-- @treturn table the webhook that is gone
webhooks.delete = { method = "DELETE", path = "/v1/webhooks/{id}", id = "uuid", idempotent = true }

return { webhooks = webhooks }

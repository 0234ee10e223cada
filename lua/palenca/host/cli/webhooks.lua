--- palenca webhooks: shows the URLs to which the API sends events.
-- @module palenca.host.cli.webhooks
local api_command = require("palenca.host.cli.api_command")
local rows_command = require("palenca.host.cli.rows_command")

return rows_command.new({
  name = "webhooks",
  summary = "Show the URLs to which the API sends events, in the API's order.",
  noun = "webhooks",
  has_secrets = "With the private keys, which are masked otherwise.",
  columns = {
    { name = "webhook_id" },
    { name = "is_active" },
    { name = "url", cut = true },
    { name = "events", cut = true },
    { name = "name", cut = true },
    { name = "is_sandbox" },
    { name = "sign_request" },
    { name = "widget_id" },
  },
  read = function(api)
    return api_command.must(api.webhooks:list()).webhooks or {}
  end,
})

-- Creates a webhook, so that the API sends its events to a receiver of yours.
--
--   palenca run examples/webhook.lua https://example.com/webhooks/palenca [WIDGET_ID]
--
-- Key and address of the API come from the environment; without PALENCA_BASE_URL it is the
-- vendor's sandbox.
local palenca = require("palenca")

local url, widget_id = ...
if not url then
  error("usage: palenca run examples/webhook.lua URL [WIDGET_ID]", 0)
end

local client = palenca.new()
local webhook, err = client.webhooks:create({
  url = url,
  name = "income",
  widget_id = widget_id or "b679c2fb-a096-4c26-a902-245f9bce66d9",
  is_sandbox = os.getenv("PALENCA_ENVIRONMENT") ~= "production",
  events = { "*" },
})
if not webhook then
  error(tostring(err), 0)
end
print("webhook " .. webhook.webhook_id .. " sends to " .. webhook.url)

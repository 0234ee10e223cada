--- Responses for a widget's settings.
-- @module palenca.sandbox.api.widgets
local date = require("palenca.util.date")
local logins = require("palenca.sandbox.api.logins")
local platforms = require("palenca.sandbox.api.platforms")
local render = require("palenca.sandbox.data.render")
local response = require("palenca.sandbox.http.response")

local widgets = {}

local widget_shape = render.shape {
  "created_at", "updated_at", "id", "name", "company_id", "country", "platforms", "is_sandbox",
  "hide_logo", "hide_whatsapp", "hide_consent", "hide_privacy_url", "hide_redirect_url",
  "hide_label", "require_gov_id", "persist_session", "font_family", "primary_color",
  "background_color", "text_field_style", "border_radius", "custom_privacy_url", "redirect_url",
  "whatsapp_number", "webhook_url", "countries", "widget_type", "widget_internal_type",
  "settings",
}

local function codes(list)
  local found = {}
  for at, item in ipairs(list) do
    found[at] = item.code
  end
  return render.array(found)
end

local function get(sandbox, request)
  local widget = sandbox.store.widget:get(request.ids.widget_id)
  if not widget then
    return response.not_found("widget")
  end
  return response.success(widget_shape {
    created_at = date.timestamp(widget.created),
    updated_at = date.timestamp(widget.created),
    id = widget.id,
    name = widget.name,
    company_id = logins.COMPANY,
    platforms = codes(platforms.list()),
    is_sandbox = true,
    hide_logo = false,
    hide_whatsapp = true,
    hide_consent = false,
    hide_privacy_url = true,
    hide_redirect_url = true,
    hide_label = false,
    require_gov_id = false,
    persist_session = false,
    countries = codes(platforms.countries()),
    widget_type = "income_verification",
    widget_internal_type = "default_api_calls",
    settings = render.raw("{}"),
  })
end

--- The routes of this module.
widgets.routes = {
  { "GET", "/v1/widgets/{widget_id}", get },
}

return widgets

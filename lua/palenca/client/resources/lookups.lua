--- Lookups: widgets, platforms, countries, and the consents of workers.
--
-- The functions are methods of `client.widgets`, `client.platforms`, `client.countries` and
-- `client.consents`. They return the API's `data` and a meta table, or nil and a
-- @{palenca.errors.Error}; a wrong argument raises before anything is sent.
-- @module palenca.client.resources.lookups
local request_body = require("palenca.client.resources.request_body")

local widgets, platforms, countries, consents = {}, {}, {}, {}

--- Reads a widget's settings.
-- @function widgets:get
-- @tparam string id the widget's (UUID)
-- @treturn Widget
widgets.get = { method = "GET", path = "/v1/widgets/{id}", id = "uuid", idempotent = true }

--- Reads the platforms that workers can connect.
-- @function platforms:list
-- @treturn {Platform,...}
platforms.list = { method = "GET", path = "/v1/platforms", idempotent = true }

--- Reads the countries.
-- @function countries:list
-- @tparam[opt] table fields
-- @tparam ?boolean fields.only_active leave out those that cannot be used now
-- @treturn {Country,...}
countries.list = {
  method = "GET", path = "/v1/countries", idempotent = true, fields = { only_active = "boolean" },
  query = { "only_active" },
}

--- Reads the consents that a worker granted. Their shape is not documented.
-- @function consents:get
-- @tparam string gov_id the worker's identity number
-- @treturn table
consents.get = { method = "GET", path = "/v1/consents/{id}", id = "secret", idempotent = true }

--- Reads all consents. Their shape is not documented, and the API does not count them, so that the
-- pager's report is never complete.
-- @function consents:search
-- @tparam[opt] table fields
-- @tparam[opt=100] number fields.items_per_page rows a page
-- @treturn palenca.client.pager of consents
consents.search = {
  method = "POST",
  path = "/v1/consents/search",
  idempotent = true,
  fields = { items_per_page = "positive" },
  body = request_body.search,
  search = "consents",
  uncounted = true,
}

--- A widget's settings.
-- @table Widget
-- @tfield ?string created_at
-- @tfield ?string updated_at
-- @tfield ?string id
-- @tfield ?string name
-- @tfield string company_id
-- @tfield ?string country
-- @tfield {string,...} platforms
-- @tfield boolean is_sandbox
-- @tfield boolean hide_logo
-- @tfield boolean hide_whatsapp
-- @tfield boolean hide_consent
-- @tfield boolean hide_privacy_url
-- @tfield boolean hide_redirect_url
-- @tfield boolean hide_label
-- @tfield boolean require_gov_id
-- @tfield boolean persist_session
-- @tfield ?string font_family
-- @tfield ?string primary_color
-- @tfield ?string background_color
-- @tfield ?string text_field_style
-- @tfield ?string border_radius
-- @tfield ?string custom_privacy_url
-- @tfield ?string redirect_url
-- @tfield ?string whatsapp_number
-- @tfield ?string webhook_url
-- @tfield {string,...} countries
-- @tfield ?string widget_type
-- @tfield ?string widget_internal_type
-- @tfield table settings

--- A platform that workers can connect.
-- @table Platform
-- @tfield ?string created_at
-- @tfield ?string updated_at
-- @tfield string id
-- @tfield string code such as `uber`
-- @tfield string name
-- @tfield string logo
-- @tfield boolean is_active
-- @tfield string category `gig` or `employment`
-- @tfield {string,...} countries
-- @tfield ?string status such as `up`

--- A country.
-- @table Country
-- @tfield ?string created_at
-- @tfield ?string updated_at
-- @tfield string id
-- @tfield string alpha_2 such as `mx`
-- @tfield string alpha_3
-- @tfield string name
-- @tfield string currency such as `mxn`
-- @tfield string calling_code
-- @tfield string timezone
-- @tfield ?string flag
-- @tfield boolean is_active

return { widgets = widgets, platforms = platforms, countries = countries, consents = consents }

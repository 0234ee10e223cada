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
-- @treturn table `id`, `name`, `company_id`, `platforms`, `countries`, `redirect_url` and more
widgets.get = { method = "GET", path = "/v1/widgets/{id}", id = "uuid", idempotent = true }

--- Reads the platforms that workers can connect.
-- @function platforms:list
-- @treturn table a list of `code`, `name`, `category`, `countries`, `status`, `is_active` and more
platforms.list = { method = "GET", path = "/v1/platforms", idempotent = true }

--- Reads the countries.
-- @function countries:list
-- @tparam[opt] table fields
-- @tparam ?boolean fields.only_active leave out those that cannot be used now
-- @treturn table a list of `alpha_2`, `name`, `currency`, `calling_code`, `timezone` and more
countries.list = {
  method = "GET", path = "/v1/countries", idempotent = true, fields = { only_active = "boolean" },
  query = { "only_active" },
}

--- Reads the consents that a worker granted. Their shape is not documented.
-- @function consents:get
-- @tparam string gov_id the worker's identity number
-- @treturn table
consents.get = { method = "GET", path = "/v1/consents/{id}", id = "string", idempotent = true }

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

return { widgets = widgets, platforms = platforms, countries = countries, consents = consents }

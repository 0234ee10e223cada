--- Logins: the attempts to connect an account.
--
-- All functions are methods of `client.logins`. They return the API's `data` and a meta table, or
-- nil and a @{palenca.errors.Error}; a wrong argument raises before anything is sent.
-- @module palenca.client.resources.logins
local request_body = require("palenca.client.resources.request_body")

local logins = {}

--- Reads a login.
-- @function logins:get
-- @tparam string id the login's (UUID)
-- @tparam[opt] table fields
-- @tparam ?string fields.language of `message` and `recommendation`, such as "es"
-- @treturn Login
logins.get = {
  method = "GET", path = "/v1/logins/{id}", id = "uuid", idempotent = true,
  fields = { language = "language" },
}

--- Finds logins by the day they began on. The API does not count them, so that the pager's report
-- is never complete.
-- @function logins:search
-- @tparam table fields
-- @tparam string fields.start_date the first day, YYYY-MM-DD
-- @tparam string fields.end_date the last day
-- @tparam[opt=100] number fields.items_per_page rows a page
-- @treturn palenca.client.pager of @{Login}
logins.search = {
  method = "POST",
  path = "/v1/logins/search",
  idempotent = true,
  fields = request_body.period_fields(),
  body = request_body.search,
  search = "logins",
  uncounted = true,
}

--- A login. Times are as in `2026-03-01T12:00:00Z`.
-- @table Login
-- @tfield ?string created_at
-- @tfield ?string updated_at
-- @tfield ?string id
-- @tfield ?string bulk_id
-- @tfield ?string status `pending`, `success`, `incomplete`, `error` and others
-- @tfield ?string platform
-- @tfield ?string source such as `widget`
-- @tfield ?string status_details why it ended so
-- @tfield ?string authenticated_at
-- @tfield ?string message
-- @tfield ?string company_id
-- @tfield ?string recommendation
-- @tfield ?boolean automatic_retry
-- @tfield ?boolean has_insights
-- @tfield ?string insights_status
-- @tfield ?string insights_status_details
-- @tfield ?string account_id

return { logins = logins }

--- Users: the workers, as your own system knows them.
--
-- All functions are methods of `client.users`. They return the API's `data` and a meta table, or
-- nil and a @{palenca.errors.Error}; a wrong argument raises before anything is sent.
-- @module palenca.client.resources.users
local request_body = require("palenca.client.resources.request_body")

local users = {}

--- Creates a user. Never sent twice, so after a network failure it may or may not exist.
-- @function users:create
-- @tparam[opt] table fields
-- @tparam ?string fields.external_id your id of the worker
-- @tparam ?string fields.user_id an id to use instead of a new one
-- @tparam ?string fields.widget_id the widget (UUID)
-- @tparam ?string fields.connect_flow_id another name of `widget_id`
-- @treturn User
users.create = {
  method = "POST",
  path = "/v1/users",
  fields = {
    external_id = "string", user_id = "string", widget_id = "uuid", connect_flow_id = "uuid",
  },
  verify = request_body.verify_widget,
  body = request_body.with_both_widget_names,
}

--- Reads a user.
-- @function users:get
-- @tparam string id the user's
-- @treturn User
users.get = { method = "GET", path = "/v1/users/{id}", id = "string", idempotent = true }

--- Deletes a user with all of its accounts.
-- @function users:delete
-- @tparam string id the user's
-- @treturn User the one that is gone, without its widget
users.delete = { method = "DELETE", path = "/v1/users/{id}", id = "string", idempotent = true }

--- Reads the accounts of a user.
-- @function users:accounts
-- @tparam string id the user's
-- @treturn UserAccounts
users.accounts = {
  method = "GET", path = "/v1/users/{id}/accounts", id = "string", idempotent = true,
}

--- Finds users by the day they were created on. The API does not count them, so that the pager's
-- report is never complete.
-- @function users:search
-- @tparam table fields
-- @tparam string fields.start_date the first day, YYYY-MM-DD
-- @tparam string fields.end_date the last day
-- @tparam ?string fields.external_id only this one
-- @tparam[opt=100] number fields.items_per_page rows a page
-- @treturn palenca.client.pager of @{User}
users.search = {
  method = "POST",
  path = "/v1/users/search",
  idempotent = true,
  fields = request_body.period_fields { external_id = "string" },
  body = request_body.search,
  search = "users",
  uncounted = true,
}

--- Adds up what all accounts of a user earned, day by day.
-- @function users:aggregated_earnings
-- @tparam table fields
-- @tparam string fields.start_date the first day, YYYY-MM-DD
-- @tparam string fields.end_date the last day
-- @tparam ?string fields.user_id the user (UUID), or
-- @tparam ?string fields.external_id your id of the worker
-- @tparam[opt=false] boolean fields.details also what each account earned
-- @treturn AggregatedEarnings
users.aggregated_earnings = {
  method = "POST",
  path = "/v1/users/earnings/aggregated",
  idempotent = true,
  fields = {
    start_date = "date!", end_date = "date!", user_id = "uuid", external_id = "string",
    details = "boolean",
  },
  body = function(fields)
    return {
      start_date = fields.start_date,
      end_date = fields.end_date,
      user_id = fields.user_id,
      external_id = fields.external_id,
      options = { details = fields.details or false },
    }
  end,
}

--- A user.
-- @table User
-- @tfield string user_id
-- @tfield ?string external_id your id of the worker
-- @tfield ?string widget_id

--- The accounts of a user.
-- @table UserAccounts
-- @tfield string user_id
-- @tfield {Account,...} accounts see @{palenca.client.resources.accounts}

--- What all accounts of a user earned.
-- @table AggregatedEarnings
-- @tfield integer platforms_count
-- @tfield {AggregatedPlatform,...} platforms
-- @tfield {AggregatedDay,...} earnings a day each

--- An account, in @{AggregatedEarnings}.
-- @table AggregatedPlatform
-- @tfield string platform
-- @tfield string account_id
-- @tfield ?string last_successful_connection a day

--- A day, in @{AggregatedEarnings}.
-- @table AggregatedDay
-- @tfield string earning_date YYYY-MM-DD
-- @tfield number amount
-- @tfield string currency
-- @tfield ?integer count_trips
-- @tfield ?{AggregatedDetail,...} details of each account, with `details` only
-- @tfield ?string currency_note about several currencies

--- What an account earned, in an @{AggregatedDay}.
-- @table AggregatedDetail
-- @tfield string platform
-- @tfield string account_id
-- @tfield number amount
-- @tfield ?integer count_trips

return { users = users }

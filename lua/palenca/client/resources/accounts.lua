--- Accounts: what a worker has connected on one platform, with all that was read from it.
--
-- All functions are methods of `client.accounts`. They return the API's `data` and a meta table, or
-- nil and a @{palenca.errors.Error}; a wrong argument raises before anything is sent.
-- @module palenca.client.resources.accounts
local request_body = require("palenca.client.resources.request_body")

local accounts = {}

local function of_account(rest, fields)
  return {
    method = "GET", path = "/v1/accounts/{id}" .. rest, id = "uuid", idempotent = true,
    fields = fields,
  }
end

--- Reads an account.
-- @function accounts:get
-- @tparam string id the account's (UUID)
-- @tparam[opt] table fields
-- @tparam ?boolean fields.add_user_id also the `user_id`
-- @tparam ?string fields.language of `message` and `recommendation`, such as "es"
-- @treturn table `account_id`, `country`, `platform`, `identifier`, `worker_id`, `gov_id`,
-- `last_successful_connection`, `warning`, `status`, `status_details`, `message`,
-- `recommendation`, `next_step`, `created_at`
accounts.get = of_account("", { add_user_id = "boolean", language = "language" })
accounts.get.query = { "add_user_id" }

--- Deletes an account with its data.
-- @function accounts:delete
-- @tparam string id the account's (UUID)
-- @treturn table the account that is gone
accounts.delete = { method = "DELETE", path = "/v1/accounts/{id}", id = "uuid", idempotent = true }

--- Reads the user that an account belongs to.
-- @function accounts:user
-- @tparam string id the account's (UUID)
-- @treturn table `user_id`, `external_id`, `widget_id`
accounts.user = of_account("/user")

--- Reassigns an account to another user. Never sent twice: the second time it would be rejected.
-- @function accounts:reassign
-- @tparam string id the account's (UUID)
-- @tparam table fields one of `user_id` and `external_id`
-- @tparam ?string fields.user_id the other user (UUID), or
-- @tparam ?string fields.external_id your id of it
-- @tparam ?boolean fields.smart what the API makes of it is not documented
-- @treturn table `account_id`, `new_user_id`, `old_user_id`, `old_user_deleted`
accounts.reassign = {
  method = "PATCH",
  path = "/v1/accounts/{id}/user",
  id = "uuid",
  fields = { user_id = "uuid", external_id = "string", smart = "boolean" },
  verify = function(fields)
    if (fields.user_id == nil) == (fields.external_id == nil) then
      return "either user_id or external_id must be given"
    end
  end,
  body = function(fields)
    return fields
  end,
}

--- Reads the logins of an account.
-- @function accounts:logins
-- @tparam string id the account's (UUID)
-- @tparam[opt] table fields
-- @tparam ?string fields.language of `message` and `recommendation`, such as "es"
-- @treturn table `logins`, a list; see @{palenca.client.resources.logins}
accounts.logins = of_account("/logins", { language = "language" })

--- Reads the profile. Every field may be nil.
-- @function accounts:profile
-- @tparam string id the account's (UUID)
-- @treturn table `account_id`, `external_id`, `profile`, `ids_info`, `bank_info`, `vehicle_info`,
-- `metrics_info`
accounts.profile = of_account("/profile")

--- Reads the formal employment.
-- @function accounts:employment
-- @tparam string id the account's (UUID)
-- @treturn table `platform`, `account_id`, `external_id`, `employment_info`,
-- `employment_history` (a list)
accounts.employment = of_account("/employment")

--- Reads the loans that are paid out of the wage (Brazil). Their shape is not documented.
-- @function accounts:consignados
-- @tparam string id the account's (UUID)
-- @treturn table
accounts.consignados = of_account("/consignados")

local function search_of(path, rows)
  return {
    method = "POST",
    path = "/v1/accounts/{id}" .. path,
    id = "uuid",
    idempotent = true,
    fields = request_body.period_fields(),
    body = request_body.search,
    search = rows,
  }
end

--- Reads the earnings, one row a day, newest first.
-- @function accounts:earnings
-- @tparam string id the account's (UUID)
-- @tparam table fields
-- @tparam string fields.start_date the first day, YYYY-MM-DD
-- @tparam string fields.end_date the last day
-- @tparam[opt=100] number fields.items_per_page rows a page
-- @treturn palenca.client.pager of `amount` (in units of the currency), `currency`, `earning_date`,
-- `cash_amount`, `count_trips`; every field but the date may be nil
accounts.earnings = search_of("/earnings/search", "earnings")

--- Reads single trips and other events that money was paid for.
-- @function accounts:events
-- @tparam string id the account's (UUID)
-- @tparam table fields
-- @tparam string fields.start_date the first day, YYYY-MM-DD
-- @tparam string fields.end_date the last day
-- @tparam[opt=100] number fields.items_per_page rows a page
-- @treturn palenca.client.pager of `event_id`, `type`, `timezone`, `start_date`, `amount`,
-- `currency`, `duration_sec`, `distance_km`, `start_location`, `end_location`, `payment_method`,
-- `cash_amount`, `additional_timestamps`
accounts.events = search_of("/events/search", "events")

return { accounts = accounts }

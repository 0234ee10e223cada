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
-- @treturn Account
accounts.get = of_account("", { add_user_id = "boolean", language = "language" })
accounts.get.query = { "add_user_id" }

--- Deletes an account with its data.
-- @function accounts:delete
-- @tparam string id the account's (UUID)
-- @treturn Account the one that is gone
accounts.delete = { method = "DELETE", path = "/v1/accounts/{id}", id = "uuid", idempotent = true }

--- Reads the user that an account belongs to.
-- @function accounts:user
-- @tparam string id the account's (UUID)
-- @treturn palenca.client.resources.users.User
accounts.user = of_account("/user")

--- Reassigns an account to another user. Never sent twice: the second time it would be rejected.
-- @function accounts:reassign
-- @tparam string id the account's (UUID)
-- @tparam table fields one of `user_id` and `external_id`
-- @tparam ?string fields.user_id the other user (UUID), or
-- @tparam ?string fields.external_id your id of it
-- @tparam ?boolean fields.smart what the API makes of it is not documented
-- @treturn Reassignment
accounts.reassign = {
  method = "PATCH",
  path = "/v1/accounts/{id}/user",
  id = "uuid",
  fields = { user_id = "uuid", external_id = "string", smart = "boolean" },
  verify = function(fields)
    if (fields.user_id == nil) == (fields.external_id == nil) then
      return "either user_id or external_id must be given, got "
        .. (fields.user_id and "both" or "neither")
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
-- @treturn AccountLogins
accounts.logins = of_account("/logins", { language = "language" })

--- Reads the profile. Every field may be nil.
-- @function accounts:profile
-- @tparam string id the account's (UUID)
-- @treturn Profile
accounts.profile = of_account("/profile")

--- Reads the formal employment.
-- @function accounts:employment
-- @tparam string id the account's (UUID)
-- @treturn Employment
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
-- @treturn palenca.client.pager of @{Earning}
accounts.earnings = search_of("/earnings/search", "earnings")

--- Reads single trips and other events that money was paid for.
-- @function accounts:events
-- @tparam string id the account's (UUID)
-- @tparam table fields
-- @tparam string fields.start_date the first day, YYYY-MM-DD
-- @tparam string fields.end_date the last day
-- @tparam[opt=100] number fields.items_per_page rows a page
-- @treturn palenca.client.pager of @{Trip}
accounts.events = search_of("/events/search", "events")

--- An account. Times are as in `2026-03-01T12:00:00Z`.
-- @table Account
-- @tfield string account_id (UUID)
-- @tfield ?string user_id with `add_user_id` only
-- @tfield ?string country such as `mx`
-- @tfield ?string platform such as `uber`
-- @tfield ?string identifier what was typed at the login
-- @tfield ?string worker_id the platform's id of the worker
-- @tfield ?string gov_id an identity number
-- @tfield ?string last_successful_connection a time
-- @tfield ?string warning such as `rider_account`
-- @tfield ?string status of the last login, such as `success`
-- @tfield ?string status_details why it ended so
-- @tfield ?string message a sentence about it
-- @tfield ?string recommendation what to do
-- @tfield ?string next_step what the login waits for, such as `otp`
-- @tfield ?string created_at a time

--- The ids of the old and the new user.
-- @table Reassignment
-- @tfield string account_id
-- @tfield string new_user_id
-- @tfield string old_user_id
-- @tfield boolean old_user_deleted

--- The logins of an account.
-- @table AccountLogins
-- @tfield {Login,...} logins see @{palenca.client.resources.logins}

--- What a platform has about a worker.
-- @table Profile
-- @tfield string account_id
-- @tfield ?string external_id your id of the worker
-- @tfield ?Person profile
-- @tfield {IdInfo,...} ids_info identity numbers
-- @tfield ?BankInfo bank_info
-- @tfield ?VehicleInfo vehicle_info
-- @tfield ?Metrics metrics_info

--- The worker, in a @{Profile}.
-- @table Person
-- @tfield ?string first_name
-- @tfield ?string last_name
-- @tfield ?string email
-- @tfield ?string birthday YYYY-MM-DD
-- @tfield ?string phone
-- @tfield ?string address
-- @tfield ?string city_name
-- @tfield ?string picture_url a URL
-- @tfield ?string worker_role

--- An identity number, in a @{Profile}.
-- @table IdInfo
-- @tfield ?string type such as `national`
-- @tfield ?string name such as `CURP`
-- @tfield ?string value the number

--- A bank account, in a @{Profile}.
-- @table BankInfo
-- @tfield ?string account_number
-- @tfield ?string holder_name
-- @tfield ?string holder_address
-- @tfield ?string bank_name
-- @tfield ?string bank_code

--- A vehicle, in a @{Profile}.
-- @table VehicleInfo
-- @tfield ?string type
-- @tfield ?string brand
-- @tfield ?string model
-- @tfield ?integer year
-- @tfield ?string license_plate
-- @tfield ?string vin

--- How the worker does on the platform, in a @{Profile}.
-- @table Metrics
-- @tfield ?number acceptance_rate
-- @tfield ?number cancellation_rate
-- @tfield ?integer thumps_up so spelled
-- @tfield ?number rating
-- @tfield ?integer lifetime_trips
-- @tfield ?number time_since_first_trip
-- @tfield ?string level_name
-- @tfield ?number debt_pending
-- @tfield ?number debt_paid
-- @tfield ?string activation_status

--- A formal employment.
-- @table Employment
-- @tfield string platform
-- @tfield string account_id
-- @tfield ?string external_id
-- @tfield ?EmploymentInfo employment_info
-- @tfield ?{Job,...} employment_history the newest first

--- What an institution says of it, in an @{Employment}.
-- @table EmploymentInfo
-- @tfield ?string id_type
-- @tfield ?integer quoted_weeks
-- @tfield ?integer discounted_weeks
-- @tfield ?integer reintegrated_weeks
-- @tfield ?string end_of_rights
-- @tfield ?string status
-- @tfield ?{EmploymentFile,...} employment_files
-- @tfield ?string employment_history_status

--- A document, in @{EmploymentInfo}.
-- @table EmploymentFile
-- @tfield ?string url
-- @tfield ?string file_type
-- @tfield ?string account_id

--- A job, in an @{Employment}.
-- @table Job
-- @tfield ?string employer
-- @tfield ?string employer_registration
-- @tfield string start_date a day or a time
-- @tfield ?string end_date likewise; nil if it goes on
-- @tfield ?string job_title
-- @tfield ?string job_title_code
-- @tfield ?string federal_entity

--- A row of earnings: a day.
-- @table Earning
-- @tfield ?number amount in units of the currency, may be negative; nil if it is not known
-- @tfield ?string currency such as `mxn`
-- @tfield string earning_date the day, YYYY-MM-DD
-- @tfield ?number cash_amount how much of it was paid in cash
-- @tfield ?integer count_trips trips of that day

--- A trip, or another event that money was paid for.
-- @table Trip
-- @tfield ?string event_id
-- @tfield ?string type `delivery`, `ride`, `bonus`, `adjustment` or `debt`
-- @tfield ?string timezone
-- @tfield ?string start_date a time
-- @tfield ?number amount
-- @tfield ?string currency
-- @tfield ?integer duration_sec
-- @tfield ?number distance_km
-- @tfield ?string start_location
-- @tfield ?string end_location
-- @tfield ?string payment_method `cash`, `card` or `online_bank`
-- @tfield ?number cash_amount
-- @tfield ?{table,...} additional_timestamps

return { accounts = accounts }

---@meta palenca.testing
-- Made by spec/support/annotations of the reference.

---@class palenca.Test
local Test = {}

---@class palenca.Test.worker.fields
---@field account_id string? the account's id (UUID)
---@field user_id string? the user's id; several accounts of one worker have the same
---@field external_id string? your id of the worker
---@field platform string? the platform
---@field country string? the country
---@field currency string? of the rows; default: that of the country
---@field status string? of the login
---@field status_details string? why it ended so
---@field warning string? such as `rider_account`
---@field days number? so many rows of earnings, the last one of yesterday
---@field amount any? of each row; or a function that is called with a day and how many days ago it is, and returns an amount, or nil for a day without a row
---@field rows table? all rows instead: `earning_date`, `amount` (nil: not known), `currency`, `cash_amount`, `count_trips`
---@field trips table? what `accounts:events` returns
---@field profile table? what of the profile is another
---@field employment table? what of the employment is another
---@field changes number? how often the history changes while it is read: it loses its newest row before a page after the first. Three times are enough for an incomplete report

--- Adds a worker who has connected an account.
---@param fields? palenca.Test.worker.fields an unknown one is an error
---@return table
function Test:worker(fields) end

---@class palenca.Test.respond.fields
---@field path string such as `/v1/platforms`; with `*` at its end: any that begin so
---@field method string? default: any
---@field data any what the response holds as `data`
---@field pagination table? of a search
---@field status number? the HTTP status
---@field headers table? name → value
---@field body string? instead of the data: all of the body
---@field kind string? instead of a response: `network`, `timeout` or `protocol`
---@field message string? with `kind`: the error's
---@field delay number? seconds until it comes
---@field times number? how often; default: always
---@field optional boolean? whether no request need meet it, as of one set before each test

--- Sets the response to a request to the API.
---@param fields palenca.Test.respond.fields
function Test:respond(fields) end

---@class palenca.Test.fault.fields
---@field path string? which; with `*` at its end: any that begin so; default: all
---@field method string? which; default: any
---@field status number? the HTTP status
---@field code string? the API's, such as `platform_unavailable`; default: one of the status
---@field message string? the error's
---@field retry_after number? seconds
---@field headers table? name → value
---@field body string? instead: all of the body
---@field kind string? instead of a response: `network`, `timeout` or `protocol`
---@field delay number? seconds until it comes
---@field times number? how often; default: always
---@field optional boolean? whether no request need meet it, as of one set before each test

--- Has requests to the API fail.
---@param fields? palenca.Test.fault.fields
function Test:fault(fields) end

--- Takes what `Session:fault` has set away.
function Test:heal() end

---@class palenca.Test.http.fields
---@field url string all of it; with `*` at its end: any that begin so
---@field method string? default: any
---@field status number? the HTTP status
---@field headers table? name → value
---@field body string?
---@field json any the body, sent as JSON
---@field kind string? instead of a response: `network`, `timeout` or `protocol`
---@field message string? with `kind`: the error's
---@field delay number? seconds until it comes
---@field times number? how often; default: always
---@field optional boolean? whether no request need meet it, as of one set before each test

--- Sets the response to a request of `palenca.http`. One without a response fails the test.
---@param fields palenca.Test.http.fields
function Test:http(fields) end

--- The time of the test, in Unix seconds. It goes on only while the script waits.
---@return number
function Test:now() end

--- Lets time pass.
---@param seconds number from 0
function Test:advance(seconds) end

--- Loads a script, which registers its handlers and timers. What stands beside it can be required by it.
---@param path string the file
---@param ... any its arguments
---@return table
function Test:load(path, ...) end

--- Runs a script, as `palenca run` does.
---@param path string the file
---@param ... any its arguments
---@return table
function Test:run(path, ...) end

--- Runs the script's handlers with an event, as `palenca serve` does.
---@param action string such as `login.success`
---@param subject? table a worker of `Session:worker`, or fields of the event: `account_id`, `user_id`, `external_id`, `platform`, `status_details`, `webhook_id`
---@param more? table these fields again, which have priority; and `id`, `attempt`, `replay`, `received_at` (Unix seconds), `body` (all of the webhook's body), `traceparent`, `request_id`
---@return table
function Test:event(action, subject, more) end

--- Runs the script's functions of `palenca.on_dead`, as `palenca serve` does when an event becomes a dead letter. Raises if the script has none.
---@param action string such as `login.success`
---@param subject? table as for `Session:event`
---@param more? table as for `Session:event`, where `attempt` is how often it was tried (default: 8); and `error` (what a handler has raised, such as a run's `error`, or a text) and `call` (default: 1), of which the function's second argument is made
---@return table
function Test:dead(action, subject, more) end

--- Runs a timer of the script once.
---@param name string as it was registered, or such as `every 60 s`
---@return table
function Test:timer(name) end

--- Calls a function as a part of the script, at the time and with the environment of the test.
---@param body function
---@param ... any its arguments
---@return table
function Test:call(body, ...) end

--- Ends the test: the module is as it was before. Raises if something that is not there was read, even if the script has caught that; and if no request has met a fault or a response of the test.
function Test:stop() end

--- Tests a script of your own without a network, in milliseconds: a stand-in of the API and of your own systems, and events for the script's handlers.
local testing = {}

---@class palenca.testing.start.options
---@field time any? when it begins: a text, or Unix seconds
---@field env table? variables of the environment, name → text; those of the machine that begin with `PALENCA_` are not seen
---@field sandbox any? true, or a table of options (`accounts`, `seed`, `history`, `rate_limit`): the API is the sandbox, in the same process

--- Starts a test. There is one at a time; `test:stop()` ends it.
---@param options? palenca.testing.start.options an unknown one is an error
---@return palenca.Test
function testing.start(options) end

---@class palenca.testing.sandbox.options
---@field program string? the program's file
---@field api_key string? default: one is generated
---@field seed number? of ids, names and earnings
---@field accounts number? workers who have connected an account already
---@field history number? days of earnings that a login recovers
---@field webhook_delay number? seconds from a login to its webhooks
---@field rate_limit number? requests a minute; 0: no limit

--- Starts the program's sandbox, which a client reaches over a socket.
---@param options? palenca.testing.sandbox.options an unknown one is an error
---@return table
function testing.sandbox(options) end

return testing

---@meta palenca
-- Made by spec/support/annotations of the reference.

---@class palenca.Pager
local Pager = {}

--- One page.
---@param n number the page, from 1
---@return table[]?
---@return palenca.Meta|palenca.Error
function Pager:page(n) end

--- The next row: nil at the end; nil and the error after a failure. The rows returned so far are the complete history only once it has returned nil without an error.
---@return table?
---@return palenca.Error?
function Pager:next() end

--- Ends the read: requests in flight are aborted, and there are no more rows. For a loop that is left early; from Lua 5.4 on the requests are aborted automatically.
function Pager:stop() end

--- Iterates over all rows, newest first; raises the error if one cannot be read or if the history changes meanwhile. A loop that was left early can be continued.
---@return function
function Pager:each() end

--- All rows. If they change while being read, they are read again, up to three times.
---@return table[]?
---@return palenca.Report|palenca.Error
function Pager:all() end

---@class palenca.Pager.Earning : palenca.Pager
---@field all fun(self): palenca.Earning[]?, palenca.Report|palenca.Error
---@field each fun(self): fun(): palenca.Earning
---@field next fun(self): palenca.Earning?, palenca.Error?
---@field page fun(self, n: integer): palenca.Earning[]?, palenca.Meta|palenca.Error

---@class palenca.Pager.Login : palenca.Pager
---@field all fun(self): palenca.Login[]?, palenca.Report|palenca.Error
---@field each fun(self): fun(): palenca.Login
---@field next fun(self): palenca.Login?, palenca.Error?
---@field page fun(self, n: integer): palenca.Login[]?, palenca.Meta|palenca.Error

---@class palenca.Pager.Trip : palenca.Pager
---@field all fun(self): palenca.Trip[]?, palenca.Report|palenca.Error
---@field each fun(self): fun(): palenca.Trip
---@field next fun(self): palenca.Trip?, palenca.Error?
---@field page fun(self, n: integer): palenca.Trip[]?, palenca.Meta|palenca.Error

---@class palenca.Pager.User : palenca.Pager
---@field all fun(self): palenca.User[]?, palenca.Report|palenca.Error
---@field each fun(self): fun(): palenca.User
---@field next fun(self): palenca.User?, palenca.Error?
---@field page fun(self, n: integer): palenca.User[]?, palenca.Meta|palenca.Error

---@class palenca.Client : palenca.new.options
---@field accounts palenca.Client.accounts
---@field consents palenca.Client.consents
---@field countries palenca.Client.countries
---@field logins palenca.Client.logins
---@field platforms palenca.Client.platforms
---@field users palenca.Client.users
---@field webhooks palenca.Client.webhooks
---@field widgets palenca.Client.widgets
local Client = {}

--- Any other endpoint. A POST or PATCH is never repeated once it may have reached the server.
---@param name string the method, such as `GET`
---@param path string from the slash on, escaped, with its query
---@param body? table sent as JSON
---@return any
---@return palenca.Meta|palenca.Error
function Client:request(name, path, body) end

---@class palenca.Client.accounts
local accounts = {}

---@class palenca.accounts.get.fields
---@field add_user_id boolean? also the `user_id`
---@field language string? of `message` and `recommendation`, such as "es"

--- Reads an account.
---@param id string the account's (UUID)
---@param fields? palenca.accounts.get.fields
---@return palenca.Account?
---@return palenca.Meta|palenca.Error
function accounts:get(id, fields) end

--- Deletes an account with its data.
---@param id string the account's (UUID)
---@return palenca.Account?
---@return palenca.Meta|palenca.Error
function accounts:delete(id) end

--- Reads the user that an account belongs to.
---@param id string the account's (UUID)
---@return palenca.User?
---@return palenca.Meta|palenca.Error
function accounts:user(id) end

---@class palenca.accounts.reassign.fields
---@field user_id string? the other user (UUID), or
---@field external_id string? your id of it
---@field smart boolean? what the API makes of it is not documented

--- Reassigns an account to another user. Never sent twice: the second time it would be rejected.
---@param id string the account's (UUID)
---@param fields palenca.accounts.reassign.fields one of `user_id` and `external_id`
---@return palenca.Reassignment?
---@return palenca.Meta|palenca.Error
function accounts:reassign(id, fields) end

---@class palenca.accounts.logins.fields
---@field language string? of `message` and `recommendation`, such as "es"

--- Reads the logins of an account.
---@param id string the account's (UUID)
---@param fields? palenca.accounts.logins.fields
---@return palenca.AccountLogins?
---@return palenca.Meta|palenca.Error
function accounts:logins(id, fields) end

--- Reads the profile. Every field may be nil.
---@param id string the account's (UUID)
---@return palenca.Profile?
---@return palenca.Meta|palenca.Error
function accounts:profile(id) end

--- Reads the formal employment.
---@param id string the account's (UUID)
---@return palenca.Employment?
---@return palenca.Meta|palenca.Error
function accounts:employment(id) end

--- Reads the loans that are paid out of the wage (Brazil). Their shape is not documented.
---@param id string the account's (UUID)
---@return table?
---@return palenca.Meta|palenca.Error
function accounts:consignados(id) end

---@class palenca.accounts.earnings.fields
---@field start_date string the first day, YYYY-MM-DD
---@field end_date string the last day
---@field items_per_page number? rows a page

--- Reads the earnings, one row a day, newest first.
---@param id string the account's (UUID)
---@param fields palenca.accounts.earnings.fields
---@return palenca.Pager.Earning
function accounts:earnings(id, fields) end

---@class palenca.accounts.events.fields
---@field start_date string the first day, YYYY-MM-DD
---@field end_date string the last day
---@field items_per_page number? rows a page

--- Reads single trips and other events that money was paid for.
---@param id string the account's (UUID)
---@param fields palenca.accounts.events.fields
---@return palenca.Pager.Trip
function accounts:events(id, fields) end

---@class palenca.Client.consents
local consents = {}

--- Reads the consents that a worker granted. Their shape is not documented.
---@param gov_id string the worker's identity number
---@return table?
---@return palenca.Meta|palenca.Error
function consents:get(gov_id) end

---@class palenca.consents.search.fields
---@field items_per_page number? rows a page

--- Reads all consents. Their shape is not documented, and the API does not count them, so that the pager's report is never complete.
---@param fields? palenca.consents.search.fields
---@return palenca.Pager
function consents:search(fields) end

---@class palenca.Client.countries
local countries = {}

---@class palenca.countries.list.fields
---@field only_active boolean? leave out those that cannot be used now

--- Reads the countries.
---@param fields? palenca.countries.list.fields
---@return palenca.Country[]?
---@return palenca.Meta|palenca.Error
function countries:list(fields) end

---@class palenca.Client.logins
local logins = {}

---@class palenca.logins.get.fields
---@field language string? of `message` and `recommendation`, such as "es"

--- Reads a login.
---@param id string the login's (UUID)
---@param fields? palenca.logins.get.fields
---@return palenca.Login?
---@return palenca.Meta|palenca.Error
function logins:get(id, fields) end

---@class palenca.logins.search.fields
---@field start_date string the first day, YYYY-MM-DD
---@field end_date string the last day
---@field items_per_page number? rows a page

--- Finds logins by the day they began on. The API does not count them, so that the pager's report is never complete.
---@param fields palenca.logins.search.fields
---@return palenca.Pager.Login
function logins:search(fields) end

---@class palenca.Client.platforms
local platforms = {}

--- Reads the platforms that workers can connect.
---@return palenca.Platform[]?
---@return palenca.Meta|palenca.Error
function platforms:list() end

---@class palenca.Client.users
local users = {}

---@class palenca.users.create.fields
---@field external_id string? your id of the worker
---@field user_id string? an id to use instead of a new one
---@field widget_id string? the widget (UUID)
---@field connect_flow_id string? another name of `widget_id`

--- Creates a user. Never sent twice, so after a network failure it may or may not exist.
---@param fields? palenca.users.create.fields
---@return palenca.User?
---@return palenca.Meta|palenca.Error
function users:create(fields) end

--- Reads a user.
---@param id string the user's
---@return palenca.User?
---@return palenca.Meta|palenca.Error
function users:get(id) end

--- Deletes a user with all of its accounts.
---@param id string the user's
---@return palenca.User?
---@return palenca.Meta|palenca.Error
function users:delete(id) end

--- Reads the accounts of a user.
---@param id string the user's
---@return palenca.UserAccounts?
---@return palenca.Meta|palenca.Error
function users:accounts(id) end

---@class palenca.users.search.fields
---@field start_date string the first day, YYYY-MM-DD
---@field end_date string the last day
---@field external_id string? only this one
---@field items_per_page number? rows a page

--- Finds users by the day they were created on. The API does not count them, so that the pager's report is never complete.
---@param fields palenca.users.search.fields
---@return palenca.Pager.User
function users:search(fields) end

---@class palenca.users.earnings.fields
---@field start_date string the first day, YYYY-MM-DD
---@field end_date string the last day
---@field user_id string? the user (UUID), or
---@field external_id string? your id of the worker
---@field details boolean? also what each account earned

--- Adds up what all accounts of a user earned, day by day.
---@param fields palenca.users.earnings.fields
---@return palenca.AggregatedEarnings?
---@return palenca.Meta|palenca.Error
function users:aggregated_earnings(fields) end

---@class palenca.Client.webhooks
local webhooks = {}

---@class palenca.webhooks.create.fields
---@field url string where events are sent
---@field name string what it is called
---@field is_sandbox boolean whether it is of the sandbox
---@field widget_id string? the widget (UUID) whose logins it hears of
---@field connect_flow_id string? another name of `widget_id`
---@field sign_request boolean? sign what is sent
---@field events string[]? such as `{"login.success"}`; `{"*"}` for all

--- Creates a webhook. Never sent twice, so after a network failure it may or may not exist.
---@param fields palenca.webhooks.create.fields
---@return palenca.Webhook?
---@return palenca.Meta|palenca.Error
function webhooks:create(fields) end

--- Reads all webhooks.
---@return palenca.Webhooks?
---@return palenca.Meta|palenca.Error
function webhooks:list() end

--- Reads a webhook.
---@param id string the webhook's (UUID)
---@return palenca.Webhook?
---@return palenca.Meta|palenca.Error
function webhooks:get(id) end

---@class palenca.webhooks.update.fields
---@field url string? where events are sent
---@field name string? what it is called
---@field is_sandbox boolean? whether it is of the sandbox
---@field is_active boolean? whether events are sent
---@field widget_id string? the widget (UUID) whose logins it hears of
---@field connect_flow_id string? another name of `widget_id`
---@field sign_request boolean? sign what is sent
---@field events string[]? such as `{"login.success"}`; `{"*"}` for all

--- Changes a webhook; what is not given stays.
---@param id string the webhook's (UUID)
---@param fields palenca.webhooks.update.fields those to change
---@return palenca.Webhook?
---@return palenca.Meta|palenca.Error
function webhooks:update(id, fields) end

--- Deletes a webhook.
---@param id string the webhook's (UUID)
---@return palenca.Webhook?
---@return palenca.Meta|palenca.Error
function webhooks:delete(id) end

---@class palenca.Client.widgets
local widgets = {}

--- Reads a widget's settings.
---@param id string the widget's (UUID)
---@return palenca.Widget?
---@return palenca.Meta|palenca.Error
function widgets:get(id) end

--- Verified income of gig workers: a client for the Palenca API.
local palenca = {}

--- The version, as in "0.1.0".
palenca.version = ""

---@class palenca.new.options
---@field api_key string? default `$PALENCA_API_KEY`
---@field environment string? `sandbox` or `production`; default `$PALENCA_ENVIRONMENT`, else `sandbox`
---@field base_url string? instead of an environment, with or without `/v1` at its end; default `$PALENCA_BASE_URL`
---@field allow_http boolean? accept plain http beyond this machine
---@field timeout number? seconds for one attempt, connecting and TLS handshake included; default `$PALENCA_TIMEOUT`, else 30
---@field deadline number? seconds for all attempts of a call and the waits between them, the one for the rate limit included; default `$PALENCA_DEADLINE`, else none
---@field max_retries number? how often a failed request is repeated if it is idempotent; default `$PALENCA_MAX_RETRIES`, else 3
---@field rate_limit number? requests a minute, over all clients of the key in the process; default `$PALENCA_RATE_LIMIT`, else 120 as the API documents; 0 for no limit
---@field pages_in_flight number? of one search, pages in flight, 1 to 100; default `$PALENCA_PAGES_IN_FLIGHT`, else by the connection: over HTTP/2 as many as the rest of the limit permits, at most 64; over HTTP/1.1 8, and up to 16 while responses do not slow down
---@field max_response number? bytes that a response may have, decompressed; default `$PALENCA_MAX_RESPONSE`, else 16 MiB
---@field min_tls string? `"1.3"`, which the API has, or `"1.2"`; default `$PALENCA_MIN_TLS`
---@field ca_file string? certificates to trust instead of the system's; default `$PALENCA_CA_FILE`
---@field proxy string? a proxy's URL, `""` for none; default `$PALENCA_PROXY`, else what curl takes from the environment, such as `$https_proxy`
---@field on_attempt (fun(attempt: palenca.Attempt))? called after each attempt of a call with an `Attempt`. It must not wait; an error that it raises is logged and ignored

--- Makes a client.
---@param options? palenca.new.options an unknown one is an error
---@return palenca.Client
function palenca.new(options) end

---@class palenca.on.options
---@field concurrency number? how many events that the action fits may run at once, over all workers of the program; those of other actions are not limited. Of several for the same action the minimum applies
---@field max_attempts number? attempts before an event becomes a dead letter
---@field timeout number? seconds that the handler may take, its waits included
---@field retry_wait number? seconds until the second attempt after a failure of this handler; each further wait is four times as long, up to an hour

--- Registers a handler.
---@param action string an event's name, such as `login.success`; a family, such as `login.*`; or `*` for all
---@param options? palenca.on.options for `palenca serve`; inside nginx the sender decides when an event is sent again. An unknown one is an error; the defaults are the program's options (`palenca serve --help`)
---@param handler fun(event: palenca.Event) called with an `Event`; after an error in it the event runs again
---@overload fun(action: string, handler: fun(event: palenca.Event))
function palenca.on(action, options, handler) end

--- Registers a function for dead letters.
---@param fn function called with the `Event`, as its handlers had it in the last attempt, and a `Failure`
function palenca.on_dead(fn) end

---@class palenca.every.options
---@field name string? default: `every 60 s`, with a number if there are several; set a name if a later change of the interval must not restart it
---@field timeout number? seconds that it may take, its waits included; default: as for handlers

--- Runs a function at an interval, in `palenca serve` and `palenca dev`; anywhere else this raises an error.
---@param interval number seconds, from 0.1 to 366 days
---@param options? palenca.every.options an unknown one is an error
---@param body fun() called without arguments
---@overload fun(interval: number, body: fun())
function palenca.every(interval, options, body) end

--- Waits.
---@param seconds number how long
function palenca.sleep(seconds) end

--- Runs functions side by side: while one waits, in calls of the API, `palenca.http` or `palenca.sleep`, the others go on.
---@param ... function called without arguments
---@return any
function palenca.gather(...) end

--- Who must act on a login's outcome, and what to say to the worker; see `palenca.advice`.
palenca.advice = {}

--- The advice for the outcome of a login.
---@param code? string a login's or an event's `status_details`
---@return palenca.Advice
function palenca.advice.of_login(code) end

--- The advice for a call that failed.
---@param code? string the API's
---@param kind string that of the error
---@return palenca.Advice
function palenca.advice.of_call(code, kind) end

---@class palenca.http.options
---@field url string http or https; a user name and a password in it must be percent-encoded
---@field method string? default `GET`, or `POST` with a body
---@field headers table? name → value, a string or number, or a list of them that are sent one by one. `Host` and those that frame the request, such as `Content-Length`, `Transfer-Encoding` and `Connection`, are made from it: passing one raises, as does passing one twice, in different case
---@field body string? sent as it is
---@field json any? sent as JSON instead, the same bytes for the same value
---@field timeout number? seconds for one attempt, connecting and TLS handshake included; default 30
---@field max_retries number? default 0; a POST or PATCH is repeated only if it cannot have reached the server
---@field ca_file string? certificates to trust instead of the system's; default `$PALENCA_CA_FILE`. If it cannot be read, the error's kind is `network` and it names the file
---@field proxy string? a proxy's URL, `""` for none; default: what curl takes from the environment, such as `$https_proxy`, and none for this machine
---@field min_tls string? `"1.2"` (the default) or `"1.3"`

--- Sends a request.
---@param options palenca.http.options
---@return palenca.HttpResponse?
---@return palenca.Error?
function palenca.http(options) end

--- Records decisions so that they can be proved; see `palenca.decision`.
palenca.decision = {}

---@class palenca.decision.record.options
---@field stream table what `palenca.income.analyze` got: rows, or a merged stream. As JSON it may take 1 MiB
---@field income palenca.Income what it returned
---@field verdict palenca.Verdict what `palenca.income.decide` returned for that income

--- Records a decision in the ledger, when the event of this handler ends well: if the handler fails after it, nothing is recorded.
---@param event palenca.Event the one that the handler was called with
---@param given palenca.decision.record.options
function palenca.decision.record(event, given) end

--- Computes a recorded decision again, from its rows.
---@param entry table what `palenca decisions show --raw --json` writes, decoded by `palenca.json.decode`
---@return string
---@return table[]
function palenca.decision.replay(entry) end

--- Computes an income from earnings; see `palenca.income`.
palenca.income = {}

--- Writes minor units as exact decimal text.
---@param minor integer minor units, between -(2^53 - 1) and 2^53 - 1
---@param currency? string ISO 4217 code in either case; two decimals if absent or unknown
---@return string
function palenca.income.format(minor, currency) end

--- Joins the accounts of one person into a stream for `analyze`.
---@param accounts palenca.AccountRows[]
---@return table
function palenca.income.merge(accounts) end

---@class palenca.income.analyze.options
---@field as_of string the last day that counts, `YYYY-MM-DD`: one that is over, by the calendar of the worker's country
---@field start_date string? the first day that counts
---@field report palenca.Report? the report that `pager:all()` returned with the rows. A merged stream has its own
---@field allow_incomplete boolean? compute `qualifying_income` of an incomplete history, too. It stays among the problems, and there is no decision on it

--- Computes an income from rows.
---@param stream table the API's rows, `{amount=, currency=, earning_date=, cash_amount=}` each, in any order; or a result of `merge`. Not changed
---@param options palenca.income.analyze.options
---@return palenca.Income
function palenca.income.analyze(stream, options) end

---@class palenca.income.decide.options
---@field installment string|number what is to be paid. Text of more decimals than the currency has, such as `"900.000"`, is an error: it may be meant as thousands
---@field obligations string|number? what is owed already
---@field currency string? of both, such as `"mxn"`; without it they count as amounts in whatever currency the income has

--- Decides on an income by a rule.
---@param income palenca.Income a result of `analyze`, also one that was JSON meanwhile
---@param rule palenca.Rule
---@param request palenca.income.decide.options a month's, as decimal text (`"3000.00"`) or whole numbers (3000)
---@return palenca.Verdict
function palenca.income.decide(income, rule, request) end

--- Explains a verdict in words. Figures have a point for decimals in every language.
---@param verdict palenca.Verdict a result of `decide`, also one that was JSON meanwhile
---@param language string `"es"`, `"pt"` or `"en"`
---@return palenca.Explanation
function palenca.income.explain(verdict, language) end

--- Reads a rule from a file: Lua text that returns a table, such as `return { version = "2026-11", max_gap = 28 }`. Nothing of Lua is within its reach.
---@param path string the file's
---@return palenca.Rule
function palenca.income.load_rule(path) end

--- Writes an income as text for people: its figures with a word on each, its problems, its weeks, months and platforms with their ranges.
---@param given palenca.Income a result of `analyze`
---@param language? string `"es"`, `"pt"` or `"en"`
---@return string
function palenca.income.table(given, language) end

--- Reads and writes JSON, and marks lists as such; see `palenca.json`.
palenca.json = {}

--- Decodes a JSON text. An integer beyond 2^53 (either way) is text of the same digits, as is a number that is too large for any (`1e400`). An empty list is written as one again.
---@param text string the JSON text; half of a surrogate pair in it counts as U+FFFD
---@return any
---@return string?
function palenca.json.decode(text) end

--- As `decode`, but half of a surrogate pair is no JSON.
---@param text string the JSON text
---@return any
---@return string?
function palenca.json.decode_strictly(text) end

--- As `decode_strictly`, but numbers that lose digits by it are numbers all the same.
---@param text string the JSON text
---@return any
---@return string?
function palenca.json.decode_rounded(text) end

--- Encodes a value as JSON text, with the names of an object in the order of their bytes: what has the same fields has the same text. Raises on what JSON cannot say: functions, NaN, a table within itself. No digit of a number is lost, but a zero has no sign. An empty table is an object, unless it is an `array`, or was decoded from an empty list.
---@param value any a string, number, boolean, table or nil (as null)
---@return string
function palenca.json.encode(value) end

--- Marks a table as a list, which is written as one even if it is empty. If it has holes then, or keys that are no numbers, `encode` raises.
---@param list? table without a metatable, which it gets; default: a new one
---@return table
function palenca.json.array(list) end

--- Whether a table is marked as a list.
---@param value any any value
---@return boolean
function palenca.json.is_array(value) end

--- Encodes a value as the same bytes wherever that is done, on every Lua and under every locale: names sorted by their bytes, no blanks, numbers and strings as in RFC 8785. It raises where `encode` does.
---@param value any a string, number, boolean, table or nil (as null)
---@return string
function palenca.json.canonical(value) end

--- Stands for null inside a table that is encoded.
---@type any
palenca.json.null = nil

--- A script's own log; see `palenca.log`.
palenca.log = {}

--- Sets another writer than standard error, for programs that run scripts.
---@param writer function called with complete lines, and their level
---@return function
function palenca.log.use_writer(writer) end

--- Truncates a text that is too long, with a note of its size.
---@param text string
---@param max? integer bytes; default: those of a line
---@return string
function palenca.log.truncate(text, max) end

--- Encodes an entry as a line of JSON, which begins with the current `time`, the level `info` and the event `message`, unless it has others: all such lines of Lua are made here. Is it too long, its long fields are truncated, with `truncated`, its size in bytes; with too many fields, its truncated text is the `message`.
---@param entry table the fields, which may be changed
---@return string
function palenca.log.encode(entry) end

--- Sets the lowest level that is written.
---@param level string `info`, `warning` or `error`
function palenca.log.use_level(level) end

--- Whether entries of a level are written.
---@param level string
---@return boolean
function palenca.log.is_written(level) end

--- Sets what says on whose behalf code runs.
---@param of? function returns nil, or a table whose `traceparent` and `request_id` are added to entries without them
function palenca.log.use_context(of) end

--- Logs an entry. Nothing is masked: do not log identity numbers and keys.
---@param fields table|string the entry's fields, or its message
function palenca.log.info(fields) end

--- Logs a warning.
---@param fields table|string as for `info`
function palenca.log.warn(fields) end

--- Logs an error.
---@param fields table|string as for `info`
function palenca.log.error(fields) end

--- Reads and signs webhooks; see `palenca.webhook`.
palenca.webhook = {}

---@class palenca.webhook.parse.options
---@field secret string? checks the signature with it
---@field header string? the header that carries the signature
---@field digest string? `sha1`, `sha256` (default), `sha384` or `sha512`
---@field encoding string? `hex` (default) or `base64`
---@field prefix string? in front of the signature, such as `sha256=`

--- Reads a webhook's body, as strictly as `palenca serve`: it is an object in JSON and UTF-8, nested no deeper than 64 levels, with nothing after it; its `webhook_action` and `account_id` have up to 127 bytes.
---@param body string as it was received
---@param headers? table name → value; needed for a signature only
---@param options? palenca.webhook.parse.options
---@return palenca.Event?
---@return palenca.Error?
function palenca.webhook.parse(body, headers, options) end

--- Signs a body, for tests and for those who send webhooks.
---@param body string the body to be sent
---@param secret string the key
---@param options? table as for `parse`; `digest`, `encoding` and `prefix` matter
---@return string
function palenca.webhook.sign(body, secret, options) end

return palenca

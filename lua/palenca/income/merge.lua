--- Streams: the rows of one account, or those of several accounts of one person.
-- @module palenca.income.merge
local fail = require("palenca.income.fail")

local merge = {}

local FIELDS = { rows = true, report = true, account = true, platform = true, warning = true }

local function check_list(place, value, what)
  if type(value) ~= "table" or fail.is_pager(value) then
    fail.value(place, "expected a list of " .. what, value)
  end
  local keys = 0
  for _ in pairs(value) do
    keys = keys + 1
  end
  if keys ~= #value then
    error(("palenca.income: %s: expected a list of %s without holes"):format(place, what), 0)
  end
end

local function check_text(place, value)
  if value ~= nil and (type(value) ~= "string" or value == "") then
    fail.value(place, "expected a text that is not empty", value)
  end
end

local function check_report(place, report)
  if report == nil then
    return
  elseif type(report) ~= "table" then
    fail.value(place, "expected the report of a pager", report)
  elseif type(report.complete) ~= "boolean" then
    fail.value(place .. ".complete", "expected a boolean", report.complete)
  end
  for _, name in ipairs({ "rows", "total_items" }) do
    if report[name] ~= nil and type(report[name]) ~= "number" then
      fail.number(place .. "." .. name, "expected a number of rows", report[name])
    end
  end
end

local function check_account(place, account)
  fail.unless_known(place, account, FIELDS)
  check_list(place .. ".rows", account.rows, "rows")
  check_report(place .. ".report", account.report)
  for _, name in ipairs({ "account", "platform", "warning" }) do
    check_text(place .. "." .. name, account[name])
  end
end

--- Joins the accounts of one person; see @{palenca.income.merge}.
function merge.streams(accounts)
  check_list("accounts", accounts, "accounts")
  local list = {}
  for index, account in ipairs(accounts) do
    check_account(("accounts[%d]"):format(index), account)
    list[index] = {
      rows = account.rows,
      report = account.report,
      account = account.account,
      platform = account.platform,
      warning = account.warning,
    }
  end
  return { accounts = list }
end

--- Reads a stream.
-- @tparam table stream rows, or a result of `streams`
-- @tparam ?table report that of the rows
-- @treturn {table,...} accounts as `streams` takes them, each with `place`, for messages
-- @treturn boolean whether the stream is a merged one
function merge.read(stream, report)
  if type(stream) == "table" and not fail.is_pager(stream) and stream.accounts ~= nil then
    fail.unless_known("stream", stream, { accounts = true })
    if report ~= nil then
      error("palenca.income: options.report: the accounts of a merged stream have their own", 0)
    end
    local accounts = merge.streams(stream.accounts).accounts
    for index, account in ipairs(accounts) do
      account.place = ("accounts[%d].rows"):format(index)
    end
    return accounts, true
  end
  check_list("rows", stream, "rows")
  check_report("options.report", report)
  return { { rows = stream, report = report, place = "rows" } }, false
end

return merge

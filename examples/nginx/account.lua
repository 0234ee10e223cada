-- Answers the income of an account's last twelve months as JSON; account.conf is the nginx.conf.
local json = require "cjson.safe"
local palenca = require "palenca"

local client = palenca.new()

local account = {}

local function answer(status, fields)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.say(json.encode(fields))
end

-- Whose fault it is, in the terms of HTTP.
local statuses = { not_found = 404, invalid = 400, rate_limited = 503, timeout = 504 }

local function refuse(err)
  if err.retry_after then
    ngx.header["Retry-After"] = math.ceil(err.retry_after)
  end
  answer(statuses[err.kind] or 502, { error = err.kind, message = err.message })
end

function account.answer(id)
  if not id:find("^%x+%-%x+%-%x+%-%x+%-%x+$") or #id ~= 36 then
    return answer(400, { error = "invalid", message = "an account's id is a UUID" })
  end
  local now = os.date("*t")
  local first = os.date("%Y-%m-%d", os.time{year = now.year, month = now.month - 12, day = 1})
  local last = os.date("%Y-%m-%d")
  local rows, report = client.accounts:earnings(id, {
    start_date = first,
    end_date = last,
  }):all()
  if not rows then
    return refuse(report)
  end
  local income = palenca.income.summarize(rows, {
    report = report,
    start_date = first,
    end_date = last,
  })
  -- These are missing for a worker paid in several currencies: see income.currencies then.
  answer(200, {
    account_id = id,
    currency = income.currency,
    average_month = income.average_month,
    active_months = income.active_months,
    consistency = income.consistency,
    verifiable = income.verifiable,
    last_date = income.last_date,
  })
end

return account

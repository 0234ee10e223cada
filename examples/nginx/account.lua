-- Responds with the income of an account as JSON; account.conf is the nginx.conf.
local applicant = require "applicant"
local palenca = require "palenca"

-- Whoever asks waits for no longer, also where the API is slow or its rate limit is used up.
local client = palenca.new { deadline = 20 }

local account = {}

local function respond(status, fields)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.say(palenca.json.encode(fields)) -- an empty list is [] in it
end

-- Whose fault it is, in the terms of HTTP.
local statuses = { not_found = 404, invalid = 400, rate_limited = 503, timeout = 504 }

local function reject(err)
  if err.retry_after then
    ngx.header["Retry-After"] = math.ceil(err.retry_after)
  end
  respond(statuses[err.kind] or 502, { error = err.kind, message = err.message })
end

function account.respond(id)
  if not id:find("^%x+%-%x+%-%x+%-%x+%-%x+$") or #id ~= 36 then
    return respond(400, { error = "invalid", message = "an account's id is a UUID" })
  end
  local income, err = applicant.read(client, id, ngx.time())
  if not income then
    return reject(err)
  end
  -- A figure that is not known is missing; income.unknown says why.
  respond(200, {
    account_id = id,
    as_of = income.as_of,
    currency = income.currency,
    monthly_income = income.monthly_income,
    median_week = income.median_week,
    regularity = income.regularity,
    stability = income.stability,
    trend = income.trend,
    problems = income.problems,
  })
end

return account

-- Tells your own system the income of every worker who connects an account.
--
--   NOTIFY_URL=https://example.com/income palenca dev examples/notify.lua
--
-- Without NOTIFY_URL it posts to http://127.0.0.1:9000/income.
local palenca = require "palenca"

local client = palenca.new()
local url = os.getenv("NOTIFY_URL") or "http://127.0.0.1:9000/income"

local function read_income(account_id)
  local now = os.date("*t")
  local first = os.date("%Y-%m-%d", os.time{year = now.year, month = now.month - 12, day = 1})
  local last = os.date("%Y-%m-%d")
  local rows, report = client.accounts:earnings(account_id, {
    start_date = first,
    end_date = last,
  }):all()
  if not rows then
    error(report)
  end
  return palenca.income.summarize(rows, { report = report, start_date = first, end_date = last })
end

palenca.on("login.success", function(event)
  local income = read_income(event.account_id)
  local response, err = palenca.http{
    method = "POST",
    url = url,
    -- An event may run more than once; the key lets the receiver keep only the first.
    headers = { ["Idempotency-Key"] = "palenca-" .. event.id },
    -- These are nil for a worker paid in several currencies: see income.currencies then.
    json = {
      account_id = event.account_id,
      external_id = event.external_id,
      currency = income.currency,
      average_month = income.average_month,
      active_months = income.active_months,
      consistency = income.consistency,
      verifiable = income.verifiable,
      max_installment = income.max_installment,
      last_date = income.last_date,
    },
  }
  -- Raising keeps the event: it is tried again with growing waits.
  if not response then
    error(err)
  elseif response.status < 200 or response.status > 299 then
    error(("%s answered %d"):format(url, response.status))
  end
end)

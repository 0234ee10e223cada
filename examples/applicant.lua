-- What the examples read of a worker who connected an account, and the income that follows from it.
local palenca = require "palenca"

local applicant = {}

local DAY = 24 * 60 * 60

-- Hours that the clocks of Latin America are behind UTC, where they are farthest behind.
local HOURS_BEHIND = 8

-- The day before a time (Unix seconds) by those clocks: the last one that was over everywhere by
-- then. A day that goes on would look like one of little work.
function applicant.last_whole_day(time)
  return os.date("!%Y-%m-%d", math.floor(time) - HOURS_BEHIND * 3600 - DAY)
end

local function two_years_before(date)
  local year, rest = date:match("^(%d+)(.*)$")
  return ("%04d%s"):format(tonumber(year) - 2, (rest:gsub("^%-02%-29$", "-02-28")))
end

-- Reads an account and its earnings, side by side; `time` is when they are wanted, in Unix seconds.
-- Returns the income, and the stream of rows that it was computed from; or nil and the API's error.
function applicant.read(client, account_id, time)
  local as_of = applicant.last_whole_day(time)
  local report
  local account, rows = palenca.gather(function()
    return client.accounts:get(account_id)
  end, function()
    local all
    all, report = client.accounts:earnings(account_id, {
      start_date = two_years_before(as_of),
      end_date = as_of,
    }):all()
    return all, report
  end)
  if not account then
    return nil, rows -- the error of the first that failed
  end
  local stream = palenca.income.merge {
    {
      rows = rows,
      report = report, -- an incomplete one makes the case undecidable
      account = account_id,
      platform = account.platform,
      warning = account.warning, -- so does a rider's account, or one that somebody else owns
    },
  }
  return palenca.income.analyze(stream, { as_of = as_of }), stream
end

return applicant

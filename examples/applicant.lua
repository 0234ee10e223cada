-- What the examples read of a worker who connected an account, and the income that follows from it.
local palenca = require "palenca"

local applicant = {}

local DAY = 24 * 60 * 60

-- Hours that a country's clocks are behind UTC; where it has several zones, those farthest west.
local hours_behind = {
  ar = 3, br = 5, cl = 6, co = 5, cr = 6, ec = 6, mx = 8, pa = 5, pe = 5, uy = 3,
}
local WESTERNMOST = 8

-- The day before a time (Unix seconds) by the calendar of the worker's country, or of all of them:
-- the last one that was over by then. A day that goes on would look like one of little work.
function applicant.last_whole_day(time, country)
  local behind = hours_behind[country] or WESTERNMOST
  return os.date("!%Y-%m-%d", math.floor(time) - behind * 3600 - DAY)
end

local function two_years_before(date)
  local year, rest = date:match("^(%d+)(.*)$")
  return ("%04d%s"):format(tonumber(year) - 2, (rest:gsub("^%-02%-29$", "-02-28")))
end

local function read_earnings(client, account_id, as_of)
  return client.accounts:earnings(account_id, {
    start_date = two_years_before(as_of),
    end_date = as_of,
  }):all()
end

-- Reads an account and its earnings, side by side; `time` is when they are wanted, in Unix seconds.
-- Returns the income, and the stream of rows that it was computed from; or nil and the API's error.
function applicant.read(client, account_id, time)
  local as_of, report = applicant.last_whole_day(time), nil
  local account, rows = palenca.gather(function()
    return client.accounts:get(account_id)
  end, function()
    local all
    all, report = read_earnings(client, account_id, as_of)
    return all, report
  end)
  if not account then
    return nil, rows -- the error of the first that failed
  end
  local own = applicant.last_whole_day(time, account.country)
  if own ~= as_of then -- in the hours in which a day is over there, and not yet farther west
    as_of = own
    rows, report = read_earnings(client, account_id, as_of)
    if not rows then
      return nil, report
    end
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

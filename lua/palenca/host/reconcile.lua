--- Finds logins that succeeded and of which no webhook has come, and queues an event for each.
-- @module palenca.host.reconcile
local date = require("palenca.util.date")
local host = require("palenca.host")
local json = require("palenca.util.json")
local page_reader = require("palenca.client.page_reader")

local reconcile = {}

local ACTION = "login.success"
local DAY = 86400

local function must(value, problem)
  if value == nil then
    error(problem, 0)
  end
  return value
end

-- Unix seconds of a time as the API has it, which is in UTC; nil if it is none.
local function time_of(text)
  if type(text) ~= "string" then
    return nil
  end
  local day, hours, minutes, seconds =
    text:match("^(%d%d%d%d%-%d%d%-%d%d)[T ](%d%d):(%d%d):(%d%d)")
  local number = day and date.parse(day)
  return number and number * DAY + hours * 3600 + minutes * 60 + seconds
end

-- By account, when the last login that succeeded since then began.
local function successes(api, since)
  local now = host.unix_time()
  local rows, report = api.logins:search({
    -- it may have started before; a time to come is one since which none has ended
    start_date = date.text(date.day_of(math.min(since, now) - DAY)),
    end_date = date.text(date.day_of(now + DAY)),
  }):all()
  must(rows, report)
  if not report.complete and report.reason ~= page_reader.NOT_COUNTED then
    error("the list of logins is incomplete: " .. tostring(report.reason), 0)
  end
  local found, count = {}, 0
  for _, login in ipairs(rows) do
    local began = time_of(login.created_at)
    local ended = time_of(login.updated_at) or began
    if login.status == "success" and login.account_id and ended and ended >= since then
      count = count + 1
      local before = found[login.account_id]
      if not before or before.began < began then
        found[login.account_id] = { began = began, platform = login.platform,
          status_details = login.status_details }
      end
    end
  end
  return found, count
end

local function oldest_of(found)
  local oldest = math.huge
  for _, login in pairs(found) do
    oldest = math.min(oldest, login.began)
  end
  return oldest
end

-- Takes those of which a webhook was stored since their login, as an event of the filter; returns
-- the last id that was seen.
local function take_stored(db, found, filter)
  local last = 0
  must(host.events.list(db, { limit = 1 }, function(event)
    last = event.id
  end))
  filter.action = ACTION
  must(host.events.list(db, filter, function(event)
    local login = found[event.account_id]
    if login and event.received_at >= login.began then
      found[event.account_id] = nil
    end
  end))
  return last
end

-- Takes those of which an event may have been deleted since; returns how many. This comes after
-- what is stored was read: what was deleted before is known then.
local function take_uncertain(db, found)
  local purged, count = must(host.missing_events.last_purged(db)), 0
  for account, login in pairs(found) do
    if login.began <= purged then
      found[account] = nil
      count = count + 1
    end
  end
  return count
end

-- Nil of an account that was deleted meanwhile: there is nothing to be done for it.
local function body_of(api, account, login)
  local user, err = api.accounts:user(account)
  if not user and err.kind == "not_found" then
    return nil
  end
  must(user, err)
  local user_id = user.user_id or user.id
  return json.encode({
    webhook_url = "",
    data = {
      user_id = user_id,
      account_id = account,
      external_id = user.external_id,
      platform = login.platform,
      status_details = login.status_details,
      webhook_action = ACTION,
    },
    reconciled = true,
  }), user_id
end

--- Does it. Raises what fails: what was queued before stays so, and is not queued again.
-- @tparam string db the database, which exists
-- @tparam Client api
-- @tparam number since Unix seconds: only logins that ended at or after that
-- @tparam ?function on_progress called with how many accounts have been looked at, and of how many
-- @treturn table `logins`, how many succeeded; `queued`, for how many an event was; `left_out`, of
-- how many it cannot be said any more, since events that were received after they began are deleted
function reconcile.run(db, api, since, on_progress)
  local found, logins = successes(api, since)
  local result = { logins = logins, queued = 0, left_out = 0 }
  if logins == 0 then
    return result
  end
  local last, accounts = take_stored(db, found, { since = oldest_of(found) }), {}
  result.left_out = take_uncertain(db, found)
  for account in pairs(found) do
    accounts[#accounts + 1] = account
  end
  table.sort(accounts, function(one, other)
    return found[one].began < found[other].began
  end)
  -- What has come since is read here, so that a process that serves has little to look at.
  local function queue(account)
    local login = found[account]
    local body, user_id
    if login then
      body, user_id = body_of(api, account, login)
      last = take_stored(db, found, { after = last })
    end
    return body and found[account] and must(host.missing_events.queue(db, { account_id = account,
      user_id = user_id, body = body, began = login.began, after = last }))
  end
  for at, account in ipairs(accounts) do
    result.queued = result.queued + (queue(account) and 1 or 0)
    if on_progress then
      on_progress(at, #accounts)
    end
  end
  return result
end

--- What is said beside the counts.
-- @tparam table result of `run`
-- @treturn string empty if nothing was left out
function reconcile.left_out_text(result)
  return result.left_out == 0 and "" or ("; left out %d that began before the last deleted event "
    .. "was received"):format(result.left_out)
end

--- Since when a service that starts has to look: ten minutes before the last event that it has, as
-- webhooks come late, but at most a day ago; an hour ago if it has none.
-- @tparam string db
-- @treturn number Unix seconds
function reconcile.since(db)
  local now = host.unix_time()
  local since = now - 3600
  must(host.events.list(db, { limit = 1 }, function(event)
    since = math.max(event.received_at - 600, now - DAY)
  end))
  return since
end

return reconcile

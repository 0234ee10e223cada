--- Compares what was sent and acknowledged, what the store says of it, and what the handlers have
-- written.
local hosts = require("spec.machines.parts.hosts")
local load = require("spec.machines.parts.load")
local server = require("spec.machines.parts.server")

local check = {}

local DONE, INTERRUPTED = 0, 3 -- outcomes of attempts

local Problems = {}
Problems.__index = Problems

-- Of each kind all are counted, and the first ones shown.
local SHOWN = 5

function Problems:add(kind, ...)
  local list = self.by_kind[kind]
  if not list then
    list = { count = 0 }
    self.by_kind[kind] = list
    table.insert(self.kinds, kind)
  end
  list.count = list.count + 1
  if list.count <= SHOWN then
    list[list.count] = string.format(...)
  end
end

local function columns(line)
  local list = {}
  for column in (line .. "|"):gmatch("([^|]*)|") do
    list[#list + 1] = column
  end
  return list
end

-- The events that the store has: by "account sequence", and by id.
local function read_events(problems)
  local by_key, by_id = {}, {}
  local rows = server.query([[SELECT id, account_id,
    convert_from(body, 'UTF8')::json #>> '{data,external_id}', state, attempts
    FROM palenca.events LEFT JOIN palenca.bodies USING (id) ORDER BY id]])
  for line in rows:gmatch("[^\n]+") do
    local id, account, sequence, state, attempts = table.unpack(columns(line))
    local event = { id = id, account = account, key = account .. " " .. sequence, state = state,
      attempts = tonumber(attempts), rows = {} }
    if by_key[event.key] then
      problems:add("stored twice", "%s as events %s and %s", event.key, by_key[event.key].id, id)
    end
    by_key[event.key], by_id[id] = event, event
  end
  return by_key, by_id
end

local function read_attempts(problems, by_id)
  local rows = server.query([[SELECT id, attempt, outcome,
    coalesce(substring(lines FROM '[0-9a-f]{8}-[0-9a-f-]+'), '') FROM palenca.attempts]])
  for line in rows:gmatch("[^\n]+") do
    local id, attempt, outcome, run = table.unpack(columns(line))
    local event = by_id[id]
    if event then
      event.rows[tonumber(attempt)] = { outcome = tonumber(outcome), run = run }
    else
      problems:add("attempts of no event", "%s", id)
    end
  end
end

-- What the handlers wrote: by run, and of each event when the first of its runs started. A place is
-- a number of a line.
local function read_runs(problems)
  local runs, first_starts, leases, place = {}, {}, {}, 0
  for line in io.lines(hosts.HANDLED) do
    local what, account, sequence, attempt, at, run =
      line:match("^(%a+) (%S+) (%S+) (%d+) (%S+) %S+ (%S+)$")
    local key = account .. " " .. sequence
    place = place + 1
    if what == "starts" then
      runs[run] = { key = key, attempt = tonumber(attempt), starts = place }
      local lease = ("attempt %d of %s at %s"):format(attempt, key, at)
      local other = leases[lease]
      if other and not other.ends then
        problems:add("beside itself", "%s started twice", lease)
      end
      leases[lease] = runs[run]
      first_starts[key] = first_starts[key] or place
    else
      runs[run].ends = place
    end
  end
  return runs, first_starts
end

local function check_acknowledged(problems, by_key)
  local count = 0
  for key, sent in pairs(load.events) do
    if sent.acknowledged then
      count = count + 1
      if not by_key[key] then
        problems:add("acknowledged and lost", "%s", key)
      end
    end
  end
  return count
end

-- Of the attempts all but the last one were interrupted; the last one is that of a run that has
-- ended. Sets `valid` of the event, and of the run.
local function check_attempts(problems, event, runs)
  if event.state ~= "3" then
    problems:add("not handled", "event %s, %s: state %s", event.id, event.key, event.state)
    return
  end
  for attempt = 1, event.attempts - 1 do
    local row = event.rows[attempt]
    if not row or row.outcome ~= INTERRUPTED then
      problems:add("changed by a finish of an expired lease", "event %s, %s: attempt %d of %d has "
        .. "outcome %s", event.id, event.key, attempt, event.attempts, row and row.outcome)
    end
  end
  local last = event.rows[event.attempts]
  local run = last and last.outcome == DONE and runs[last.run]
  if not run or not run.ends or run.key ~= event.key or run.attempt ~= event.attempts then
    problems:add("changed by a finish of an expired lease",
      "event %s, %s: done, and its last attempt, %d, did not end so: outcome %s of run %s",
      event.id, event.key, event.attempts, last and last.outcome, last and last.run)
    return
  end
  event.valid, run.is_valid = run, true
end

-- One at a time, as the ends say that count; and what was sent after the acknowledgement of another
-- one starts after its end, in each of its runs.
local function check_order(problems, list, first_starts)
  table.sort(list, function(a, b)
    return a.valid.starts < b.valid.starts
  end)
  local soonest -- acknowledged of those that have started later
  for i = #list, 1, -1 do
    local event, before = list[i], list[i - 1]
    local sent = load.events[event.key]
    if soonest and soonest.acknowledged < sent.sent then
      problems:add("out of order", "%s started before %s", event.key, soonest.key)
    end
    if sent.acknowledged and (not soonest or sent.acknowledged < soonest.acknowledged) then
      soonest = { acknowledged = sent.acknowledged, key = event.key }
    end
    if before and before.valid.ends > event.valid.starts then
      problems:add("two at a time", "%s started before the end of %s", event.key, before.key)
    elseif before and load.events[before.key].acknowledged < sent.sent
      and before.valid.ends > first_starts[event.key]
    then
      problems:add("two at a time", "a run of %s started before the end of %s", event.key,
        before.key)
    end
  end
end

local function check_accounts(problems, by_key, first_starts)
  local accounts = {}
  for _, event in pairs(by_key) do
    accounts[event.account] = accounts[event.account] or {}
    if event.valid then
      table.insert(accounts[event.account], event)
    end
  end
  for _, list in pairs(accounts) do
    check_order(problems, list, first_starts)
  end
end

-- Runs that do not count: those that had no end, and those whose end came under an expired lease.
local function count_invalid(by_key, runs)
  local counts = { killed = 0, fenced = 0, late = 0, runs = 0 }
  for _, run in pairs(runs) do
    counts.runs = counts.runs + 1
    if not run.is_valid then
      local event = by_key[run.key]
      counts[run.ends and "fenced" or "killed"] = counts[run.ends and "fenced" or "killed"] + 1
      if event and event.valid and run.starts > event.valid.ends then
        counts.late = counts.late + 1
      end
    end
  end
  return counts
end

--- Checks all; of the store, and once nothing in it waits.
-- @treturn table `kinds` of problems, and `by_kind` their `count` and the first ones
-- @treturn table counts: `stored`, `acknowledged`, `runs`, and of the runs that do not count
-- `killed`, `fenced` (they ended, and it changed nothing) and `late` (of both, what began after the
-- event had ended)
function check.run()
  local problems = setmetatable({ kinds = {}, by_kind = {} }, Problems)
  local by_key, by_id = read_events(problems)
  read_attempts(problems, by_id)
  local runs, first_starts = read_runs(problems)
  local acknowledged = check_acknowledged(problems, by_key)
  local stored = 0
  for _, event in pairs(by_key) do
    stored = stored + 1
    check_attempts(problems, event, runs)
  end
  check_accounts(problems, by_key, first_starts)
  local counts = count_invalid(by_key, runs)
  counts.stored, counts.acknowledged = stored, acknowledged
  return problems, counts
end

return check

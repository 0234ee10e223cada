--- The changes of `palenca events`: running events again, and deleting them.
-- @module palenca.host.cli.events_admin
local byte_size = require("palenca.host.cli.byte_size")
local event_names = require("palenca.host.event_names")
local host = require("palenca.host")
local output = require("palenca.host.cli.output")
local plural = require("palenca.host.cli.plural")
local program_log = require("palenca.host.program_log")
local user_error = require("palenca.host.user_error")

local events_admin = {}

local outcomes = {
  replayed = "event %d runs again",
  not_found = "there is no event %d",
  unfinished = "event %d is not done or dead: it will still run",
}

--- Runs events again; those that cannot run are reported, and do not stop the others.
-- @tparam table given the options: `db, ids, json`
-- @treturn integer the exit status
function events_admin.replay(given)
  local status = 0
  for _, id in ipairs(given.ids) do
    local result, problem = host.events.replay(given.db, id)
    if not result then
      user_error("%s", problem)
    elseif given.json then
      output.json({ id = id, result = result })
    elseif result == "replayed" then
      output.line(outcomes[result]:format(id))
    else
      program_log.problem(outcomes[result]:format(id))
    end
    status = result == "replayed" and status or 1
  end
  return status
end

local function run_again(count)
  return plural.count(count, "event runs again", "events run again")
end

--- Runs all dead events again.
-- @tparam table given the options: `db, action, since, json`
function events_admin.retry_dead(given)
  local count, problem, done =
    host.events.replay_dead(given.db, { action = given.action, since = given.since })
  if not count then
    user_error("%s%s", problem, done > 0 and "; " .. run_again(done) or "")
  end
  local behind = count == 0 and event_names.behind_none(given.action, given.json) or ""
  if given.json then
    output.json({ replayed = count })
  else
    output.line(run_again(count) .. behind)
  end
end

local function describe_purge(given, purged)
  local count = plural.count(purged.events, "event")
  local kept = ""
  if purged.kept > 0 then
    kept = string.format("; kept %d within the deduplication window",
      purged.kept)
  end
  if given.dry_run then
    return string.format("would delete %s, %s%s", count, byte_size.text(purged.bytes), kept)
  end
  local place = host.events.is_server(given.db) and "the tables are" or "the file is"
  return string.format("deleted %s, %s; %s %s now%s", count, byte_size.text(purged.bytes), place,
    byte_size.text(purged.file_size), kept)
end

--- Deletes finished events.
-- @tparam table given the options: `db, older_than, state, dry_run, json`
function events_admin.purge(given)
  local purged, problem, so_far = host.events.purge(given.db, {
    state = given.state,
    before = host.unix_time() - given.older_than * 86400,
    dry_run = given.dry_run,
  })
  if not purged then
    user_error("%s%s", problem, so_far.events > 0
      and ("; %s deleted"):format(plural.count(so_far.events, "event is", "events are")) or "")
  end
  purged.dry_run = given.dry_run or nil
  if given.json then
    output.json(purged)
  else
    output.line(describe_purge(given, purged))
  end
end

return events_admin

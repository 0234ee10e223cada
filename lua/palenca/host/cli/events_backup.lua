--- palenca events backup and restore: a copy of the database, and a database of a copy.
-- @module palenca.host.cli.events_backup
local byte_size = require("palenca.host.cli.byte_size")
local host = require("palenca.host")
local output = require("palenca.host.cli.output")
local plural = require("palenca.host.cli.plural")
local program_log = require("palenca.host.program_log")
local user_error = require("palenca.host.user_error")

local events_backup = {}

-- As if the signal had ended the process.
local SIGNALED = { SIGHUP = 129, SIGINT = 130, SIGTERM = 143 }
-- Seconds between two pictures of the percentage.
local INTERVAL = 0.25

-- Calls `work` with what shows on a terminal how far it is, and ends it at a signal. Returns what
-- `work` does; or nil, a message, and the exit status.
local function watch(given, verb, work)
  local is_shown = not given.json and host.is_terminal("stderr")
  local shown_at, signal = 0, nil
  local function each(copied, pages)
    signal = host.wait_signal(0)
    if signal then
      error({}, 0)
    end
    local now = host.unix_time()
    if is_shown and pages > 0 and now - shown_at >= INTERVAL then
      shown_at = now
      io.stderr:write(("\r%s: %d %%\27[K"):format(verb, copied * 100 // pages))
    end
  end
  local ok, result, problem = pcall(work, each)
  if shown_at > 0 then
    io.stderr:write("\r\27[K")
  end
  if signal then
    return nil, "stopped by " .. signal .. "; nothing is left of it", SIGNALED[signal]
  elseif not ok then
    error(result, 0)
  end
  return result, problem
end

local function fail(problem, status)
  if not status then
    user_error("%s", problem)
  end
  program_log.problem(problem)
  return status
end

local function size_of(path)
  local file <close> = assert(io.open(path))
  return file:seek("end")
end

--- Makes a backup, while the database is served from or not.
-- @tparam table given the options: `db, file, overwrite, json`
-- @treturn ?integer the exit status
function events_backup.backup(given)
  local ok, problem, status = watch(given, "backup", function(each)
    return host.backup.create(given.db, given.file, given.overwrite, each)
  end)
  if not ok then
    return fail(problem, status)
  end
  local size = size_of(given.file)
  if given.json then
    output.json({ file = given.file, file_size = size })
  else
    output.line(("wrote %s, %s"):format(given.file, byte_size.text(size)))
  end
end

--- Makes a database of a backup.
-- @tparam table given the options: `db, file, json`
-- @treturn ?integer the exit status
function events_backup.restore(given)
  local restored, problem, status = watch(given, "restore", function(each)
    return host.backup.restore(given.file, given.db, each)
  end)
  if not restored then
    return fail(problem, status)
  end
  if given.json then
    output.json({ db = given.db, events = restored.events, ids_above = restored.last_id })
  else
    output.line(("restored %s to %s; new events have ids above %d"):format(
      plural.count(restored.events, "event"), given.db, restored.last_id))
  end
end

return events_backup

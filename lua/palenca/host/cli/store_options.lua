--- Declares the options of the event store.
-- @module palenca.host.cli.store_options
local host = require("palenca.host")
local options = require("palenca.host.cli.options")
local user_error = require("palenca.host.user_error")

local store_options = {}

local PASSWORD_SHOWN = "a password on the command line can be read by everybody on this machine: "
  .. "it belongs in a passfile, $PGPASSWORD or $PALENCA_DB"

local NEITHER = "this is neither the name of a file nor a URL that begins with postgresql://"

-- What is meant for a server, mistyped or in the other form of libpq, would become a file's name,
-- with the password that may be in it.
local function file_name(text)
  local lower = text:lower()
  if lower:find("^%a[%w+.-]*://") or lower:find("^postgres%a*:") or lower:find("^host=")
    or lower:find("^dbname=") or lower:find("^service=") or lower:find("^user=") then
    return nil, NEITHER
  end
  return options.file(text)
end

--- The name of a file, or the URL of a database at PostgreSQL.
function store_options.database(text)
  if not host.events.is_server(text) then
    return file_name(text)
  end
  if host.events.shown_name(text) ~= text and options.is_argument(text) then
    return nil, PASSWORD_SHOWN
  end
  return text
end

--- A converter for the name of a file.
-- @tparam string advice for who names a database at a server
function store_options.file_only(advice)
  return function(text)
    if host.events.is_server(text) then
      return nil, "this is for a database in a file; " .. advice
    end
    return file_name(text)
  end
end

--- Adds `--db`.
-- @param command of argparse
-- @tparam[opt] string help
-- @tparam[opt] string advice for who names a database at a server, where the command cannot be used
function store_options.add_db(command, help, advice)
  options.add(command, "--db", {
    help = help or "The database.",
    env = "PALENCA_DB",
    default = "palenca.db",
    convert = advice and store_options.file_only(advice) or store_options.database,
    argname = advice and "FILE" or "FILE|URL",
  })
end

-- Of ENOENT, on all systems.
local NOT_FOUND = 2

--- Raises if there is no file of the database, for commands that make none: the default is a name
-- in the current directory, which may be another one than that of `palenca serve`.
-- @tparam table given the parsed options
function store_options.require_db(given)
  if host.events.is_server(given.db) then
    return
  end
  local file, _, code = io.open(given.db, "rb")
  if file then
    file:close()
  elseif code == NOT_FOUND then
    local directory = given.db:find("^/") and "" or (host.current_directory() or ".") .. "/"
    user_error("cannot open %s%s: No such file or directory; say with --db where the database is",
      directory, given.db)
  end
end

--- Adds the options of commands that store events.
-- @param command of argparse
function store_options.define(command)
  options.add_all(command, {
    { "--redelivery-window", "Deduplication window in seconds; 0 disables it.", 300,
      options.seconds, "SECONDS" },
    { "--retention", "For how many days done events are kept; 0: for ever.", 30, options.days,
      "DAYS" },
    { "--decision-retention", "For how many days recorded decisions are kept; 0: for ever.", 0,
      options.days, "DAYS" },
    { "--recording-limit", "Maximum MiB of an event's recorded responses, before they are "
      .. "compressed; of one with more, none are kept.", 4, options.integer(1, 256, "MiB"), "MIB" },
    { "--recording-retention", "For how many days recorded responses are kept, at most as long as "
      .. "their event; 0: as long.", 30, options.days, "DAYS" },
  })
  command:flag("--record-responses", "Keep the API's responses that handlers read, for 'palenca "
    .. "shadow'.")
end

--- Adds those of who serves with others from one database.
-- @param command of argparse
function store_options.define_shared(command)
  options.add_all(command, {
    { "--lease-timeout", "At PostgreSQL: seconds after which the events of a process that is not "
      .. "heard of any more are run by others.", 15, options.integer(1, 3600), "SECONDS" },
  })
end

--- What is wrong with their combination.
-- @tparam table given the parsed options
-- @treturn ?string
function store_options.problem(given)
  if given.retention > 0 and given.retention * 86400 < given.redelivery_window then
    return string.format("--retention %g (days) is shorter than --redelivery-window %g (seconds): "
      .. "a duplicate of a deleted event would run again", given.retention,
      given.redelivery_window)
  end
end

--- Converts them to the options of `host.store`.
-- @tparam table given the parsed options
-- @treturn table
function store_options.read(given)
  return {
    path = given.db,
    dedup_window = given.redelivery_window,
    retention = given.retention * 86400,
    decision_retention = given.decision_retention * 86400,
    recording_retention = given.recording_retention * 86400,
    lease_timeout = given.lease_timeout,
  }
end

--- The max bytes of an event's recorded responses.
-- @tparam table given the parsed options
-- @treturn ?integer nil: they are not recorded
function store_options.recording_limit(given)
  return given.record_responses and given.recording_limit * 1048576 or nil
end

return store_options

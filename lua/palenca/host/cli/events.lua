--- palenca events: shows what is in the event store, runs it again, deletes it.
-- @module palenca.host.cli.events
local event_names = require("palenca.host.event_names")
local events_admin = require("palenca.host.cli.events_admin")
local events_backup = require("palenca.host.cli.events_backup")
local events_format = require("palenca.host.cli.events_format")
local host = require("palenca.host")
local options = require("palenca.host.cli.options")
local output = require("palenca.host.cli.output")
local store_options = require("palenca.host.cli.store_options")
local terminal = require("palenca.host.cli.terminal")
local time_argument = require("palenca.host.cli.time_argument")
local user_error = require("palenca.host.user_error")

local events = {
  name = "events",
  summary = "Look at the stored events, run them again, delete them, back them up.",
  handles_signals = true,
}

local function add_since(command)
  options.add(command, "--since", {
    help = "Only those received since: 2026-03-01, 2026-03-01T12:30:00Z (UTC), or 90s, 15m, 6h, "
      .. "7d ago.",
    convert = time_argument.parse,
    argname = "TIME",
  })
end

local function add_filters(command)
  options.add(command, "--action", {
    help = "Only those of this name, such as login.success.",
    convert = options.no_typo("action", event_names.list()),
    words = event_names.list(),
    argname = "ACTION",
  })
  add_since(command)
end

local function define_list(command)
  local list = command:command("list", "List events, the newest first.")
  options.add(list, "--state", {
    help = "Only those in this state: " .. options.alternatives(host.events.states) .. ".",
    convert = options.one_of(host.events.states),
    words = host.events.states,
    argname = "STATE",
  })
  add_filters(list)
  options.add(list, "--account", { help = "Only those of this account.", argname = "ID" })
  options.add(list, "--platform", {
    help = "Only those of this platform, such as uber.",
    convert = options.no_typo("platform", event_names.platforms()),
    words = event_names.platforms(),
    argname = "NAME",
  })
  options.add_limit(list)
  list:flag("--follow", "List the newest ten, or --limit, in the order of their arrival, and then "
    .. "each event that arrives, until Ctrl-C.")
  return list
end

local function define_show(command)
  local show = command:command("show", "Show all of an event, its attempts and its body included.")
  show:argument("id", "The event's id."):argname("ID"):convert(options.id)
  show:flag("--raw", "With the identity numbers in action, account, log lines and body, "
    .. "which are masked otherwise.")
  return show
end

local function define_replay(command)
  local replay = command:command("replay", "Run done or dead events again.")
  replay:argument("ids", "The ids of the events."):argname("ID"):args("+"):convert(options.id)
  return replay
end

local function define_retry_dead(command)
  local retry = command:command("retry-dead", "Run all dead events again.")
  add_filters(retry)
  return retry
end

local function define_stats(command)
  local stats = command:command("stats", "Count the events, by state and action.")
  stats:flag("--fail-if-dead", "Exit with status 1 if there is a dead event.")
  return stats
end

local function define_purge(command)
  local purge = command:command("purge", "Delete finished events.")
  options.add(purge, "--older-than", {
    help = "Only those that ended more than N days ago; events whose duplicates may still arrive ("
      .. "see serve --redelivery-window) are kept.",
    default = 30,
    convert = options.days,
    argname = "DAYS",
  })
  options.add(purge, "--state", {
    help = "Those in this state, " .. options.alternatives(host.events.finished_states) .. ".",
    default = "done",
    convert = options.one_of(host.events.finished_states),
    words = host.events.finished_states,
    argname = "STATE",
  })
  purge:flag("--dry-run", "Only print how many would be deleted.")
  return purge
end

local function define_backup(command)
  local backup = command:command("backup", "Copy the database to a file, while it is served from "
    .. "or not.")
  backup:argument("file", "The file to write, readable for its owner alone."):argname("FILE")
    :convert(options.file)
  backup:flag("--overwrite", "Replace the file if it exists.")
  return backup
end

local function define_restore(command)
  local restore = command:command("restore", "Make a database of a backup.")
  restore:argument("file", "The backup."):argname("FILE"):convert(options.file)
  return restore
end

local advice = {
  [define_backup] = "at PostgreSQL use pg_dump",
  [define_restore] = "at PostgreSQL use pg_restore",
}

function events.define(command)
  command:command_target("events_command")
  for _, define in ipairs({ define_list, define_show, define_replay, define_retry_dead,
    define_stats, define_purge, define_backup, define_restore }) do
    local one = define(command)
    store_options.add_db(one, nil, advice[define])
    options.add_json(one)
  end
end

local run = {
  replay = events_admin.replay,
  ["retry-dead"] = events_admin.retry_dead,
  purge = events_admin.purge,
  backup = events_backup.backup,
  restore = events_backup.restore,
}

-- Those that end at a signal by themselves.
local handles_signals = { backup = true, restore = true }

local FAILED = 1
local FOLLOWED = 10 -- events that are listed before those that arrive
local POLL = 0.25 -- seconds

-- Calls `each` for the events that the options name.
local function visit(given, more, each)
  local filter = {
    state = given.state,
    action = given.action,
    account_id = given.account,
    platform = given.platform,
    since = given.since,
  }
  for name, value in pairs(more) do
    filter[name] = value
  end
  local ok, problem = host.events.list(given.db, filter, each)
  if not ok then
    user_error("%s", problem)
  end
end

-- Returns what writes an event.
local function new_writer(given)
  local has_color, has_heading = terminal.has_color(), given.json
  return function(event)
    if given.json then
      output.line(events_format.object(event))
      return
    elseif not has_heading then
      has_heading = true
      output.line(events_format.heading())
    end
    output.line(events_format.line(event, has_color))
  end
end

-- The id of the newest event, whatever the options name; 0 if there is none.
local function newest_id(given)
  local id = 0
  visit({ db = given.db }, { limit = 1 }, function(event)
    id = event.id
  end)
  return id
end

-- Ids grow in the order of arrival. A signal ends the process.
local function follow(given)
  local write, newest, seen = new_writer(given), {}, newest_id(given)
  visit(given, { limit = given.limit > 0 and given.limit or FOLLOWED }, function(event)
    table.insert(newest, 1, event)
  end)
  for _, event in ipairs(newest) do
    write(event)
    seen = math.max(seen, event.id)
  end
  while true do
    output.flush()
    host.wait_signal(POLL)
    local last = newest_id(given)
    if last > seen then
      visit(given, { after = seen, oldest_first = true }, function(event)
        write(event)
        last = math.max(last, event.id)
      end)
      seen = last
    end
  end
end

function run.list(given)
  if given.follow then
    follow(given)
  end
  local count, write = 0, new_writer(given)
  visit(given, { limit = given.limit }, function(event)
    count = count + 1
    write(event)
  end)
  if count == 0 then
    local behind = event_names.behind_none(given.action, given.json)
    if not given.json then
      output.text("no events" .. behind)
    end
  end
end

function run.show(given)
  local found
  local ok, problem = host.events.show(given.db, given.id, function(event)
    found = event
  end)
  if not ok then
    user_error("%s", problem)
  elseif not found then
    user_error("there is no event %d in %s", given.id, host.events.shown_name(given.db))
  end
  found.history = {}
  ok, problem = host.events.attempts(given.db, given.id, function(attempt)
    table.insert(found.history, attempt)
  end)
  if not ok then
    user_error("%s", problem)
  end
  output.line((given.json and events_format.whole_object or events_format.page)(found, given.raw))
end

function run.stats(given)
  local stats, problem = host.events.stats(given.db)
  if not stats then
    user_error("%s", problem)
  end
  output.line((given.json and events_format.stats_object or events_format.stats_page)(stats))
  return given.fail_if_dead and stats.states.dead > 0 and FAILED or nil
end

--- The commands behind it, by their names.
events.parts = run

function events.run(given)
  if not handles_signals[given.events_command] then
    host.release_signals()
  end
  if given.events_command ~= "restore" then
    store_options.require_db(given)
  end
  return run[given.events_command](given)
end

return events

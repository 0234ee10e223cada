--- palenca forget: removes all that is stored of a person, and proves that it is gone.
-- @module palenca.host.cli.forget
local byte_size = require("palenca.host.cli.byte_size")
local core = require("palenca.core")
local host = require("palenca.host")
local options = require("palenca.host.cli.options")
local output = require("palenca.host.cli.output")
local person_data = require("palenca.host.cli.person_data")
local plural = require("palenca.host.cli.plural")
local program_log = require("palenca.host.program_log")
local runtime = require("palenca.runtime")
local store_options = require("palenca.host.cli.store_options")
local user_error = require("palenca.host.user_error")

local forget = {
  name = "forget",
  summary = "Remove all that is stored of a person, and prove that it is gone.",
}

local DONE, FAILED, WRONG_USAGE = 0, 1, 2

-- Seconds to wait for handlers that have events of the person just now.
local HANDLER_TIMEOUT = 30
local POLL_INTERVAL = 0.2
-- How often free space is overwritten before what is found there is a failure: while the database
-- is in use, rows are moved. Rounds in which events of the person arrive do not count, for so many
-- seconds.
local ROUNDS = 3
local ARRIVALS_TIMEOUT = 60
-- Seconds between two lines about the progress.
local PROGRESS_INTERVAL = 1
local function id(text)
  if #text < person_data.ID_SIZE_MIN then
    return nil, string.format("'%s' is too short for an id", text)
  end
  return text
end

function forget.define(command)
  options.add(command, "--user", {
    help = "The user's id: events and decisions of this user, and those of the user's accounts "
      .. "that name no user.",
    convert = id,
    guards = true,
    argname = "ID",
  })
  options.add(command, "--account", {
    help = "An account's id: all events and decisions of it, whomever they name. May be repeated.",
    convert = id,
    is_list = true,
    argname = "ID",
  })
  store_options.add_db(command)
  options.add_json(command)
end

-- ---- progress ---------------------------------------------------------------------------

local function new_progress()
  local shown_at = core.steady_time()
  return function(text, ...)
    local now = core.steady_time()
    if now - shown_at >= PROGRESS_INTERVAL then
      shown_at = now
      local line = text:format(...)
      program_log.line("palenca: " .. line, { event = "progress", message = line })
    end
  end
end

-- ---- removing ---------------------------------------------------------------------------

local function add_counts(counts, removed)
  for _, name in ipairs({ "events", "attempts", "decisions" }) do
    counts[name] = counts[name] + removed[name]
  end
end

local function removed_text(counts)
  return ("%s and the rows of %s"):format(plural.count(counts.events, "event"),
    plural.count(counts.decisions, "decision"))
end

-- Removes what is found; returns how many events are left, since their handlers run.
local function remove_found(data, counts, progress)
  local left, running = {}, 0
  while #data.events > 0 or #data.decisions > 0 do
    local ids, numbers = data:take(host.forget.max)
    local removed, problem, so_far = host.forget.remove(data.db, ids, numbers)
    add_counts(counts, removed or so_far)
    if not removed then
      user_error("%s; removed so far: %s; run it again", problem, removed_text(counts))
    elseif removed.running > 0 then
      running = running + removed.running
      table.move(ids, 1, #ids, #left + 1, left)
    end
    progress("removed %s", removed_text(counts))
  end
  data:put_back(left)
  return running
end

-- Reconciling must not bring back what is removed.
local function remember_ids(data)
  local function remember(account, user)
    local ok, problem = host.forget.remember(data.db, account, user)
    if not ok then
      user_error("%s; nothing is removed", problem)
    end
  end
  for _, account in ipairs(data.accounts) do
    remember(account, nil)
  end
  if data.user_id then
    remember(nil, data.user_id)
  end
end

-- Until there is nothing: events may arrive meanwhile, and handlers may run.
local function remove_all(data, counts, progress)
  local deadline = core.steady_time() + HANDLER_TIMEOUT
  data:find()
  while #data.events > 0 or #data.decisions > 0 do
    local running = remove_found(data, counts, progress)
    if running > 0 and core.steady_time() >= deadline then
      user_error("%s being handled for more than %d s; removed so far: %s; run it again when no "
        .. "handler has one", plural.count(running, "event of theirs is", "events of theirs are"),
        HANDLER_TIMEOUT, removed_text(counts))
    elseif running > 0 then
      progress("waiting for the handlers of %s", plural.count(running, "event"))
      runtime.sleep(POLL_INTERVAL)
    end
    data:find()
  end
end

-- ---- the proof --------------------------------------------------------------------------

-- What is found is in a file at a byte, or, at a server, in a table's column in so many rows.
local function search(data)
  local texts, kinds = data:texts()
  local found, with = {}, {}
  local read, problem = host.forget.search(data.db, texts, function(name, place, which)
    found[#found + 1] = { name = name, place = place, kind = kinds[texts[which]] }
    with[texts[which]] = true
  end)
  if not read then
    user_error("%s", problem)
  end
  local list = {}
  for text in pairs(with) do
    list[#list + 1] = text
  end
  return found, read, list
end

-- Overwrites what is free; a server does so itself, some time after a vacuum.
local function overwrite(data, progress)
  local ok, problem = true, nil
  if not data.is_server then
    progress("overwriting free space")
    ok, problem = host.forget.overwrite(data.db)
  end
  if not ok then
    user_error("%s; the events are removed, and their bytes may be left: run it again", problem)
  end
end

-- Overwrites what is free, and reads the files, or a server's tables, until nothing is found; what
-- has come meanwhile is removed as well. Returns what is found, what was read, and the texts that
-- are found.
local function prove(data, counts, progress)
  local deadline = core.steady_time() + ARRIVALS_TIMEOUT
  local rounds = 0
  local found, read, texts
  repeat
    overwrite(data, progress)
    progress(data.is_server and "reading the tables" or "reading the files")
    found, read, texts = search(data)
    if #found > 0 then
      local before = counts.events + counts.decisions
      remove_all(data, counts, progress)
      local has_arrived = counts.events + counts.decisions > before
      rounds = has_arrived and core.steady_time() < deadline and rounds or rounds + 1
    end
  until #found == 0 or rounds == ROUNDS
  return found, read, texts
end

-- Whether a server has freed the space of what is removed; nil for a file.
local function vacuum(data, progress)
  if not data.is_server then
    return nil
  end
  progress("vacuuming the tables")
  local is_done, problem = host.forget.vacuum(data.db)
  if is_done == nil then
    user_error("%s; the rows are removed, and not vacuumed: run it again", problem)
  end
  return is_done
end

-- ---- the result -------------------------------------------------------------------------

local NOT_PROVED = {
  [true] = "vacuumed: the server reuses the space, and its write-ahead log, standbys and backups "
    .. "have the rows until they are recycled or removed",
  [false] = "not vacuumed, since this role owns neither the tables nor the database: the server's "
    .. "files have the rows until its autovacuum, and longer its write-ahead log, standbys and "
    .. "backups",
}

local function describe(counts, read, is_vacuumed)
  local files = ("read %s, %s: they hold nothing of this person"):format(
    plural.count(read.files, is_vacuumed ~= nil and "table" or "file"),
    byte_size.text(read.bytes))
  if counts.events + counts.decisions == 0 then
    return "nothing of this person is stored; " .. files
  end
  return ("removed %s (%s) and the rows of %s; %s"):format(
    plural.count(counts.events, "event"), plural.count(counts.attempts, "attempt"),
    plural.count(counts.decisions, "decision"), files)
end

local function first_of(ids)
  return table.concat(ids, ", ", 1, math.min(#ids, 20))
end

-- Others may have read of this person, as in a list of all accounts.
local COMPRESSED = {
  { "responses", "what identifies this person is also in the recorded responses of events that are "
    .. "not theirs by user or account: %s" },
  { "decisions", "what identifies this person is also in the rows of decisions that are not theirs "
    .. "by user or account: %s" },
  { "damaged_responses", "the recorded responses of these events are damaged, and may hold what "
    .. "identifies this person: %s" },
  { "damaged_decisions", "the rows of these decisions are damaged, and may hold what identifies "
    .. "this person: %s" },
}

local function check_compressed(data, progress)
  progress("reading what is compressed")
  local found, problems = data:compressed_with((data:texts())), {}
  for _, case in ipairs(COMPRESSED) do
    local ids = found[case[1]]
    problems[#problems + 1] = #ids > 0 and case[2]:format(first_of(ids)) or nil
  end
  if #problems > 0 then
    user_error("%s", table.concat(problems, "; "))
  end
end

local function log_found(data, one)
  if data.is_server then
    program_log.line(("palenca: %s holds an id or number of this person, rows: %d (%s)"):format(
      one.name, one.place, one.kind), { event = "found", level = "error",
      column = one.name, rows = one.place, kind = one.kind })
    return
  end
  program_log.line(("palenca: %s holds an id or number of this person at byte %d (%s)"):format(
    one.name, one.place, one.kind), { event = "found", level = "error", file = one.name,
    offset = one.place, kind = one.kind })
end

local function report_found(data, found, texts)
  for _, one in ipairs(found) do
    log_found(data, one)
  end
  local ids = data:events_with(texts)
  if #ids > 0 then
    user_error("what identifies this person is also in events that are not theirs by user or "
      .. "account: %s", first_of(ids))
  end
  user_error("bytes of this person are left in the %s: run it again",
    data.is_server and "tables" or "files")
end

local function report(given, data, counts, read, is_vacuumed)
  local shared = 0
  for _ in pairs(data.shared) do
    shared = shared + 1
  end
  if given.json then
    output.json({ events = counts.events, attempts = counts.attempts, decisions = counts.decisions,
      [data.is_server and "tables" or "files"] = read.files, bytes = read.bytes,
      shared_accounts = shared, vacuumed = is_vacuumed })
    return
  end
  output.line(describe(counts, read, is_vacuumed))
  if is_vacuumed ~= nil then
    output.line(NOT_PROVED[is_vacuumed])
  end
  if shared > 0 then
    output.line(("%s of another user, too: those events are kept"):format(
      plural.count(shared, "account is", "accounts are")))
  end
end

function forget.run(given)
  if not given.user and #given.account == 0 then
    program_log.problem("--user or --account must say who is to be forgotten",
      "Try 'palenca forget --help'.")
    return WRONG_USAGE
  end
  store_options.require_db(given)
  host.forget.lower_priority() -- responses go first: nobody waits for this in milliseconds
  local data = person_data.new(given.db, given.user, given.account)
  local counts = { events = 0, attempts = 0, decisions = 0 }
  local progress = new_progress()
  data:find() -- nothing is written to a database that cannot be read
  remember_ids(data)
  remove_all(data, counts, progress)
  local found, read, texts = prove(data, counts, progress)
  local is_vacuumed = vacuum(data, progress)
  if #found > 0 then
    report_found(data, found, texts)
    return FAILED
  end
  check_compressed(data, progress)
  report(given, data, counts, read, is_vacuumed)
  return DONE
end

return forget

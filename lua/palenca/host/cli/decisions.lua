--- palenca decisions: shows the ledger of decisions, checks its chain, computes decisions again.
-- @module palenca.host.cli.decisions
local decisions_check = require("palenca.host.cli.decisions_check")
local decisions_format = require("palenca.host.cli.decisions_format")
local host = require("palenca.host")
local options = require("palenca.host.cli.options")
local output = require("palenca.host.cli.output")
local store_options = require("palenca.host.cli.store_options")
local time_argument = require("palenca.host.cli.time_argument")
local user_error = require("palenca.host.user_error")

local decisions = {
  name = "decisions",
  summary = "Look at the recorded decisions, explain and check them, compute them again.",
}

local entry_number = options.integer(1, math.tointeger(2 ^ 53))

local OUTCOMES = { "approve", "refer", "decline", "undecidable" }

local function define_list(command)
  local list = command:command("list", "List decisions in the order in which they were recorded: "
    .. "the newest is the last line, and --limit 20 lists the last 20.")
  options.add(list, "--event", {
    help = "Only those of the event of this id.",
    convert = options.id,
    argname = "ID",
  })
  options.add(list, "--account", {
    help = "Only those of this account, as long as they have their rows.",
    argname = "ID",
  })
  options.add(list, "--outcome", {
    help = "Only those with this outcome: " .. options.alternatives(OUTCOMES) .. ".",
    convert = options.one_of(OUTCOMES),
    words = OUTCOMES,
    argname = "OUTCOME",
  })
  options.add(list, "--since", {
    help = "Only those recorded since: 2026-03-01, 2026-03-01T12:30:00Z (UTC), or 90s, 15m, 6h, "
      .. "7d ago.",
    convert = time_argument.parse,
    argname = "TIME",
  })
  options.add_limit(list)
  return list
end

local function add_numbers(command, count)
  command:argument("numbers", "The numbers of the decisions, as list has them.")
    :argname("NUMBER"):args(count):convert(entry_number)
end

local function define_show(command)
  local show = command:command("show", "Show all of a decision, its rows included.")
  add_numbers(show, "+")
  show:flag("--raw", "With the identity numbers, which are masked otherwise.")
  return show
end

local function define_explain(command)
  local explain = command:command("explain", "Explain a decision in words, for the analyst and for "
    .. "the worker.")
  add_numbers(explain, "+")
  options.add(explain, "--lang", {
    help = "The language of the text: es, pt or en.",
    default = "en",
    convert = options.one_of({ "es", "pt", "en" }),
    argname = "CODE",
  })
  return explain
end

local function define_verify(command)
  local verify = command:command("verify", "Check that no entry was changed, inserted, moved or "
    .. "removed. The exit status is 1 if one was.")
  options.add(verify, "--head", {
    help = "A head that an earlier check has printed: the entry of that number must still have "
      .. "that hash.",
    convert = decisions_check.head,
    argname = "NUMBER:HASH",
  })
  return verify
end

local function define_replay(command)
  local replay = command:command("replay", "Compute decisions again from their rows, and compare. "
    .. "The exit status is 1 if one differs.")
  add_numbers(replay, "*")
  return replay
end

function decisions.define(command)
  command:command_target("decisions_command")
  for _, define in ipairs({ define_list, define_show, define_explain, define_verify,
    define_replay }) do
    local one = define(command)
    store_options.add_db(one)
    options.add_json(one)
  end
end

local run = { verify = decisions_check.verify, replay = decisions_check.replay }

-- The newest N of an outcome, which the store does not know, are known after the last one only.
local function newest(limit)
  local texts, count = {}, 0
  return function(text)
    count = count + 1
    texts[(count - 1) % limit + 1] = text
  end, function()
    for at = math.max(0, count - limit), count - 1 do
      output.line(texts[at % limit + 1])
    end
  end
end

function run.list(given)
  local count = 0
  local show, flush = output.line, nil
  if given.outcome and given.limit > 0 then
    show, flush = newest(given.limit)
  end
  local ok, problem = host.decisions.list(given.db, {
    event_id = given.event,
    account_id = given.account,
    since = given.since,
    limit = not given.outcome and given.limit or 0,
  }, decisions_format.filter(given, function(text)
    count = count + 1
    show(text)
  end))
  if not ok then
    user_error("%s", problem)
  elseif count == 0 and not given.json then
    output.text("no decisions")
  elseif flush then
    flush()
  end
end

local function each_number(given, show)
  for _, number in ipairs(given.numbers) do
    output.line(show(decisions_check.read(given.db, number)))
  end
end

function run.show(given)
  each_number(given, function(entry)
    return (given.json and decisions_format.whole_object or decisions_format.page)(entry, given.raw)
  end)
end

function run.explain(given)
  each_number(given, function(entry)
    return decisions_format.explanation(entry, given.lang, given.json)
  end)
end

--- The commands behind it, by their names.
decisions.parts = run

function decisions.run(given)
  store_options.require_db(given)
  return run[given.decisions_command](given)
end

return decisions

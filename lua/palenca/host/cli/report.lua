--- palenca report: a person's income on one page, to be kept, sent or printed.
-- @module palenca.host.cli.report
local account_batch = require("palenca.host.cli.account_batch")
local api_command = require("palenca.host.cli.api_command")
local date_argument = require("palenca.host.cli.date_argument")
local errors = require("palenca.errors")
local host = require("palenca.host")
local income_input = require("palenca.host.cli.income_input")
local options = require("palenca.host.cli.options")
local page = require("palenca.host.cli.report.page")
local verdict_input = require("palenca.host.cli.verdict_input")
local words_of = require("palenca.host.cli.report.words")

local command = {
  name = "report",
  summary = "Write a person's income as one page of HTML, which prints on one sheet.",
  note = "Without --output the page is written to standard output. With --rule and --installment "
    .. "it has the outcome, too. --accounts-file and --out write a page for each account of a "
    .. "file; run again, the command makes those that are missing, as 'palenca export' does.",
  handles_signals = true,
}

function command.define(parser)
  income_input.define(parser)
  verdict_input.define(parser)
  options.add(parser, "--output -o", {
    help = "The file to write, which only its owner can read.",
    convert = options.file,
    argname = "FILE",
  })
  parser:flag("--unmask", "Write the identity numbers, which are masked otherwise.")
  account_batch.define(parser)
end

-- All but the last two characters.
local function mask(text)
  return ("•"):rep(math.max(4, utf8.len(text) and utf8.len(text) - 2 or #text - 2)) .. text:sub(-2)
end

local function text_of(value)
  if type(value) == "number" then
    return ("%.14g"):format(value)
  end
  return type(value) == "string" and value ~= "" and value or nil
end

local function worker_of(given, data)
  local profile, metrics = data.profile or {}, data.metrics_info or {}
  local name = table.concat({ text_of(profile.first_name) or "", text_of(profile.last_name) or "" },
    " "):match("^%s*(.-)%s*$")
  local ids = {}
  for _, id in ipairs(type(data.ids_info) == "table" and data.ids_info or {}) do
    local value = text_of(id.value)
    if value then
      ids[#ids + 1] = { name = text_of(id.name) or text_of(id.type) or "ID",
        value = given.unmask and value or mask(value) }
    end
  end
  return { name = text_of(name), ids = ids, born = text_of(profile.birthday),
    city = text_of(profile.city_name), role = text_of(profile.worker_role),
    trips = text_of(metrics.lifetime_trips), rating = text_of(metrics.rating) }
end

-- One for each different person that the accounts name.
local function read_workers(given, accounts, api)
  local workers, seen = {}, {}
  for _, account in ipairs(given.rows and {} or accounts) do
    local profile, err = api.accounts:profile(account.account)
    if not profile then
      error(err, 0)
    end
    local worker = worker_of(given, profile)
    local key = (worker.name or "") .. "\0" .. (worker.ids[1] and worker.ids[1].value or "")
    if not seen[key] then
      seen[key], workers[#workers + 1] = true, worker
    end
  end
  return workers
end

local function page_of(given, decide, api)
  local result, accounts = income_input.read(given, api)
  local words = words_of[given.lang]
  return page({
    language = given.lang,
    income = result,
    verdict = decide and decide(result),
    accounts = accounts,
    workers = read_workers(given, accounts, api),
    is_masked = not given.unmask and not given.rows,
    source = given.rows and words.of_file:format(given.rows)
      or words.of_api:format(tostring(api):match("%S+$")),
    made_at = os.date("!%Y-%m-%d %H:%M UTC"),
  })
end

-- ---- one page --------------------------------------------------------------------------

local function run_one(given, problem)
  host.release_signals()
  return income_input.run("report", problem, function()
    local decide = given.rule and verdict_input.load(given)
    local text = page_of(given, decide, not given.rows and api_command.client(given) or nil)
    if given.output then
      local written, reason = host.replace_file(given.output, text)
      if not written then
        error(reason, 0)
      end
      return nil, 0
    end
    return (text:gsub("\n$", "")), 0
  end)
end

-- ---- a page for each account of a file -------------------------------------------------

local function many_problem(given)
  if #given.accounts > 0 or given.rows then
    return "--accounts-file goes with neither accounts nor --rows"
  elseif given.output then
    return "--output and --accounts-file: a page for each account goes into the directory of --out"
  end
  return income_input.period_problem(given) or verdict_input.problem(given)
end

local function settings_of(given, version)
  local last = given.as_of or date_argument.yesterday()
  return {
    { name = "format", label = "format", value = "html" },
    { name = "as_of", label = "--as-of", value = given.as_of, default = last },
    { name = "since", value = given.since, default = income_input.first_day(last) },
    { name = "lang", value = given.lang },
    { name = "rule", label = "version of the rule", value = version or "none" },
    { name = "installment", value = given.installment or "none" },
    { name = "obligations", value = given.obligations },
    { name = "unmask", value = given.unmask and "yes" or "no" },
  }
end

-- Nil and the API's error if the account cannot be read; what the rule or the disk has is raised.
local function try_page(given, decide, api)
  local ok, text = pcall(page_of, given, decide, api)
  if ok then
    return text
  elseif errors.is(text) then
    return nil, text
  end
  error(text, 0)
end

local function run_many(given)
  local decide, version
  return account_batch.run("report", many_problem(given), given, {
    settings = function()
      if given.rule then
        decide, version = verdict_input.load(given) -- before anything is sent
      end
      return settings_of(given, version)
    end,
    period = function(settings)
      return settings.since, settings.as_of
    end,
    make = function(api, account, settings)
      local own = setmetatable({ accounts = { account }, as_of = settings.as_of,
        since = settings.since }, { __index = given })
      return try_page(own, decide, api)
    end,
  })
end

function command.run(given)
  if given.accounts_file or given.out then
    return run_many(given)
  end
  return run_one(given, income_input.problem(given) or verdict_input.problem(given))
end

return command

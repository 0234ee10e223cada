--- palenca report: a person's income on one page, to be kept, sent or printed.
-- @module palenca.host.cli.report
local client = require("palenca.client")
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
    .. "it has the outcome, too.",
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
local function read_workers(given, accounts)
  local workers, seen = {}, {}
  for _, account in ipairs(given.rows and {} or accounts) do
    local profile, err = client.new().accounts:profile(account.account)
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

function command.run(given)
  local problem = income_input.problem(given) or verdict_input.problem(given)
  return income_input.run("report", problem, function()
    local decide = given.rule and verdict_input.load(given)
    local result, accounts = income_input.read(given)
    local words = words_of[given.lang]
    local text = page({
      language = given.lang,
      income = result,
      verdict = decide and decide(result),
      accounts = accounts,
      workers = read_workers(given, accounts),
      is_masked = not given.unmask and not given.rows,
      source = given.rows and words.of_file:format(given.rows)
        or words.of_api:format(tostring(client.new()):match("%S+$")),
      made_at = os.date("!%Y-%m-%d %H:%M UTC"),
    })
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

return command

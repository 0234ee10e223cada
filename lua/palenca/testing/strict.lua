--- Has a test fail where a script reads a field that there is not: of `palenca` and its parts, of a
-- client, an event, an error, and of what the API returns.
-- @module palenca.testing.strict
local argcheck = require("palenca.util.argcheck")
local client = require("palenca.client")
local errors = require("palenca.errors")
local json = require("palenca.util.json")
local pager = require("palenca.client.pager")
local palenca = require("palenca")
local reference = require("palenca.testing.reference")
local suggest = require("palenca.util.suggest")
local unknown_field = require("palenca.util.unknown_field")

local strict = {}

-- `report` is called with the text of what is wrong and the level of the code to blame; it raises.
local function reject(report, what, known)
  return unknown_field.rejector(what, known, report)
end

-- What is not the API's.
local articles = {
  HttpResponse = "a response of palenca.http",
  Income = "an income", IncomeBasis = "the basis of an income",
  IncomeMonth = "a month of an income", IncomeOfCurrency = "a currency of an income",
  IncomePlatform = "a platform of an income", IncomeWeek = "a week of an income",
  Reason = "a reason of a verdict", Verdict = "a verdict",
  Report = "the report of a pager", Meta = "what comes with a result",
  Pagination = "the pagination", RateLimit = "the rate limit",
}

local function article(name)
  return articles[name] or "the API's" .. name:gsub("%u", function(letter)
    return " " .. letter:lower()
  end)
end

local examine

local function examine_list(report, class, list)
  for _, item in ipairs(type(list) == "table" and list or {}) do
    examine(report, class, item)
  end
end

--- Makes a result of the API strict: reading a field that it does not have, and that is not in the
-- reference, is reported.
-- @tparam function report called with a text and the level of the code to blame
-- @tparam string class of the reference, such as `Account`
-- @param value the result
function strict.examine(report, class, value)
  local fields = reference.classes[class]
  if not fields or type(value) ~= "table" or getmetatable(value) ~= nil then
    return
  end
  setmetatable(value, { __index = reject(report, article(class), fields) })
  for name, kind in pairs(fields) do
    local inner = rawget(value, name)
    if type(kind) == "string" and kind:sub(-2) == "[]" then
      examine_list(report, kind:sub(1, -3), inner)
    elseif type(kind) == "string" then
      examine(report, kind, inner)
    end
  end
end

examine = strict.examine

--- The same for a list.
function strict.examine_list(report, class, list)
  examine_list(report, class, list)
end

local check_fields

-- `kind`: a class, with `[]` behind it if it is a list of those.
local function check_inner(what, kind, value, level)
  local class = kind:match("^(.*)%[%]$")
  if value == json.null then
    return
  elseif not class or type(value) ~= "table" then
    check_fields(what, class or kind, value, level + 1)
    return
  elseif #value == 0 and next(value) ~= nil then
    error(what .. " must be a list", level + 1)
  end
  for at, item in ipairs(value) do
    check_fields(("%s[%d]"):format(what, at), class, item, level + 1)
  end
end

--- Raises unless a table has fields of a class only, and so have the tables in it; nil has none.
-- @tparam string what it is, for the message
-- @tparam string class
-- @tparam ?table value
-- @tparam number level of the caller to blame
function strict.check_fields(what, class, value, level)
  local known = reference.classes[class]
  if value == nil then
    return
  elseif type(value) ~= "table" then
    error(("%s must be a table, got %s"):format(what, type(value)), level + 1)
  end
  for name, inner in pairs(value) do
    if not known[name] then
      error(("%s: unknown field '%s' (known: %s)%s"):format(what, tostring(name),
        table.concat(argcheck.words(known), ", "), suggest.text(name, known)), level + 1)
    elseif type(known[name]) == "string" then
      check_inner(what .. "." .. name, known[name], inner, level + 1)
    end
  end
end

check_fields = strict.check_fields

--- Makes an event strict.
function strict.event(report, event)
  return setmetatable(event, { __index = reject(report, "an event", reference.classes.Event) })
end

local parts = { "advice", "decision", "income", "json", "log", "webhook" }

-- What there is to make strict while a session is open: the table, how a message calls it, and what
-- is known.
local function shared_tables()
  local list = {
    { palenca, "palenca", palenca },
    { client.methods, "a client", client.known_fields },
    { getmetatable(errors.new { kind = "network", message = "" }), "an error",
      reference.classes.Error },
  }
  for _, name in ipairs(parts) do
    list[#list + 1] = { palenca[name], "palenca." .. name, palenca[name] }
  end
  return list
end

local function seal_shared(report)
  local list, before = shared_tables(), {}
  for at, entry in ipairs(list) do
    before[at] = getmetatable(entry[1])
    setmetatable(entry[1], { __index = reject(report, entry[2], entry[3]) })
  end
  return function()
    for at, entry in ipairs(list) do
      setmetatable(entry[1], before[at])
    end
  end
end

-- Each entry of a map is of the class.
local function examine_map(report, class, map)
  for _, item in pairs(map or {}) do
    examine(report, class, item)
  end
end

-- A verdict has a method of its metatable.
local function examine_verdict(report, verdict)
  local methods = getmetatable(verdict).__index
  local rejects = reject(function(text, level)
    report(text, level + 2) -- this function, and the one below
  end, articles.Verdict, reference.classes.Verdict)
  for _, reason in ipairs(verdict.reasons) do
    examine(report, "Reason", reason)
  end
  return setmetatable(verdict, { __index = function(self, name)
    local method = methods[name]
    if method == nil then
      rejects(self, name)
    end
    return method
  end })
end

-- The results of `palenca.income` are made in place, not by a request.
local function examine_incomes(report)
  local income = palenca.income
  local analyze, decide = income.analyze, income.decide
  income.analyze = function(...)
    local result = analyze(...)
    examine_map(report, "IncomePlatform", result.platforms)
    examine_map(report, "IncomeOfCurrency", result.by_currency)
    examine(report, "Income", result)
    return result
  end
  income.decide = function(...)
    local verdict = decide(...)
    return examine_verdict(report, verdict)
  end
  return function()
    income.analyze, income.decide = analyze, decide
  end
end

--- Makes what all scripts share strict.
-- @tparam function report called with a text and the level of the code to blame
-- @treturn function undoes it
function strict.begin(report)
  local unseal, stop_incomes = seal_shared(report), examine_incomes(report)
  local operation_hook = client.unknown_operation(report)
  local report_hook = pager.watch_reports(function(read)
    examine(report, "Report", read)
  end)
  return function()
    pager.watch_reports(report_hook)
    client.unknown_operation(operation_hook)
    stop_incomes()
    unseal()
  end
end

return strict

--- Has the reading of a field that there is not raise: of `palenca` and its parts, of a client, an
-- event, an error, and of what the API and the module return. For tests and for `palenca dev`;
-- otherwise such a field is nil, as one that a result may have and has not.
--
-- A field that a result has can be read, whatever its name is.
-- @module palenca.strict
local argcheck = require("palenca.util.argcheck")
local client = require("palenca.client")
local errors = require("palenca.errors")
local inspection = require("palenca.client.inspection")
local json = require("palenca.util.json")
local palenca = require("palenca")
local reference = require("palenca.strict.reference")
local routes = require("palenca.strict.routes")
local suggest = require("palenca.util.suggest")
local unknown_field = require("palenca.util.unknown_field")

local strict = {}

-- `report` is called with the text of what is wrong and the level of the code to blame; it raises.
local function reject(report, what, known)
  return unknown_field.rejector(what, known, report)
end

-- What is not the API's.
local articles = {
  Advice = "an advice", AdviceText = "the text of an advice", Attempt = "an attempt",
  Event = "an event", Explanation = "an explanation", Failure = "a failure",
  HttpResponse = "a response of palenca.http",
  Income = "an income", IncomeBasis = "the basis of an income",
  IncomeMonth = "a month of an income", IncomeOfCurrency = "a currency of an income",
  IncomePlatform = "a platform of an income", IncomeWeek = "a week of an income",
  Reason = "a reason of a verdict", Rule = "a rule", Verdict = "a verdict",
  Report = "the report of a pager", Meta = "what comes with a result",
  Pagination = "the pagination", RateLimit = "the rate limit",
}

-- The level of the nearest code of Lua from one on: `ipairs` reads by a function of C.
local function lua_level(from)
  local level = from + 1
  local info = debug.getinfo(level, "l")
  while info and info.currentline < 0 do
    level = level + 1
    info = debug.getinfo(level, "l")
  end
  return info and level - 1 or from
end

-- Of what the lists in a result are called, for who takes it for one of them.
local function lists_of(fields)
  local names = {}
  for name, kind in pairs(fields) do
    if type(kind) == "string" and kind:sub(-2) == "[]" then
      names[#names + 1] = "." .. name
    end
  end
  table.sort(names)
  return #names > 0 and ": it has the list " .. table.concat(names, " and the list ") or ""
end

-- Which part of a result has a field that the result itself has not.
local function place_of(fields, name)
  for _, field in ipairs(argcheck.words(fields)) do
    local kind = fields[field]
    local class = type(kind) == "string" and reference.classes[kind:match("^%w+")]
    if class and class[name] then
      return ("; %s '%s' has it"):format(kind:sub(-2) == "[]" and "each of its" or "its", field)
    end
  end
  return ""
end

-- Called by a metamethod, whose caller it blames.
local function reject_list(report, what, fields)
  report(("%s is not a list%s"):format(what, lists_of(fields)), lua_level(3))
end

-- The metatable of a result that is no list. Lua 5.1, as LuaJIT, takes the length of a table
-- without asking for it.
local function metatable_of(report, what, fields)
  local mistyped
  local rejects = reject(function(text, level)
    report(text .. place_of(fields, mistyped), level + 2) -- this function, and the one below
  end, what, fields)
  return {
    __index = function(self, name)
      mistyped = name
      if type(name) == "number" then
        reject_list(report, what, fields)
      end
      rejects(self, name)
    end,
    __len = function()
      reject_list(report, what, fields)
    end,
  }
end

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

--- Makes a result strict: reading a field that it does not have, and that is not in the reference,
-- is reported.
-- @tparam function report called with a text and the level of the code to blame, as `error` is
-- @tparam string class of the reference, such as `Account`
-- @param value the result
function strict.examine(report, class, value)
  local fields = reference.classes[class]
  if not fields or type(value) ~= "table" or getmetatable(value) ~= nil then
    return
  end
  setmetatable(value, metatable_of(report, article(class), fields))
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
        table.concat(argcheck.words(known), ", "), suggest.text(name, known)
          .. place_of(known, name)), level + 1)
    elseif type(known[name]) == "string" then
      check_inner(what .. "." .. name, known[name], inner, level + 1)
    end
  end
end

check_fields = strict.check_fields

--- Makes a table of a test's strict, which is no result.
-- @tparam table own
-- @tparam string what it is, for the message
-- @tparam {string,...} names of its fields
-- @treturn table the same
function strict.seal(own, what, names)
  local known = {}
  for _, name in ipairs(names) do
    known[name] = true
  end
  return unknown_field.seal(own, what, known)
end

local parts = { "advice", "decision", "income", "json", "log", "webhook" }

-- What there is to make strict until that is undone: the table, how a message calls it, and what
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

local function explainer(report, explain)
  return function(...)
    local words = explain(...)
    examine(report, "Explanation", words)
    return words
  end
end

-- A verdict has a method of its metatable.
local function examine_verdict(report, verdict)
  local methods = getmetatable(verdict).__index
  local own = { explain = explainer(report, methods.explain) }
  local rejects = reject(function(text, level)
    report(text, level + 2) -- this function, and the one below
  end, articles.Verdict, reference.classes.Verdict)
  examine_list(report, "Reason", verdict.reasons)
  return setmetatable(verdict, { __index = function(self, name)
    local method = own[name]
    if method == nil then
      rejects(self, name)
    end
    return method
  end })
end

local function examine_income(report, income)
  examine_map(report, "IncomePlatform", income.platforms)
  examine_map(report, "IncomeOfCurrency", income.by_currency)
  examine(report, "Income", income)
end

-- The sentences are those of all advices: a copy of them is made strict.
local function examine_advice(report, advice)
  local text = {}
  for language, sentence in pairs(advice.text) do
    text[language] = sentence
  end
  advice.text = text
  examine(report, "Advice", advice)
end

-- What is made in place, not by a request; of each: the part and the name of the function, and what
-- is called with its result. None of them blames a line for an error, which would be one of this
-- file, but for a call with a colon.
local RESULTS = {
  { "income", "analyze", examine_income },
  { "income", "decide", examine_verdict },
  { "income", "explain", function(report, words)
    examine(report, "Explanation", words)
  end },
  { "income", "load_rule", function(report, rule)
    examine(report, "Rule", rule)
  end },
  { "advice", "of_login", examine_advice },
  { "advice", "of_call", examine_advice },
}

local function wrap_results(report)
  local before = {}
  for at, entry in ipairs(RESULTS) do
    local owner, name, inspect = palenca[entry[1]], entry[2], entry[3]
    local original, full_name = owner[name], ("palenca.%s.%s"):format(entry[1], name)
    before[at] = original
    owner[name] = function(...)
      argcheck.dot(full_name, (...), 2)
      local result = original(...)
      inspect(report, result)
      return result
    end
  end
  return function()
    for at, entry in ipairs(RESULTS) do
      palenca[entry[1]][entry[2]] = before[at]
    end
  end
end

local function examine_data(report, class, field, data)
  if field then
    examine_list(report, class, data[field])
  elseif class:sub(-2) == "[]" then
    examine_list(report, class:sub(1, -3), data)
  else
    examine(report, class, data)
  end
end

-- Beside a row there is nothing; but a loop with two variables has the second one for the row.
local function beside_row(report)
  local text = "pager:each() returns one value, the row: for row in pager:each() do"
  return setmetatable({}, {
    __index = function()
      report(text, 2)
    end,
    __tostring = function()
      return text
    end,
  })
end

local function inspect_results(report, on_failure)
  local function of_class(class)
    return function(value)
      examine(report, class, value)
    end
  end
  return inspection.use {
    on_data = function(method, path, data, meta)
      local class, field = routes.class_of(method, path)
      if class then
        examine_data(report, class, field, data)
      end
      examine(report, "Meta", meta)
    end,
    on_report = of_class("Report"),
    on_response = of_class("HttpResponse"),
    on_attempt = of_class("Attempt"),
    on_unknown_operation = report,
    on_failure = on_failure,
    beside_row = beside_row(report),
  }
end

--- Makes what all scripts share strict, and what they get from now on.
-- @tparam function report called with a text and the level of the code to blame, as `error` is; it
-- raises
-- @tparam function on_failure called with each error that a call is about to return
-- @treturn function undoes it
function strict.begin(report, on_failure)
  local unseal, unwrap = seal_shared(report), wrap_results(report)
  local hooks = inspect_results(report, on_failure)
  return function()
    inspection.use(hooks)
    unwrap()
    unseal()
  end
end

local TEXTS = "; the amounts of an income are texts, and whole numbers under their names with "
  .. "_minor"

-- What Lua's own messages do not say.
local HINTS = {
  ["attempt to compare number with string"] = TEXTS,
  ["attempt to compare string with number"] = TEXTS,
  ["number has no integer representation"] = "; times have fractions of a second, which math.floor "
    .. "takes off",
}

--- Adds to what was raised what it may come from.
-- @param problem a text, or anything else, which stays as it is
-- @tparam ?palenca.errors.Error failure the last error that a call had returned before
-- @return the problem
function strict.hint(problem, failure)
  if type(problem) ~= "string" then
    return problem
  elseif failure and problem:find("a nil value", 1, true) then
    return ("%s; a call before it returned nil and an error: %s"):format(problem, tostring(failure))
  end
  for text, hint in pairs(HINTS) do
    if problem:find(text, 1, true) then
      return problem .. hint
    end
  end
  return problem
end

return strict

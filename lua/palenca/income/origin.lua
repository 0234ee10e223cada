--- What incomes and verdicts were computed from, for who records a decision. They are plain data,
-- and do not have it in them.
-- @module palenca.income.origin
local origin = {}

local function weak(mode)
  return setmetatable({}, { __mode = mode })
end

-- An income holds neither its rows nor a verdict its income longer than the caller does.
local streams, options_of = weak("kv"), weak("k")
local incomes, inputs_of = weak("kv"), weak("k")

local function copy(fields)
  local copied = {}
  for name, value in pairs(fields) do
    copied[name] = value
  end
  return copied
end

--- Remembers an income's.
-- @tparam table income
-- @tparam table stream
-- @tparam table options
function origin.set_income(income, stream, options)
  streams[income], options_of[income] = stream, copy(options)
end

--- Remembers a verdict's.
-- @tparam table verdict
-- @tparam table income
-- @tparam table rule with every field
-- @tparam table request
function origin.set_verdict(verdict, income, rule, request)
  incomes[verdict], inputs_of[verdict] = income, { rule = rule, request = copy(request) }
end

--- What an income was computed from.
-- @tparam table income
-- @treturn ?table the stream, if somebody still has it
-- @treturn ?table the options; nil: it was not computed in this Lua state
function origin.of_income(income)
  return streams[income], options_of[income]
end

--- What a verdict was computed from.
-- @tparam table verdict
-- @treturn ?table the income, if somebody still has it
-- @treturn ?table `{rule=, request=}`; nil: it was not computed in this Lua state
function origin.of_verdict(verdict)
  return incomes[verdict], inputs_of[verdict]
end

return origin

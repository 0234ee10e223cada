--- palenca profile: shows who the worker of an account is.
-- @module palenca.host.cli.profile
local account_state = require("palenca.host.cli.account_state")
local api_command = require("palenca.host.cli.api_command")
local output = require("palenca.host.cli.output")
local rows_command = require("palenca.host.cli.rows_command")
local rows_format = require("palenca.host.cli.rows_format")

-- First of all; then the others, by name.
local FIRST = { "account_id", "external_id", "profile", "ids_info" }

local function names_of(fields, first)
  local names, is_first = {}, {}
  for _, name in ipairs(first) do
    if fields[name] ~= nil then
      names[#names + 1] = name
      is_first[name] = true
    end
  end
  local others = {}
  for name in pairs(fields) do
    if not is_first[name] then
      others[#others + 1] = name
    end
  end
  table.sort(others, function(one, other)
    return tostring(one) < tostring(other)
  end)
  return table.move(others, 1, #others, #names + 1, names)
end

-- Appends every field that is a text or a number, under its path.
local function flatten(fields, prefix, list)
  for _, name in ipairs(names_of(fields, prefix == "" and FIRST or {})) do
    local path, value = prefix .. tostring(name), fields[name]
    if type(value) == "table" then
      flatten(value, path .. ".", list)
    else
      list[#list + 1] = { name = path, value = value }
    end
  end
  return list
end

local TEXT_COLUMNS = { { name = "field" }, { name = "value", cut = true } }

local function write_text(rows)
  for at, row in ipairs(rows) do
    local fields = {}
    for place, field in ipairs(flatten(row, "", {})) do
      fields[place] = { field = field.name, value = field.value }
    end
    if at > 1 then
      output.line("")
    end
    rows_format.write({}, TEXT_COLUMNS, fields, "an empty profile")
  end
end

-- One column for each path that any of them has.
local function write_csv(given, rows)
  local columns, seen, flat = {}, {}, {}
  for at, row in ipairs(rows) do
    flat[at] = {}
    for _, field in ipairs(flatten(row, "", {})) do
      flat[at][field.name] = field.value
      if not seen[field.name] then
        seen[field.name] = true
        columns[#columns + 1] = { name = field.name }
      end
    end
  end
  rows_format.write(given, columns, flat)
end

return rows_command.new({
  name = "profile",
  summary = "Show who the worker of an account is, with vehicle, bank and ratings.",
  noun = "profiles",
  argument = { name = "accounts", help = "The accounts' ids.", argname = "ACCOUNT", args = "+",
    convert = rows_command.id },
  has_secrets = "With identity and account numbers, which are masked otherwise.",
  read = function(api, given)
    local all = {}
    for at, account in ipairs(given.accounts) do
      local profile, err = api.accounts:profile(account)
      all[at] = api_command.must(profile, err, "account " .. account)
      all[at].account_id = all[at].account_id or account
      account_state.check(api, account)
    end
    return all
  end,
  write = function(given, _, rows)
    if given.csv then
      write_csv(given, rows)
    elseif given.json then
      for _, row in ipairs(rows) do
        output.line(rows_format.json(row))
      end
    else
      write_text(rows)
    end
  end,
})

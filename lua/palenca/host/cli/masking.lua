--- Masks identity numbers in what the API has sent and in what was stored, before a person sees it.
-- @module palenca.host.cli.masking
local json = require("palenca.util.json")
local redact = require("palenca.util.redact")

local masking = {}

-- What the API's shapes say is one, whatever country's it is, and what nobody else must know.
local WORDS = { gov_id = "[identity number]", account_number = "[account number]",
  private_key = "[key]" }

-- Money is no identity number, however many digits it has.
local function mask(text)
  return text:find("^%-?%d+%.%d%d$") and text or redact.name(text)
end

local function copy_of(value, replace)
  local copy = {}
  for name, one in pairs(value) do
    copy[type(name) == "string" and mask(name) or name] = replace(name, one)
  end
  return json.is_array(value) and json.array(copy) or copy
end

--- Masks the identity numbers in all texts of a value, which stays what it is otherwise.
-- @param value
-- @return a copy
function masking.value(value)
  if type(value) == "string" then
    return mask(value)
  elseif type(value) ~= "table" then
    return value
  end
  return copy_of(value, function(_, one)
    return masking.value(one)
  end)
end

-- `ids_info` is a list of `{type, name, value}`.
local function without_values(ids)
  return copy_of(ids, function(_, id)
    return type(id) == "table" and copy_of(id, function(name, one)
      return name == "value" and WORDS.gov_id or masking.value(one)
    end) or masking.value(id)
  end)
end

--- The same for a row of the API, in whose fields other countries' numbers stand as well.
-- @param row
-- @return a copy
function masking.row(row)
  if type(row) ~= "table" then
    return masking.value(row)
  end
  return copy_of(row, function(name, one)
    if WORDS[name] and type(one) ~= "table" then
      return WORDS[name]
    elseif name == "ids_info" and type(one) == "table" then
      return without_values(one)
    end
    return masking.row(one)
  end)
end

return masking

--- Masks identity numbers in what the API has sent and in what was stored, before a person sees it.
-- @module palenca.host.masking
local is_uuid = require("palenca.util.uuid")
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

local function copy_of(value, mask_name, replace)
  local copy = {}
  for name, one in pairs(value) do
    copy[type(name) == "string" and mask_name(name) or name] = replace(name, one)
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
  return copy_of(value, mask, function(_, one)
    return masking.value(one)
  end)
end

-- `ids_info` is a list of `{type, name, value}`.
local function without_values(ids)
  return copy_of(ids, mask, function(_, id)
    return type(id) == "table" and copy_of(id, mask, function(name, one)
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
  return copy_of(row, mask, function(name, one)
    if WORDS[name] and type(one) ~= "table" then
      return WORDS[name]
    elseif name == "ids_info" and type(one) == "table" then
      return without_values(one)
    end
    return masking.row(one)
  end)
end

-- What a member's name says its value is, by the words in it without what stands between them, the
-- first that fits.
local PERSONAL = {
  { "email", "[email]" }, { "correo", "[email]" }, { "phone", "[phone number]" },
  { "mobile", "[phone number]" }, { "whatsapp", "[phone number]" },
  { "telefon", "[phone number]" }, { "teléfon", "[phone number]" },
  { "celular", "[phone number]" }, { "firstname", "[name]" },
  { "lastname", "[name]" }, { "middlename", "[name]" }, { "fullname", "[name]" },
  { "displayname", "[name]" }, { "surname", "[name]" }, { "nickname", "[name]" },
  { "nombre", "[name]" }, { "apellido", "[name]" }, { "address", "[address]" },
  { "street", "[address]" }, { "direccion", "[address]" }, { "dirección", "[address]" },
  { "domicilio", "[address]" }, { "birth", "[date of birth]" },
  { "nacimiento", "[date of birth]" }, { "password", "[secret]" }, { "secret", "[secret]" },
  { "token", "[secret]" }, { "picture", "[picture]" }, { "photo", "[picture]" },
}

-- The same of whole names.
local PERSONAL_NAMES = {
  name = "[name]", names = "[name]", govid = WORDS.gov_id, curp = WORDS.gov_id,
  rfc = WORDS.gov_id, cpf = WORDS.gov_id, cnpj = WORDS.gov_id, cedula = WORDS.gov_id,
  accountnumber = WORDS.account_number, clabe = WORDS.account_number,
  privatekey = WORDS.private_key,
}

-- "firstName" is "first_name", and "FIRST NAME".
local function word_of(name)
  if type(name) ~= "string" then
    return nil
  end
  local plain = name:gsub("[%s_-]", ""):lower()
  if PERSONAL_NAMES[plain] then
    return PERSONAL_NAMES[plain]
  end
  for _, entry in ipairs(PERSONAL) do
    if plain:find(entry[1], 1, true) then
      return entry[2]
    end
  end
end

-- Digits, with what stands between them in a number of a telephone, or in several.
local function mask_phone(text)
  local digits = select(2, text:gsub("%d", ""))
  return digits >= 8 and "[phone number]" or text
end

-- What stands between digits as a space, or a hyphen, does: U+00A0, U+202F, U+2010 to U+2015.
local WIDE = { "\194\160", "\226\128\175", "\226\128[\144-\149]" }

local function mask_text(text)
  if is_uuid(text) or text:find("^%d%d%d%d%-[01]%d%-[0-3]%d$")
    or text:find("^%d%d%d%d%-[01]%d%-[0-3]%d[T ]%d%d:[%d:.]*[Z%d:+-]*$")
  then
    return text
  end
  text = mask(text):gsub("[%w.+_%%\128-\255-]+@[%w\128-\255-]+%.[%w.\128-\255-]+", "[email]")
  if text:find("^%-?%d+%.%d%d$") then -- money
    return text
  end
  local plain = text
  for _, wide in ipairs(WIDE) do
    plain = plain:gsub("(%d)" .. wide .. "%f[%d(]", "%1 ")
  end
  local masked, count = plain:gsub("%f[%w+]%+?%d[%d ().-]+%d%f[%W]", mask_phone)
  return count > 0 and masked or text
end

-- All that a value with a name like this holds, in whatever form.
local function hide(value, word)
  if type(value) == "table" then
    return copy_of(value, mask_text, function(_, one)
      return hide(one, word)
    end)
  end
  return type(value) == "boolean" and value or word
end

local function mask_number(number)
  local text = ("%.17g"):format(number)
  local masked = mask_text(text)
  return masked ~= text and masked or number
end

--- Masks what is of a person in what anybody may have sent: identity numbers, addresses of mail and
-- numbers of telephones in all texts, numbers and names of members, and what members are said to be
-- by their names.
-- @param value as JSON is decoded
-- @return a copy
function masking.personal(value)
  if type(value) == "string" then
    return mask_text(value)
  elseif type(value) == "number" then
    return mask_number(value)
  elseif type(value) ~= "table" then
    return value
  end
  return copy_of(value, mask_text, function(name, one)
    local word = word_of(name)
    if word then
      return hide(one, word)
    elseif name == "ids_info" and type(one) == "table" then
      return without_values(one)
    end
    return masking.personal(one)
  end)
end

return masking

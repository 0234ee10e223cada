--- Whose the accounts of a report are: what it says of each person and of each account, from the
-- accounts' profiles.
-- @module palenca.host.cli.report.workers
local workers = {}

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

local function table_of(value)
  return type(value) == "table" and value or {}
end

-- The identity numbers that a profile has: `{name=, number=}` each.
local function ids_of(data)
  local ids = {}
  for _, id in ipairs(table_of(data.ids_info)) do
    local number = text_of(id.value)
    if number then
      ids[#ids + 1] = { name = text_of(id.name) or text_of(id.type) or "ID", number = number }
    end
  end
  return ids
end

local function name_of(profile)
  return text_of((table.concat({ text_of(profile.first_name) or "", text_of(profile.last_name)
    or "" }, " "):match("^%s*(.-)%s*$")))
end

-- What holds of the account alone.
local function facts_of(data)
  local profile, metrics = table_of(data.profile), table_of(data.metrics_info)
  return { role = text_of(profile.worker_role), city = text_of(profile.city_name),
    trips = text_of(metrics.lifetime_trips), rating = text_of(metrics.rating) }
end

local function key_of(name)
  return (name or ""):lower()
end

-- One of an account that was never connected names nobody.
local function is_empty(profile, ids)
  return #ids == 0 and not name_of(profile) and not text_of(profile.birthday)
end

-- Of a person, the numbers of the same kind; nil: there is none.
local function numbers_like(person, id)
  return person.numbers[key_of(id.name)]
end

local function has_same_number(person, ids)
  for _, id in ipairs(ids) do
    local numbers = numbers_like(person, id)
    if numbers and numbers[key_of(id.number)] then
      return true
    end
  end
  return false
end

-- Numbers of a kind that both have are different ones then.
local function has_same_name(person, ids, name)
  for _, id in ipairs(ids) do
    if numbers_like(person, id) then
      return false
    end
  end
  return person.has_name[key_of(name)] or false
end

-- Appends a text to a list unless it is there.
local function add_text(list, known, text)
  if text and not known[key_of(text)] then
    list[#list + 1] = text
  end
  known[key_of(text)] = true
end

-- Everything that the profiles say, none instead of another.
local function add(person, ids, name, born, unmask)
  add_text(person.names, person.has_name, name)
  add_text(person.births, person.has_birth, born)
  for _, id in ipairs(ids) do
    local numbers = numbers_like(person, id) or {}
    person.numbers[key_of(id.name)] = numbers
    if not numbers[key_of(id.number)] then
      numbers[key_of(id.number)] = true
      table.insert(person.ids, { name = id.name,
        value = unmask and id.number or mask(id.number) })
    end
  end
end

local function join(texts)
  return texts[1] and table.concat(texts, " / ") or nil
end

local function new_person()
  return { names = {}, has_name = {}, births = {}, has_birth = {}, numbers = {}, ids = {} }
end

-- Any number that is the same decides; without one the name, if no number is another one. Each
-- platform writes capitals as it likes.
local function find(people, ids, name)
  for _, has_same in ipairs({ has_same_number, has_same_name }) do
    for _, person in ipairs(people) do
      if has_same(person, ids, name) then
        return person
      end
    end
  end
end

--- Returns the different persons, and what holds of each account.
-- @tparam {table,...} profiles `{account=, profile=}`, the latter as of the API
-- @tparam ?boolean unmask whether identity numbers are shown
-- @treturn {table,...} of each person `name`, `born` (several, if the profiles differ, with a slash
-- between them) and `ids` (`{name=, value=}` each)
-- @treturn {[string]=table} account → one of these
-- @treturn {[string]=table} account → `role`, `city`, `trips`, `rating`
function workers.of(profiles, unmask)
  local people, list, owners, facts = {}, {}, {}, {}
  for _, one in ipairs(profiles) do
    local profile, ids = table_of(one.profile.profile), ids_of(one.profile)
    facts[one.account] = facts_of(one.profile)
    if not is_empty(profile, ids) then
      local name = name_of(profile)
      local person = find(people, ids, name)
      if not person then
        person = new_person()
        people[#people + 1], list[#list + 1] = person, { ids = person.ids }
        person.shown = list[#list]
      end
      add(person, ids, name, text_of(profile.birthday), unmask)
      person.shown.name, person.shown.born = join(person.names), join(person.births)
      owners[one.account] = person.shown
    end
  end
  return list, owners, facts
end

return workers

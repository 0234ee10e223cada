--- Whose the accounts of a report are: what it says of each person, from the accounts' profiles.
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

-- The person, and the numbers by their kind, unmasked.
local function worker_of(data, unmask)
  local profile, metrics = table_of(data.profile), table_of(data.metrics_info)
  local name = table.concat({ text_of(profile.first_name) or "", text_of(profile.last_name) or "" },
    " "):match("^%s*(.-)%s*$")
  local ids, numbers = {}, {}
  for _, id in ipairs(table_of(data.ids_info)) do
    local value = text_of(id.value)
    if value then
      local kind = text_of(id.name) or text_of(id.type) or "ID"
      ids[#ids + 1] = { name = kind, value = unmask and value or mask(value) }
      numbers[kind] = value
    end
  end
  return { name = text_of(name), ids = ids, born = text_of(profile.birthday),
    city = text_of(profile.city_name), role = text_of(profile.worker_role),
    trips = text_of(metrics.lifetime_trips), rating = text_of(metrics.rating) }, numbers
end

-- A number of a kind that both have decides, else the name, whose capitals each platform writes as
-- it likes.
local function is_same(worker, numbers, other, other_numbers)
  for kind, number in pairs(numbers) do
    if other_numbers[kind] then
      return other_numbers[kind] == number
    end
  end
  return (worker.name or ""):lower() == (other.name or ""):lower()
end

-- What one profile leaves out may stand in another.
local function add(worker, numbers, other, other_numbers)
  for _, id in ipairs(other.ids) do
    if not numbers[id.name] then
      numbers[id.name] = other_numbers[id.name]
      table.insert(worker.ids, id)
    end
  end
  for field, value in pairs(other) do
    worker[field] = worker[field] or value
  end
end

--- Returns the different persons.
-- @tparam {table,...} profiles `{account=, profile=}`, the latter as of the API
-- @tparam ?boolean unmask whether identity numbers are shown
-- @treturn {table,...} of each `name`, `ids` (`{name=, value=}` each), `born`, `city`, `role`,
-- `trips` and `rating`
-- @treturn {[string]=table} account → one of these
function workers.of(profiles, unmask)
  local list, numbers_of, owners = {}, {}, {}
  for _, one in ipairs(profiles) do
    local worker, numbers = worker_of(one.profile, unmask)
    local owner
    for _, other in ipairs(list) do
      owner = owner or is_same(worker, numbers, other, numbers_of[other]) and other or nil
    end
    if owner then
      add(owner, numbers_of[owner], worker, numbers)
    else
      list[#list + 1], numbers_of[worker] = worker, numbers
    end
    owners[one.account] = owner or worker
  end
  return list, owners
end

return workers

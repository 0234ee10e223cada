--- The operations of the API: the name and path of each, and whether it is idempotent.
--
-- An operation is a table: `method`; `path`, with `{id}` for the first argument, whose type is
-- `id`; `fields` (name → type, as @{palenca.util.argcheck} has them) for the table that the
-- caller passes; `query` (the fields that go into the query instead of the body); `body` (a
-- function that makes the body of the fields); `idempotent`, if doing it twice is the same as
-- doing it once; `search`, the field of `data` that holds a search's rows; `verify` (a function
-- that returns what is wrong with the fields together). A POST search is idempotent, a POST
-- creation is not.
-- @module palenca.client.resources
local argcheck = require("palenca.util.argcheck")
local core = require("palenca.core")
local gather = require("palenca.runtime.gather")
local inspection = require("palenca.client.inspection")
local pager = require("palenca.client.pager")
local unknown_field = require("palenca.util.unknown_field")

local resources = {}

local members = {}
for _, name in ipairs { "users", "accounts", "logins", "webhooks", "lookups" } do
  for resource, operations in pairs(require("palenca.client.resources." .. name)) do
    members[resource] = operations
  end
end

-- What calls of an operation have in common, made once.
local prepared = {}
for _, operations in pairs(members) do
  for _, operation in pairs(operations) do
    local before, after = operation.path:match("^(.-){id}(.*)$")
    prepared[operation] = {
      before = before, after = after, -- of the id in its path
      more = { idempotent = operation.idempotent, shape = "table" },
    }
  end
end

local function check_period(what, fields, level)
  if fields.start_date and fields.end_date and fields.start_date > fields.end_date then
    error(("%s: start_date (%s) is after end_date (%s)"):format(what, fields.start_date,
      fields.end_date), level + 1)
  end
end

local function escape_id(what, id, level)
  local escaped, problem = core.escape(id)
  if not escaped then
    error(what .. ": id: " .. problem, level + 1)
  end
  return escaped
end

-- All fields in the query are booleans, so there is nothing to escape.
local function with_query(path, names, fields)
  if not names then
    return path
  end
  local parts = {}
  for _, name in ipairs(names) do
    if fields[name] ~= nil then
      parts[#parts + 1] = name .. "=" .. tostring(fields[name])
    end
  end
  return #parts > 0 and path .. "?" .. table.concat(parts, "&") or path
end

local function make_body(operation, fields)
  if not operation.body then
    return nil
  end
  return operation.body(fields)
end

local NONE = {}

-- Returns a copy of the caller's table: a search is sent later, whatever becomes of that.
local function check_fields(name, operation, given, level)
  local fields = argcheck.fields(name, given, operation.fields or NONE, level + 1)
  check_period(name, fields, level + 1)
  local problem = operation.verify and operation.verify(fields)
  if problem then
    error(name .. ": " .. problem, level + 1)
  end
  return fields
end

-- The tables of methods that clients have.
local is_resource = setmetatable({}, { __mode = "k" })

local function check_colon(self, name, level)
  if not is_resource[self or name] then
    local text = ("%s: call it with a colon, as in client.%s(...)"):format(name, name)
    local caller = debug.getinfo(level + 1, "S")
    local place = caller and caller.what ~= "Lua" and caller.what ~= "main" and gather.place()
    error(place and place .. ": " .. text or text, place and 0 or level + 1)
  end
end

local function build(client, name, operation)
  local common = prepared[operation]
  return function(self, ...)
    check_colon(self, name, 2)
    local given, path = (...), operation.path
    if operation.id then
      argcheck.value(name .. ": id", given, operation.id, 2)
      path = common.before .. escape_id(name, given, 2) .. common.after
      given = select(2, ...)
    end
    local fields = check_fields(name, operation, given, 2)
    path = with_query(path, operation.query, fields)
    if operation.search then
      return pager.new(client, operation, path, fields)
    end
    local more = common.more
    if fields.language then
      more = { idempotent = more.idempotent, shape = more.shape, language = fields.language }
    end
    return client:_call(operation.method, path, make_body(operation, fields), more)
  end
end

--- The operations, by their names.
-- @treturn table such as `accounts:get` → its operation
function resources.operations()
  local list = {}
  for resource, operations in pairs(members) do
    for method, operation in pairs(operations) do
      list[resource .. ":" .. method] = operation
    end
  end
  return list
end

--- The names of the resources.
-- @treturn {[string]=table}
function resources.names()
  return members
end

local function reject_unknown(text, level)
  local report = inspection.on_unknown_operation or error
  report(text, level + 1)
end

local metatables = {}
for resource in pairs(members) do
  metatables[resource] = {
    __index = unknown_field.rejector("client." .. resource, members[resource], reject_unknown),
    __call = function()
      error(("client.%s is not a function: it has operations, as in client.%s:%s(...)"):format(
        resource, resource, members[resource].get and "get" or next(members[resource])), 2)
    end,
  }
end

--- Adds the resources to a client: `client.users`, `client.accounts` and the others.
-- @param client the client
function resources.attach(client)
  for resource, operations in pairs(members) do
    local methods = {}
    for method, operation in pairs(operations) do
      methods[method] = build(client, resource .. ":" .. method, operation)
    end
    is_resource[methods] = true
    client[resource] = setmetatable(methods, metatables[resource])
  end
end

return resources

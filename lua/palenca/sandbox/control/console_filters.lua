--- Filters and search of the console's lists, and the worker and platform that a request is about.
-- @module palenca.sandbox.control.console_filters
local json = require("palenca.util.json")
local platforms = require("palenca.sandbox.api.platforms")
local query_string = require("palenca.sandbox.http.query_string")

local console_filters = {}

-- A larger body is not searched for ids.
local BODY_MAX = 64 * 1024

--- Returns whether a value is the one that a filter names.
-- @tparam ?string wanted the filter; nil and "": all
-- @tparam ?string value the record's value
-- @treturn boolean whether it is
function console_filters.equals(wanted, value)
  return wanted == nil or wanted == "" or wanted == value
end

--- Returns whether a status is one of a class.
-- @tparam ?string wanted a status such as "404", or a class such as "4xx"; nil and "": all
-- @tparam integer status the HTTP status
-- @treturn boolean whether it is
function console_filters.has_status(wanted, status)
  return wanted == nil or wanted == "" or wanted == tostring(status)
    or wanted == status // 100 .. "xx"
end

--- Returns whether each word of a search occurs in a record's texts, in any case.
-- @tparam ?string search the words; nil and "": all records
-- @tparam table texts by any keys
-- @treturn boolean whether they do
function console_filters.matches(search, texts)
  if not search or not search:find("%S") then
    return true
  end
  local parts = {}
  for _, text in pairs(texts) do
    parts[#parts + 1] = text
  end
  local haystack = table.concat(parts, "\n"):lower()
  for word in search:lower():gmatch("%S+") do
    if not haystack:find(word, 1, true) then
      return false
    end
  end
  return true
end

local function body_of(text)
  if not text or #text > BODY_MAX or not text:find("^%s*{") then
    return {}
  end
  local ok, given = pcall(json.decode, text)
  return ok and type(given) == "table" and given or {}
end

local function text_or_nil(value)
  return type(value) == "string" and value ~= "" and value or nil
end

local function find_subject(store, entry)
  local query, body = query_string.parameters(entry.query), body_of(entry.request_body)
  local function given(name)
    return text_or_nil(query[name]) or text_or_nil(body[name])
  end
  local login = store.login:get(entry.path:match("^/v1/logins/([^/]+)"))
  local account = store.account:get(entry.path:match("^/v1/accounts/([^/]+)")
    or login and login.account_id or given("account_id"))
  local user = store.user:get(account and account.user_id
    or entry.path:match("^/v1/users/(%x+%-[%x-]+)") or given("user_id"))
  local platform = account and account.platform or given("platform")
  return {
    external_id = user and user.external_id or given("external_id"),
    platform = platforms.name(platform) and platform,
  }
end

--- The worker and the platform that a request is about, as its path, query and body name them.
-- Found once for each request: the account may be deleted later.
-- @param store the sandbox's store
-- @tparam table entry a request of the log
-- @treturn table `external_id`, `platform`, either may be nil
function console_filters.subject_of(store, entry)
  if not entry.subject then
    entry.subject = find_subject(store, entry)
  end
  return entry.subject
end

return console_filters

--- Responds to the requests of a test: with what the test has set, else with what its workers have.
-- @module palenca.testing.api
local http_response = require("palenca.testing.response")
local worker = require("palenca.testing.worker")

local api = {}

local PAGE_MAX = 1000

-- ---- what the workers have -------------------------------------------------------------

local function timestamp(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(seconds))
end

local function account_of(one, with_user)
  return {
    account_id = one.account_id,
    user_id = with_user and one.user_id or nil,
    country = one.country,
    platform = one.platform,
    identifier = one.external_id .. "@example.com",
    worker_id = one.login_id,
    last_successful_connection = one.status == "success" and timestamp(one.connected) or nil,
    warning = one.warning,
    status = one.status,
    status_details = one.status_details,
    created_at = timestamp(one.connected),
  }
end

local function user_of(one)
  return { user_id = one.user_id, external_id = one.external_id, widget_id = one.widget_id }
end

local function login_of(one)
  return {
    id = one.login_id, account_id = one.account_id, platform = one.platform, status = one.status,
    status_details = one.status_details, source = "widget", created_at = timestamp(one.connected),
    updated_at = timestamp(one.connected),
  }
end

-- A history that changes while it is read loses its newest row before a page after the first.
local function change_rows(one, page)
  if page > 1 and one.changes > 0 and #one.rows > 0 then
    one.changes = one.changes - 1
    table.remove(one.rows, 1)
  end
end

local function page_of(rows, options)
  local page = options.page or 1
  local size = math.min(options.items_per_page or 100, PAGE_MAX)
  local items = {}
  for at = (page - 1) * size + 1, math.min(page * size, #rows) do
    items[#items + 1] = rows[at]
  end
  return items, {
    page = page, items_per_page = size, total_items = #rows,
    total_pages = math.ceil(#rows / size),
  }
end

-- `day_of` returns the day of a row.
local function search(one, rows, name, request, day_of)
  local options = request.body.options or {}
  local found = {}
  for _, row in ipairs(rows) do
    local day = day_of(row)
    if not day or day >= request.body.start_date and day <= request.body.end_date then
      found[#found + 1] = row
    end
  end
  local items, pagination = page_of(found, options)
  return http_response.page({ account_id = one.account_id, [name] = http_response.list(items) },
    pagination)
end

local function with(list, name, value, make)
  local items = {}
  for _, one in ipairs(list) do
    if one[name] == value then
      items[#items + 1] = make(one)
    end
  end
  return http_response.list(items)
end

local function find(list, name, value)
  for at, one in ipairs(list) do
    if one[name] == value then
      return one, at
    end
  end
end

-- Of an account: what is found of the path's id.
local account_routes = {
  ["GET "] = function(_, one, request)
    return http_response.data(account_of(one, request.query == "add_user_id=true"))
  end,
  ["DELETE "] = function(self, one)
    table.remove(self.workers, select(2, find(self.workers, "account_id", one.account_id)))
    return http_response.data(account_of(one))
  end,
  ["GET /user"] = function(_, one)
    return http_response.data(user_of(one))
  end,
  ["GET /profile"] = function(_, one)
    return http_response.data(one.profile)
  end,
  ["GET /employment"] = function(_, one)
    return http_response.data(one.employment)
  end,
  ["GET /logins"] = function(_, one)
    return http_response.data({ logins = http_response.list { login_of(one) } })
  end,
  ["POST /earnings/search"] = function(_, one, request)
    change_rows(one, request.body.options and request.body.options.page or 1)
    return search(one, one.rows, "earnings", request, function(row)
      return row.earning_date
    end)
  end,
  ["POST /events/search"] = function(_, one, request)
    return search(one, one.trips, "events", request, function(row)
      return row.start_date and row.start_date:sub(1, 10)
    end)
  end,
}

local user_routes = {
  ["GET "] = function(_, one)
    return http_response.data(user_of(one))
  end,
  ["DELETE "] = function(self, one)
    for at = #self.workers, 1, -1 do
      if self.workers[at].user_id == one.user_id then
        table.remove(self.workers, at)
      end
    end
    return http_response.data(user_of(one))
  end,
  ["GET /accounts"] = function(self, one)
    return http_response.data({ user_id = one.user_id,
      accounts = with(self.workers, "user_id", one.user_id, account_of) })
  end,
}

local function create_user(self, request)
  self.created_users = (self.created_users or 0) + 1
  local one = {
    user_id = request.body.user_id or worker.id(4, self.created_users),
    external_id = request.body.external_id, widget_id = request.body.widget_id,
  }
  table.insert(self.users, one)
  return http_response.data(user_of(one), 201)
end

-- Returns nil if only the test can say what is there.
local function of_workers(self, request)
  if request.method == "POST" and request.path == "/v1/users" then
    return create_user(self, request)
  end
  local kind, id, rest = request.path:match("^/v1/(%l+)/([^/]+)(.*)$")
  local route = request.method .. " " .. (rest or "")
  if kind == "accounts" and account_routes[route] then
    local one = find(self.workers, "account_id", id:lower())
    return one and account_routes[route](self, one, request) or http_response.not_found("account")
  elseif kind == "users" and user_routes[route] then
    local one = find(self.workers, "user_id", id) or find(self.users, "user_id", id)
    return one and user_routes[route](self, one, request) or http_response.not_found("user")
  elseif kind == "logins" and route == "GET " then
    local one = find(self.workers, "login_id", id:lower())
    return one and http_response.data(login_of(one)) or http_response.not_found("login")
  end
end

-- ---- what the test has set -------------------------------------------------------------

-- A place ends with * if anything may come after it.
local function is_at(entry, place)
  local start = entry.place and entry.place:match("^(.*)%*$")
  if start then
    return place:sub(1, #start) == start
  end
  return not entry.place or place == entry.place
end

--- The first of what a test has set for a request, which counts as used.
-- @tparam {table,...} entries `method`, `place` (a path or URL), `times`, and `outcome`
-- @tparam table request
-- @treturn ?table its outcome
function api.take(entries, request)
  for at, entry in ipairs(entries) do
    if (not entry.method or entry.method == request.method)
      and is_at(entry, rawget(request, "url") or request.path)
    then
      entry.used = entry.used + 1
      if entry.times and entry.used >= entry.times then
        table.remove(entries, at)
      end
      return entry.outcome
    end
  end
end

--- Responds to a request to the API.
-- @tparam table self the session
-- @tparam table request `method`, `path`, `query`, and `body`, decoded
-- @treturn ?table the outcome of the attempt; nil if there is none
function api.respond(self, request)
  return api.take(self.faults, request) or api.take(self.responses, request)
    or of_workers(self, request)
end

return api

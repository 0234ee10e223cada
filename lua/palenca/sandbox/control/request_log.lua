--- Keeps the last API requests, with their responses, for the console.
-- @module palenca.sandbox.control.request_log
local date = require("palenca.util.date")
local render = require("palenca.sandbox.data.render")

local request_log = {}
request_log.__index = request_log

local KEPT = 500

local names = {
  "request_id", "at", "method", "path", "query", "status", "fault", "external_id", "platform",
}
local summary_shape = render.shape(names)
local full_shape = render.shape {
  "request_headers", "request_body", "response_headers", "response_body", table.unpack(names),
}

--- Creates an empty log.
-- @treturn requests the list
function request_log.new()
  return setmetatable({ ring = {}, count = 0 }, request_log)
end

--- Adds a request with its response; the oldest one is removed.
-- @tparam table entry `request_id, at, method, path, query, status, fault, request_headers,
-- request_body, response_headers, response_body`; not changed later
function request_log:keep(entry)
  self.ring[self.count % KEPT + 1] = entry
  self.count = self.count + 1
end

--- The requests that are kept, the newest first.
-- @treturn table the list
function request_log:newest()
  local list = {}
  for at = self.count, math.max(1, self.count - KEPT + 1), -1 do
    list[#list + 1] = self.ring[(at - 1) % KEPT + 1]
  end
  return list
end

--- Finds a request.
-- @tparam string request_id its id
-- @treturn ?table the request
function request_log:get(request_id)
  for _, entry in pairs(self.ring) do
    if entry.request_id == request_id then
      return entry
    end
  end
  return nil
end

-- A body may be any bytes, but the console shows text.
local function readable(text)
  return text and (utf8.len(text) and text or ("(%d bytes that are not text)"):format(#text))
end

-- The key is not shown, since others may see the screen.
local function masked(headers)
  local shown = {}
  for name, value in pairs(headers) do
    shown[readable(name)] = name == "x-api-key" and "…" or readable(value)
  end
  return shown
end

local function with_texts(entry, subject, more)
  more.at = date.timestamp(entry.at)
  more.path, more.query = readable(entry.path), readable(entry.query)
  more.external_id, more.platform = readable(subject.external_id), subject.platform
  return setmetatable(more, { __index = entry })
end

--- The JSON of a request in a list.
-- @tparam table entry the request
-- @tparam table subject `external_id`, `platform`, as @{console_filters.subject_of} finds them
-- @treturn table the object, marked as JSON text
function request_log.render(entry, subject)
  return summary_shape(with_texts(entry, subject, {}))
end

--- The JSON of a request with all that is kept of it.
-- @tparam table entry the request
-- @tparam table subject as for @{request_log.render}
-- @treturn table the object, marked as JSON text
function request_log.render_full(entry, subject)
  return full_shape(with_texts(entry, subject, {
    request_headers = masked(entry.request_headers),
    request_body = readable(entry.request_body),
    response_body = readable(entry.response_body),
  }))
end

return request_log

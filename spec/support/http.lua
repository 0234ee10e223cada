--- A small HTTP client for the specs: it sends exactly the given bytes.
local uv = require("luv")
local process = require("spec.support.process")

local http = {}

--- Takes the first message that is complete from what was received; an interim response (100) is
-- one, too.
-- @tparam string raw
-- @treturn ?table `{start=, status=, headers=, body=}`: the line that it starts with, and of a
-- response the status; nil if none is complete
-- @treturn string what follows it
function http.take(raw)
  local ends = raw:find("\r\n\r\n", 1, true)
  if not ends then
    return nil, raw
  end
  local head, first = raw:sub(1, ends + 1), ends + 4
  local headers = {}
  for name, value in head:gmatch("\r\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
    headers[name:lower()] = value
  end
  local length = tonumber(headers["content-length"] or "0")
  if #raw - first + 1 < length then
    return nil, raw
  end
  return { start = head:match("^[^\r]*"), status = tonumber(head:match("^HTTP/1%.1 (%d+)")),
    headers = headers, body = raw:sub(first, first + length - 1) }, raw:sub(first + length)
end

--- Opens a connection, writes the bytes, and waits for a response or the end of the connection.
-- @tparam string url whose host and port to connect to
-- @tparam string bytes what is sent
-- @treturn ?table `{status=, headers=, body=}`; nil if the connection ended without a response
function http.raw(url, bytes)
  local host, port = url:match("^http://([%d.]+):(%d+)")
  local socket = uv.new_tcp()
  local received, ended, response = "", false, nil
  socket:connect(host, tonumber(port), function(problem)
    if problem then
      ended = true
      return
    end
    socket:read_start(function(_, data)
      if data then
        received = received .. data
        response = http.take(received)
      else
        ended = true
      end
    end)
    socket:write(bytes)
  end)
  process.wait_for(function()
    return response or ended
  end, "a response from " .. url)
  socket:close()
  return response
end

--- Sends a request and returns what came back.
-- @tparam string method such as "POST"
-- @tparam string url with its path
-- @tparam ?string body
-- @tparam ?table headers name → value
function http.request(method, url, body, headers)
  local lines = { string.format("%s %s HTTP/1.1", method, url:match("^http://[^/]+(/.*)$") or "/") }
  local all = { Host = url:match("^http://([^/]+)"), Connection = "close" }
  if body then
    all["Content-Length"] = tostring(#body)
    all["Content-Type"] = "application/json"
  end
  for name, value in pairs(headers or {}) do
    all[name] = value
  end
  for name, value in pairs(all) do
    lines[#lines + 1] = name .. ": " .. value
  end
  return http.raw(url, table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or ""))
end

return http

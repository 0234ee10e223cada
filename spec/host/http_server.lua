--- An HTTP server inside a spec, which keeps the requests that it gets.
local uv = require("luv")
local http = require("spec.support.http")
local process = require("spec.support.process")

local http_server = {}

local Server = {}
Server.__index = Server

local function take_request(raw)
  local request, rest = http.take(raw)
  if request then
    request.method, request.path = request.start:match("^(%u+) (%S+)")
  end
  return request, rest
end

local function respond(socket)
  return function(status, body, headers)
    local lines = {}
    for name, value in pairs(headers or {}) do
      lines[#lines + 1] = name .. ": " .. value .. "\r\n"
    end
    if not socket:is_closing() then
      socket:write(string.format("HTTP/1.1 %d Reason\r\n%sContent-Length: %d\r\n\r\n%s", status,
        table.concat(lines), #(body or ""), body or ""))
    end
  end
end

local function accept(self)
  local socket, raw = uv.new_tcp(), ""
  self.socket:accept(socket)
  self.clients[#self.clients + 1] = socket
  socket:read_start(function(_, data)
    if not data then
      if not socket:is_closing() then
        socket:close()
      end
      return
    end
    raw = raw .. data
    local request
    request, raw = take_request(raw)
    while request do
      request.respond = respond(socket)
      request.is_gone = function()
        return socket:is_closing()
      end
      request.abort = function()
        socket:close()
      end
      self.requests[#self.requests + 1] = request
      self.on_request(request, self)
      request, raw = take_request(raw)
    end
  end)
end

--- Waits until a request for a path has come; returns the `n`th such one (default the first).
function Server:wait_request(path, n)
  return process.wait_for(function()
    return self:find(path, n)
  end, "a request for " .. path)
end

--- The `n`th request for a path that has come, or nil.
function Server:find(path, n)
  local left = n or 1
  for _, request in ipairs(self.requests) do
    if request.path == path then
      left = left - 1
      if left == 0 then
        return request
      end
    end
  end
  return nil
end

function Server:close()
  for _, socket in ipairs(self.clients) do
    if not socket:is_closing() then
      socket:close()
    end
  end
  if not self.socket:is_closing() then
    self.socket:close()
  end
end

--- Starts one: `on_request(request)` is called for each request, which has `method`, `path`,
-- `headers`, `body`, `respond(status, body, headers)`, `abort()`, which ends the connection, and
-- `is_gone()`, whether its sender has closed; default: 200 at once.
function http_server.listen(on_request)
  local self = setmetatable({
    socket = uv.new_tcp(),
    clients = {},
    requests = {},
    on_request = on_request or function(request)
      request.respond(200, "{}")
    end,
  }, Server)
  assert(self.socket:bind("127.0.0.1", 0))
  assert(self.socket:listen(1024, function()
    accept(self)
  end))
  self.url = "http://127.0.0.1:" .. self.socket:getsockname().port
  return self
end

return http_server

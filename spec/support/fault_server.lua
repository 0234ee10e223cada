--- A server with one fault for every request, chosen by the first segment of its path.
--
-- `lua5.4 spec/support/fault_server.lua` prints the port it listens on. A segment may carry an
-- argument behind a colon, as in `/error:bad_request:422/v1/users`. `/stats` returns what was seen.
-- It ends when its standard input does.
local cjson = require("cjson")
local uv = require("luv")
local connection = require("spec.support.fault_connection")
local pages = require("spec.support.fault_pages")
local responses = require("spec.support.fault_responses")

-- Only a bound against being left behind; the end of its input comes first.
local LONGEST_LIFE = 600000

local GOOD, message = responses.GOOD, responses.message

local stats, waiting = connection.stats, connection.waiting
local write, close, send = connection.write, connection.close, connection.send

local idle = {} -- sockets on which a response is sent that nobody asked for, once /push comes

local faults = {}

for name, fault in pairs(pages) do
  faults[name] = fault
end

for name, bytes in pairs(responses.fixed) do
  faults[name] = function(socket)
    write(socket, bytes)
  end
end

for name, bytes in pairs(responses.ended) do
  faults[name] = function(socket)
    write(socket, bytes, function()
      close(socket)
    end)
  end
end

function faults.reset(socket)
  socket:close_reset()
end

-- A few bytes at a time, each as soon as those before it are on their way.
function faults.drip(socket)
  local bytes, at = message(200, GOOD), 1
  local function more()
    if at <= #bytes then
      write(socket, bytes:sub(at, at + 6), more)
      at = at + 7
    end
  end
  more()
end

-- What is behind the announced length must not be taken for the next response.
function faults.short_length(socket, request)
  local length = request.number == 1 and #GOOD - 5 or #GOOD
  send(socket, 200, GOOD, { ["Content-Length"] = length })
end

-- A response that nobody has asked for.
local function stray()
  return message(200, '{"success":true,"error":null,"data":{"ok":"stray"}}')
end

function faults.idle(socket)
  idle[#idle + 1] = socket
  send(socket, 200, GOOD)
end

-- Both at once.
function faults.behind(socket)
  write(socket, message(200, GOOD) .. stray())
end

-- Calls `done` once all of it is on its way.
local function push(done)
  local sockets = idle
  idle = {}
  local left = #sockets
  for _, socket in ipairs(sockets) do
    write(socket, stray(), function()
      left = left - 1
      if left == 0 then
        done()
      end
    end)
  end
end

-- What a proxy says to CONNECT; the first label of the host has the status, as in status-407.
function faults.connect(socket, request)
  send(socket, tonumber(request.target:match("^status%-(%d+)%.")), "no", {
    ["X-Request-Id"] = "proxy", ["Retry-After"] = "77", ["X-RateLimit-Remaining"] = "0",
  })
end

-- Never responds.
function faults.silence() end

function faults.huge_body(socket)
  send(socket, 200, ("x"):rep(17 * 1024 * 1024))
end

function faults.huge_headers(socket)
  local headers = {}
  for i = 1, 400 do
    headers["X-Filler-" .. i] = ("x"):rep(1000)
  end
  send(socket, 200, GOOD, headers)
end

function faults.huge_header(socket)
  send(socket, 200, GOOD, { ["X-Filler"] = ("x"):rep(400000) })
end

-- error:CODE:STATUS
function faults.error(socket, request)
  local code, status = request.argument:match("^([%w_]+):(%d+)$")
  local problem = {
    code = code,
    message = "About " .. code,
    errors = { { message = "look here", location = "body.field" } },
  }
  send(socket, tonumber(status), cjson.encode { success = false, error = problem })
end

-- Repeats the key to the one who sent it, as a careless server might.
function faults.echo(socket, request)
  local key = request.headers["x-api-key"] or "none"
  local problem = {
    code = "invalid_api_key",
    message = "The key " .. key .. " is not known",
    errors = { { message = "not " .. key, location = key } },
  }
  send(socket, 401, cjson.encode { success = false, error = problem }, { ["X-Request-Id"] = key })
end

-- status:NUMBER, with the request's body as its own
function faults.status(socket, request)
  send(socket, tonumber(request.argument), request.body, { ["X-Seen"] = request.method })
end

-- together:N — sends no response until N such requests wait for one.
function faults.together(_, request)
  local sockets = {}
  for socket, fault in pairs(waiting) do
    sockets[#sockets + 1] = fault == "together" and socket or nil
  end
  if #sockets >= tonumber(request.argument) then
    for _, socket in ipairs(sockets) do
      send(socket, 200, GOOD)
    end
  end
end

-- ---- connections -------------------------------------------------------------------

local function read_request(buffer)
  local head, rest = buffer:match("^(.-\r\n)\r\n(.*)$")
  if not head then
    return nil
  end
  local request = { headers = {}, values = {} }
  request.method, request.target = head:match("^(%u+) (%S+)")
  for name, value in head:gmatch("\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
    name = name:lower()
    request.headers[name] = value
    request.values[name] = request.values[name] or {}
    table.insert(request.values[name], value)
  end
  local length = tonumber(request.headers["content-length"] or 0)
  if #rest < length then
    return nil
  end
  request.body = rest:sub(1, length)
  return request, rest:sub(length + 1)
end

local function respond(socket, request)
  request.path = request.target:match("^[^?]*")
  local fault, argument = request.path:match("^/([%w_]*):?([^/]*)")
  if request.method == "CONNECT" then
    fault, argument = "connect", ""
  end
  stats.requests = stats.requests + 1
  stats.paths[request.path] = (stats.paths[request.path] or 0) + 1
  stats.last = {
    method = request.method,
    target = request.target,
    headers = request.headers,
    values = request.values,
    body = request.body,
  }
  request.number = stats.paths[request.path]
  request.argument = argument ~= "" and argument or nil
  local handler = faults[fault]
  waiting[socket] = fault
  if handler then
    handler(socket, request)
  else
    send(socket, 404, '{"detail":"There is no fault of this name"}')
  end
end

local function serve(socket)
  local buffer, counted = "", false
  socket:read_start(function(problem, data)
    if problem or not data then
      close(socket)
      waiting[socket] = nil
      stats.open = stats.open - (counted and 1 or 0)
      return
    end
    buffer = buffer .. data
    local request, rest = read_request(buffer)
    if not request then
      return
    end
    buffer = rest
    if request.target == "/stats" then
      stats.waiting = 0
      for _ in pairs(waiting) do
        stats.waiting = stats.waiting + 1
      end
      send(socket, 200, cjson.encode(stats))
      return
    elseif request.target == "/push" then
      push(function()
        send(socket, 200, GOOD)
      end)
      return
    end
    if not counted then
      counted = true
      stats.connections = stats.connections + 1
      stats.open = stats.open + 1
    end
    respond(socket, request)
  end)
end

local listener = uv.new_tcp()
assert(listener:bind("127.0.0.1", 0))
assert(listener:listen(128, function()
  local socket = uv.new_tcp()
  listener:accept(socket)
  serve(socket)
end))

local input = uv.new_pipe(false)
assert(input:open(0))
input:read_start(function(_, data)
  if not data then
    os.exit(0)
  end
end)
uv.new_timer():start(LONGEST_LIFE, 0, function()
  os.exit(1)
end)

io.stdout:write(listener:getsockname().port, "\n")
io.stdout:flush()
uv.run()

--- What one writes by hand in nginx to call the API over HTTP/1.1: cosockets with kept connections,
-- and the response read by its length or in chunks. Its requests have the headers of the module's.
local http = {}

local TIMEOUT = 30000 -- ms
local IDLE, POOL = 60000, 128 -- ms, connections
local MAX_BODY = 16 * 1024 * 1024

local function read_head(socket)
  local line, problem = socket:receive("*l")
  if not line then
    return nil, problem
  end
  local status = tonumber(line:match("^HTTP/1%.1 (%d%d%d)"))
  if not status then
    return nil, "no HTTP response"
  end
  local headers = {}
  while true do
    line, problem = socket:receive("*l")
    if not line then
      return nil, problem
    elseif line == "" then
      return status, headers
    end
    local name, value = line:match("^([^:%s]+):%s*(.-)%s*$")
    if not name then
      return nil, "an invalid header"
    end
    headers[name:lower()] = value
  end
end

local function read_chunks(socket)
  local parts, size = {}, 0
  while true do
    local line, problem = socket:receive("*l")
    local length = line and tonumber(line:match("^%x+"), 16)
    if not length then
      return nil, problem or "an invalid chunk"
    end
    size = size + length
    if size > MAX_BODY then
      return nil, "the response is too large"
    elseif length == 0 then
      break
    end
    parts[#parts + 1], problem = socket:receive(length)
    if problem or not socket:receive(2) then
      return nil, problem or "closed"
    end
  end
  local line, problem
  repeat
    line, problem = socket:receive("*l") -- trailers
  until not line or line == ""
  return line and table.concat(parts), problem
end

local function read_body(socket, headers)
  if headers["transfer-encoding"] then
    return read_chunks(socket)
  end
  local length = tonumber(headers["content-length"])
  if not length or length > MAX_BODY then
    return nil, "no length"
  end
  return socket:receive(length)
end

local function exchange(socket, request)
  local sent, problem = socket:send(request)
  if not sent then
    return nil, problem
  end
  local status, headers = read_head(socket)
  if not status then
    return nil, headers
  end
  local body
  body, problem = read_body(socket, headers)
  if not body then
    return nil, problem
  end
  if headers.connection == "close" then
    socket:close()
  else
    socket:setkeepalive(IDLE, POOL)
  end
  return status, body
end

--- Sends one request; returns status and body, or nil and the problem.
function http.get(host, port, path, key)
  local socket = ngx.socket.tcp()
  socket:settimeouts(TIMEOUT, TIMEOUT, TIMEOUT)
  local connected, problem = socket:connect(host, port, { pool_size = POOL })
  if not connected then
    return nil, problem
  end
  local status, body = exchange(socket, {
    "GET ", path, " HTTP/1.1\r\nHost: ", host, ":", tostring(port),
    "\r\nUser-Agent: by-hand/1.0\r\nAccept-Encoding: identity\r\nx-api-key: ", key,
    "\r\nAccept: application/json\r\n\r\n",
  })
  if not status then
    socket:close()
  end
  return status, body
end

return http

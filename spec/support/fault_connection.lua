--- What the files of `spec/support/fault_server.lua` share: what was seen, and how it responds.
local responses = require("spec.support.fault_responses")

local connection = {
  stats = { connections = 0, open = 0, requests = 0, paths = {}, pages = {}, last = {} },
  waiting = {}, -- sockets whose request has no response, nor was aborted → the fault
}

--- Sends bytes, and then calls a function.
function connection.write(socket, bytes, at_end)
  connection.waiting[socket] = nil
  if not socket:is_closing() then
    socket:write(bytes, at_end)
  end
end

function connection.close(socket)
  if not socket:is_closing() then
    socket:close()
  end
end

--- Sends a response: its status, body and headers.
function connection.send(socket, ...)
  connection.write(socket, responses.message(...))
end

return connection

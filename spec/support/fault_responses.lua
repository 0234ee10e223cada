--- The responses of spec/support/fault_server.lua that are the same whatever the request was.
local responses = {}

responses.GOOD = '{"success":true,"error":null,"data":{"ok":true}}'
responses.PAGE = "<!DOCTYPE html>\n<html><body>Bad gateway</body></html>"

local GOOD, PAGE = responses.GOOD, responses.PAGE

--- Renders a response.
-- @tparam number status
-- @tparam string body
-- @tparam ?table headers name → value, beside or instead of the usual ones
-- @treturn string
function responses.message(status, body, headers)
  local lines = { "HTTP/1.1 " .. status .. " Reason" }
  local all = { ["X-Request-Id"] = "fault-request", ["Content-Type"] = "application/json" }
  if status ~= 204 then
    all["Content-Length"] = #body
  end
  for name, value in pairs(headers or {}) do
    all[name] = value
  end
  for name, value in pairs(all) do
    lines[#lines + 1] = name .. ": " .. value
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. body
end

local message = responses.message

--- Fault → the bytes of its response.
responses.fixed = {
  good = message(200, GOOD),
  html_502 = message(502, PAGE, { ["Content-Type"] = "text/html" }),
  html_200 = message(200, PAGE, { ["Content-Type"] = "text/html" }),
  cut_json = message(200, GOOD:sub(1, -12)),
  empty = message(200, ""),
  no_content = message(204, ""),
  detail_text = message(400, '{"detail":"There was an error parsing the body"}'),
  detail_number = message(422, '{"detail":5}'),
  detail_list = message(
    422,
    '{"detail":[{"loc":["body","options","page"],"msg":"must be a number",'
      .. '"type":"type_error.integer"},{"loc":["body","items",0],"msg":"is odd"}]}'
  ),
  rejected_200 = message(
    200,
    '{"success":false,"error":{"code":"platform_error","message":"The platform failed",'
      .. '"errors":[]},"data":null}'
  ),
  bare_array = message(200, "[1,2,3]"),
  bare_number = message(200, "5"),
  data_number = message(200, '{"success":true,"data":5,"pagination":{"page":1}}'),
  pagination_number = message(200, '{"success":true,"data":{"users":[]},"pagination":5}'),
  errors_null = message(
    422,
    '{"success":false,"error":{"code":"bad_request","message":"Two fields are wrong","errors":'
      .. '[null,{"message":"is odd","location":"body.page"}]},"data":null}'
  ),
  redirect = message(302, "", { Location = "/redirected/v1/users" }),
  rich = message(
    200,
    '{"success":true,"error":null,"data":{"count":3,"rate":0.5,"nothing":null,'
      .. '"inner":{"nothing":null,"new_field":"kept"},"list":[{"trips":9}]}}',
    {
      ["X-RateLimit-Limit"] = "120",
      ["X-RateLimit-Remaining"] = "119",
      ["X-RateLimit-Reset"] = "1900000000",
    }
  ),
  same_headers = message(200, GOOD, {
    ["X-Request-Id"] = "one\r\nX-Request-Id: two\r\nX-RateLimit-Limit: 5\r\nX-RateLimit-Limit: 6",
    ["Content-Length"] = #GOOD .. "\r\nContent-Length: " .. #GOOD,
  }),
  cookies = message(200, GOOD, {
    ["Set-Cookie"] = "a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT\r\nset-cookie: b=2",
    ["X-Twice"] = "one\r\nx-twice: two",
    ["X-Folded"] = "one\r\n\t two\r\n three: 3",
  }),
  -- Half of what its length promises, in a stream that is not compressed; the message is complete.
  half_gzip = message(200, "\31\139\8\0\0\0\0\0\0\3\1"
    .. string.pack("<I2I2", #GOOD, ~#GOOD & 0xffff) .. GOOD:sub(1, #GOOD // 2), {
    ["Content-Encoding"] = "gzip",
  }),
}

--- The same, of responses that end the connection.
responses.ended = {
  garbage = "SSH-2.0-OpenSSH_9.2p1\r\n" .. ("\0\1\2\3"):rep(64) .. "\r\n",
  long_length = message(200, GOOD, { ["Content-Length"] = #GOOD + 5 }),
}

return responses

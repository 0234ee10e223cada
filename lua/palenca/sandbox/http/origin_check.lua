--- Rejects requests of other web pages in the developer's browser to paths that need no key.
-- @module palenca.sandbox.http.origin_check
local response = require("palenca.sandbox.http.response")

-- A public name may be another page's that resolves to this machine (DNS rebinding): what is taken
-- are numeric addresses and names without a dot, such as localhost or a container's.
local function is_local(host)
  local name = host:match("^(.-):?%d*$"):lower()
  return not name:find(".", 1, true) or name:find("^[%d.]+$") or name:find("%.localhost$")
    or host:find("^%[[%x:.]+%]:?%d*$")
end

--- Checks a request that needs no key.
-- @tparam table request `method`, `path`, `headers`
-- @treturn ?table the response that turns it away
return function(request)
  local headers = request.headers
  local host, origin = headers.host, headers.origin
  local kind = (headers["content-type"] or ""):lower()
  if host and not is_local(host) then
    return response.failure(403, "access_forbidden",
      "this is for numeric addresses, localhost and names without a dot")
  elseif origin and origin:gsub("^%a+://", "") ~= host then
    return response.failure(403, "access_forbidden", "other pages have no access")
  elseif request.body ~= "" and not kind:find("^application/json%f[^%w]") then
    return response.failure(415, "bad_request", "the body's Content-Type must be application/json")
  end
  return nil
end

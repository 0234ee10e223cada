--- Keeps other pages from using the admin page's paths through the browser of whoever may use them.
-- Which names the listener has is checked before.
-- @module palenca.host.admin_guard

local admin_guard = {}

--- The header that every POST has to have. No form can send it, and no script of another origin
-- without being allowed to, which it is not.
admin_guard.HEADER = "x-palenca-admin"

local function check_post(headers)
  local kind = (headers["content-type"] or ""):lower():match("^%s*(.-)%s*$")
  if kind ~= "application/json" and not kind:find("^application/json%s*;") then
    return 415, "Content-Type must be application/json"
  elseif headers[admin_guard.HEADER] ~= "1" then
    return 403, "the header X-Palenca-Admin must be 1"
  end
end

-- Whoever follows a link to the page has it in a window of its own, which the other page can
-- neither read nor have do anything.
local function is_link_to_page(request)
  local headers = request.headers
  return request.method == "GET" and request.path == "/"
    and headers["sec-fetch-mode"] == "navigate" and headers["sec-fetch-dest"] == "document"
end

--- Checks a request.
-- @tparam table request `method, path, headers`
-- @treturn ?integer the status that rejects it; nil: it is allowed
-- @treturn ?string why
function admin_guard.check(request)
  local headers = request.headers
  local site, origin = headers["sec-fetch-site"], headers.origin
  if site and site ~= "same-origin" and site ~= "none" and not is_link_to_page(request) then
    return 403, "requests from other pages are rejected (Sec-Fetch-Site)"
  elseif origin and (not headers.host or origin ~= "http://" .. headers.host) then
    return 403, "requests from other pages are rejected (Origin)"
  elseif request.method == "POST" then
    return check_post(headers)
  end
end

return admin_guard

--- Builds responses: the API's envelope, its failures, and its validation reports.
-- @module palenca.sandbox.http.response
local render = require("palenca.sandbox.data.render")

local response = {}

local failure_shape = render.shape { "success", "error", "data" }
local error_shape = render.shape { "code", "message", "errors" }
local detail_shape = render.shape { "message", "location" }
local fault_shape = render.shape { "loc", "msg", "type" }
local pagination_shape = render.shape { "page", "items_per_page", "total_items", "total_pages" }

--- A response that succeeded.
-- @param data the requested data, as @{render.text} takes it
-- @tparam[opt=200] integer status the HTTP status
-- @tparam ?table pagination `page`, `items_per_page`, `total_items`, `total_pages`
-- @treturn table the response: `status`, `body`
function response.success(data, status, pagination)
  local tail = pagination and ',"pagination":' .. pagination_shape(pagination).text or ""
  return {
    status = status or 200,
    body = '{"success":true,"error":null,"data":' .. render.text(data) .. tail .. "}",
  }
end

--- A response that failed.
-- @tparam integer status the HTTP status
-- @tparam string code the API's code
-- @tparam string message what went wrong, for a person
-- @tparam ?string location the field it is about
-- @treturn table the response: `status`, `body`
function response.failure(status, code, message, location)
  local errors = { location and detail_shape { message = message, location = location } }
  local body = failure_shape {
    success = false,
    error = error_shape { code = code, message = message, errors = render.array(errors) },
  }
  return { status = status, body = body.text }
end

--- A response to an invalid request.
-- @tparam table faults from @{validate}: each `loc`, `msg`, `type`
-- @treturn table the response: `status`, `body`
function response.invalid(faults)
  local detail = {}
  for index, fault in ipairs(faults) do
    detail[index] = fault_shape {
      loc = render.array(fault.loc), msg = fault.msg, type = fault.type,
    }
  end
  return { status = 422, body = render.text { detail = render.array(detail) } }
end

--- A response for an unknown id.
-- @tparam string what the kind of thing
-- @treturn table the response: `status`, `body`
function response.not_found(what)
  return response.failure(404, "not_found", "there is no such " .. what)
end

return response

--- Makes the responses of the stand-in of the API, in the API's envelope.
-- @module palenca.testing.response
local json = require("palenca.util.json")

local response = {}

local HEADERS = { ["content-type"] = "application/json" }

local function outcome(status, envelope)
  return { status = status, headers = HEADERS, body = json.encode(envelope) }
end

--- A list, which is one in JSON even if it is empty.
function response.list(items)
  return json.is_array(items) and items or json.array(items)
end

--- A response with data.
-- @param data of the API's envelope
-- @tparam[opt=200] integer status
-- @treturn table the outcome of an attempt
function response.data(data, status)
  return outcome(status or 200, { success = true, data = data })
end

--- A response with one page of a search.
function response.page(data, pagination)
  return outcome(200, { success = true, data = data, pagination = pagination })
end

--- A response that says what is wrong.
function response.failure(status, code, message, retry_after)
  local made = outcome(status, {
    success = false,
    error = { code = code, message = message or code, errors = json.array({}) },
  })
  if retry_after then
    made.headers = { ["content-type"] = "application/json",
      ["retry-after"] = ("%d"):format(retry_after) }
  end
  return made
end

--- A response that says that there is no such thing.
function response.not_found(kind)
  return response.failure(404, "not_found", "there is no " .. kind .. " with this id")
end

return response

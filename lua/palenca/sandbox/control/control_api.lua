--- Responds to the sandbox's control API: faults, settings, the clock, events on demand.
-- @module palenca.sandbox.control.control_api
local date = require("palenca.util.date")
local faults = require("palenca.sandbox.delivery.faults")
local render = require("palenca.sandbox.data.render")
local response = require("palenca.sandbox.http.response")
local triggers = require("palenca.sandbox.control.triggers")
local validate = require("palenca.sandbox.http.validate")

local control_api = {}

local WEEK = 7 * 86400
local YEAR = 366 * 86400

local setting_fields = {
  { name = "webhook_delay", check = validate.number(0, WEEK) },
  { name = "retry_delay", check = validate.number(0, WEEK) },
  { name = "rate_limit", check = validate.integer(0, 1000000) },
}

local clock_fields = {
  { name = "advance", check = validate.number(0, 10 * YEAR), required = true },
}

local clock_shape = render.shape { "now", "clock_offset" }

local function read_strictly(declared, text)
  local given, wrong = validate.strict_body(declared, text)
  if not given then
    return nil, response.invalid(wrong)
  end
  return given
end

local function create_fault(sandbox, request)
  local given, wrong = validate.decode(request.body)
  if given then
    given, wrong = faults.read(given)
  end
  if not given then
    return response.invalid(wrong)
  end
  return response.success(faults.render(sandbox.faults:add(given)), 201)
end

local function list_faults(sandbox)
  local list = {}
  for at, fault in ipairs(sandbox.faults.list) do
    list[at] = faults.render(fault)
  end
  return response.success { faults = render.array(list) }
end

local function remove_fault(sandbox, request)
  local id = math.tointeger(tonumber(request.ids.fault_id))
  if not id or not sandbox.faults:remove(id) then
    return response.not_found("fault")
  end
  return list_faults(sandbox)
end

local function remove_faults(sandbox)
  sandbox.faults:remove(nil)
  return list_faults(sandbox)
end

local function get_settings(sandbox)
  return response.success(sandbox.settings)
end

local function change_settings(sandbox, request)
  local given, rejection = read_strictly(setting_fields, request.body)
  if not given then
    return rejection
  end
  for name, value in pairs(given) do
    sandbox.settings[name] = value
  end
  sandbox:touch("settings")
  return get_settings(sandbox)
end

local function advance(sandbox, request)
  local given, rejection = read_strictly(clock_fields, request.body)
  if not given then
    return rejection
  end
  sandbox:advance(given.advance)
  return response.success(clock_shape {
    now = date.timestamp(sandbox.clock()), clock_offset = sandbox.clock_offset,
  })
end

local function trigger(sandbox, request)
  local given, rejection = read_strictly(triggers.fields, request.body)
  if not given then
    return rejection
  end
  return triggers.respond(sandbox, given)
end

--- The routes of this module.
control_api.routes = {
  { "GET", "/sandbox/faults", list_faults, public = true },
  { "POST", "/sandbox/faults", create_fault, public = true, body = true },
  { "DELETE", "/sandbox/faults", remove_faults, public = true },
  { "DELETE", "/sandbox/faults/{fault_id}", remove_fault, public = true, ids = "any" },
  { "GET", "/sandbox/settings", get_settings, public = true },
  { "PUT", "/sandbox/settings", change_settings, public = true, body = true },
  { "POST", "/sandbox/clock", advance, public = true, body = true },
  { "POST", "/sandbox/events", trigger, public = true, body = true },
}

return control_api

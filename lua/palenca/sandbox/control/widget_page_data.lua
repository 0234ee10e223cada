--- Responds with what the widget page reads when it loads: the widget, countries and platforms.
-- @module palenca.sandbox.control.widget_page_data
local argcheck = require("palenca.util.argcheck")
local platforms = require("palenca.sandbox.api.platforms")
local query_string = require("palenca.sandbox.http.query_string")
local render = require("palenca.sandbox.data.render")
local response = require("palenca.sandbox.http.response")
local validate = require("palenca.sandbox.http.validate")

local widget_page_data = {}

local function identifiers(platform)
  return render.array(platform.category == "employment" and { "gov_id" } or { "phone", "email" })
end

-- Where the worker goes afterwards, unless the address says that they stay.
local function redirect_of(given)
  local target = given.redirect_url
  if not target or target == "" or given.hide_redirect_url == "true" then
    return nil
  end
  local wrong = validate.http_url(target)
  if wrong then
    return nil, response.failure(422, "bad_request", "redirect_url " .. wrong.msg, "redirect_url")
  end
  return target
end

local function config(sandbox, request)
  local given = query_string.parameters(request.query)
  local id = given.widget_id
  if id == "" then
    id = nil
  elseif id and not argcheck.is_uuid(id) then
    return response.failure(422, "bad_request", "the widget's id must be a UUID", "widget_id")
  end
  local redirect_url, rejected = redirect_of(given)
  if rejected then
    return rejected
  end
  local known = sandbox.store:widget_of(id and id:lower())
  local offered, countries = {}, {}
  for at, platform in ipairs(platforms.list()) do
    offered[at] = {
      code = platform.code,
      name = platform.name,
      category = platform.category,
      countries = render.array(platform.countries),
      identifiers = identifiers(platform),
    }
  end
  for at, country in ipairs(platforms.countries()) do
    countries[at] = country
  end
  return response.success {
    widget = { id = known.id, name = known.name, redirect_url = redirect_url },
    platforms = render.array(offered),
    countries = render.array(countries),
  }
end

--- The routes of this module.
widget_page_data.routes = {
  { "GET", "/widget/config", config, public = true },
}

return widget_page_data

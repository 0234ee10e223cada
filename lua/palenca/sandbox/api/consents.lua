--- Responses for the consents that workers granted when they connected an account.
-- @module palenca.sandbox.api.consents
local date = require("palenca.util.date")
local paging = require("palenca.sandbox.http.paging")
local query_string = require("palenca.sandbox.http.query_string")
local render = require("palenca.sandbox.data.render")
local response = require("palenca.sandbox.http.response")
local validate = require("palenca.sandbox.http.validate")

local consents = {}

-- The shape of a consent is not published.
local consent_shape = render.shape {
  "consent_id", "gov_id", "account_id", "user_id", "external_id", "platform", "widget_id",
  "accepted_at",
}
local list_shape = render.shape { "consents" }

local function render_consent(consent)
  return consent_shape(setmetatable({
    accepted_at = date.timestamp(consent.created),
  }, { __index = consent }))
end

local function get(sandbox, request)
  local found = {}
  for _, consent in ipairs(sandbox.store:consents_of(query_string.decode(request.ids.gov_id))) do
    table.insert(found, 1, render_consent(consent))
  end
  return response.success(list_shape { consents = render.array(found) })
end

local function always()
  return true
end

local function search(sandbox, request)
  local given, faults = validate.body({ paging.field }, request.body)
  if not given then
    return response.invalid(faults)
  end
  local found = paging.collect(sandbox.store.consent:newest(), given.options, always,
    render_consent)
  return response.success(list_shape { consents = render.array(found) })
end

--- The routes of this module.
consents.routes = {
  { "POST", "/v1/consents/search", search },
  { "GET", "/v1/consents/{gov_id}", get, ids = "any" },
}

return consents

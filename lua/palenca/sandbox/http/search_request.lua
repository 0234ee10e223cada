--- Reads what searches and lists are asked for, a period in the body or a switch in the query, and
-- collects the records that were created within the period.
-- @module palenca.sandbox.http.search_request
local date = require("palenca.util.date")
local paging = require("palenca.sandbox.http.paging")
local query_string = require("palenca.sandbox.http.query_string")
local render = require("palenca.sandbox.data.render")
local response = require("palenca.sandbox.http.response")
local validate = require("palenca.sandbox.http.validate")

local search_request = {}

--- Reads the body of a search by dates.
-- @tparam table fields the declared fields, with `start_date` and `end_date`
-- @tparam string text the body
-- @treturn ?table what was given
-- @treturn ?table the response that rejects it
function search_request.read_period(fields, text)
  local given, faults = validate.body(fields, text)
  if not given then
    return nil, response.invalid(faults)
  elseif given.start_date > given.end_date then
    return nil, response.failure(422, "bad_request", "start_date must not be after end_date",
      "start_date")
  end
  return given
end

--- Collects the records that were created within a period, as the searches without a count do.
-- @tparam function newest iterates over records, the newest first
-- @tparam table given the period and the page, as @{read_period} returns them
-- @tparam function render_record makes of a record what is sent
-- @tparam ?function fits whether a record is meant
-- @treturn table an array, for render
function search_request.created_within(newest, given, render_record, fits)
  local first = date.parse(given.start_date) * 86400
  local after = (date.parse(given.end_date) + 1) * 86400
  return render.array((paging.collect(newest, given.options, function(record)
    return record.created >= first and record.created < after and (not fits or fits(record))
  end, render_record)))
end

-- What the API's framework takes for true and false in a query.
local booleans = {
  ["true"] = true, ["1"] = true, on = true, yes = true,
  ["false"] = false, ["0"] = false, off = false, no = false,
}

--- Reads a boolean in a query.
-- @tparam ?string text the query as sent
-- @tparam string name the parameter
-- @tparam boolean default what counts without it
-- @treturn ?boolean the value; nil if it is neither true nor false
-- @treturn ?table then: the response that rejects it
function search_request.query_switch(text, name, default)
  local word = query_string.parameters(text)[name]
  if word == nil then
    return default
  end
  local value = booleans[word:lower()]
  if value == nil then
    return nil, response.invalid { {
      loc = { "query", name }, msg = "must be true or false", type = "type_error.bool",
    } }
  end
  return value
end

return search_request

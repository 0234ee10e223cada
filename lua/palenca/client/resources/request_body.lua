--- The bodies that several operations share.
-- @module palenca.client.resources.request_body
local request_body = {}

--- The fields of a search by dates, with more.
-- @tparam ?table more name → type
-- @treturn table name → type
function request_body.period_fields(more)
  local fields = { start_date = "date!", end_date = "date!", items_per_page = "positive" }
  for name, kind in pairs(more or {}) do
    fields[name] = kind
  end
  return fields
end

--- The body of a search for one of its pages.
-- @tparam table fields the caller's
-- @tparam number page from 1
-- @tparam number items_per_page rows a page
-- @treturn table
function request_body.search(fields, page, items_per_page)
  local body = { -- the dates are here so that the table does not have to grow
    options = { page = page, items_per_page = items_per_page },
    start_date = fields.start_date,
    end_date = fields.end_date,
  }
  for name, value in pairs(fields) do
    if name ~= "items_per_page" then
      body[name] = value
    end
  end
  return body
end

--- The documents name the same thing widget_id in examples and connect_flow_id in schemas; either
-- is taken, and both are sent.
-- @tparam table fields the caller's
-- @treturn table
function request_body.with_both_widget_names(fields)
  local body = {}
  for name, value in pairs(fields) do
    body[name] = value
  end
  local widget = body.widget_id or body.connect_flow_id
  body.widget_id, body.connect_flow_id = widget, widget
  return body
end

--- What is wrong with fields that name the widget twice.
-- @tparam table fields the caller's
-- @treturn ?string
function request_body.verify_widget(fields)
  if fields.widget_id and fields.connect_flow_id and fields.widget_id ~= fields.connect_flow_id then
    return ("widget_id and connect_flow_id are two names of the same thing, and differ: %s, %s")
      :format(fields.widget_id, fields.connect_flow_id)
  end
end

return request_body

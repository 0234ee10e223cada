--- What is called with the module's results before a script has them, if it was set; see
-- @{palenca.strict}.
-- @module palenca.client.inspection
local inspection = {
  --- Called with the method and path of a request to the API, and its data and meta.
  on_data = false,
  --- Called with a report of a pager.
  on_report = false,
  --- Called with a response of `palenca.http`.
  on_response = false,
  --- Called with an attempt, for `on_attempt` of a client.
  on_attempt = false,
  --- Called with an error that is about to be returned.
  on_failure = false,
  --- What a pager's iterator returns beside a row.
  beside_row = false,
  --- Called when a resource has no operation of a name, with what is wrong and the level of the
  -- code to blame, as `error` is; it raises.
  on_unknown_operation = false,
}

--- Sets some of them.
-- @tparam table hooks by their names; false sets none
-- @treturn table those before, of the same names
function inspection.use(hooks)
  local before = {}
  for name, hook in pairs(hooks) do
    before[name], inspection[name] = inspection[name], hook
  end
  return before
end

return inspection

--- Numbers of things, as people read them.
-- @module palenca.host.cli.plural
local plural = {}

--- A number with its noun.
-- @tparam integer number
-- @tparam string one the noun of one
-- @tparam ?string many the noun of several; default: `one` with an s
-- @treturn string
function plural.count(number, one, many)
  return ("%d %s"):format(number, number == 1 and one or many or one .. "s")
end

return plural

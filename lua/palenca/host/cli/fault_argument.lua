--- Parses the argument of `--fault`: a failure that the sandbox injects into its API or deliveries.
-- @module palenca.host.cli.fault_argument
local argcheck = require("palenca.util.argcheck")
local faults = require("palenca.sandbox.delivery.faults")
local named_values = require("palenca.host.cli.named_values")
local path_check = require("palenca.client.path_check")
local suggest = require("palenca.util.suggest")

local fault_argument = {}

--- The kinds that there are.
-- @treturn string their names
function fault_argument.kinds()
  return table.concat(argcheck.words(faults.kinds), ", ")
end

-- A request to a path that is like no operation's may be one of client:request.
local function check_path(path)
  if path and path:find("*", 1, true) then
    return "path is a prefix of the paths that are meant, without '*'"
  end
  local problem = path and path_check(path, true)
  return problem and "path: " .. problem
end

--- Reads a fault.
-- @tparam string text KIND[,NAME=VALUE…]
-- @treturn ?table the fault, as the sandbox takes it
-- @treturn ?string why there is none
function fault_argument.parse(text)
  local kind, rest = text:match("^([%w_]+)(.*)$")
  if not kind or not faults.kinds[kind] then
    return nil, string.format("'%s' is none of the kinds %s%s", text,
      fault_argument.kinds(), suggest.text(kind, faults.kinds))
  end
  local given = { kind = kind }
  local problem = named_values.read(rest, given)
  if problem then
    return nil, problem
  end
  local read, wrong = faults.read(given)
  if not read then
    return nil, named_values.problem(wrong, faults.names(kind))
  end
  problem = check_path(read.path)
  if problem then
    return nil, problem
  end
  return read
end

return fault_argument

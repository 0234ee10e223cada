--- Reads a login of the sandbox as it is written on the command line.
-- @module palenca.host.cli.login_argument
local argcheck = require("palenca.util.argcheck")
local constants = require("palenca.sandbox.data.vendor_constants")
local login_flow = require("palenca.sandbox.control.login_flow")
local named_values = require("palenca.host.cli.named_values")
local history_patterns = require("palenca.sandbox.data.history_patterns")
local suggest = require("palenca.util.suggest")
local validate = require("palenca.sandbox.http.validate")

local login_argument = {}

--- The patterns of earnings that there are.
-- @treturn string their names
function login_argument.patterns()
  return table.concat(argcheck.words(history_patterns.names), ", ")
end

--- The warnings that a login may leave on its account.
-- @treturn string their names
function login_argument.warnings()
  return table.concat(argcheck.words(constants.warnings), ", ")
end

--- The outcomes that a test identifier may name.
-- @treturn string their names
function login_argument.cases()
  return table.concat(argcheck.words(login_flow.cases), ", ")
end

local names, texts = {}, { external_id = true }
for _, field in ipairs(login_flow.details) do
  names[field.name] = true
end

-- What is wrong with whom the login is of.
local function problem_of(who, is_identifier)
  if is_identifier then
    return login_flow.identifier_problem(who)
  elseif not constants.platforms[who] then
    return string.format("'%s' is neither a platform nor a test identifier%s", who,
      suggest.text(who, constants.platforms))
  end
end

--- Reads a login.
-- @tparam string text WHO[,NAME=VALUE…]; WHO is a platform, or a test identifier
-- @treturn ?table the login, as the sandbox takes it
-- @treturn ?string why there is none
function login_argument.parse(text)
  local who, rest = text:match("^([^,]+)(.*)$")
  if not who then
    return nil, string.format("'%s' names no platform", text)
  end
  local is_identifier = who:find("@", 1, true) ~= nil
  local given = {}
  local problem = problem_of(who, is_identifier) or named_values.read(rest, given, texts)
  if problem then
    return nil, problem
  end
  local read, wrong = validate.strict_object(login_flow.details, given, "body")
  if not read then
    return nil, named_values.problem(wrong, names)
  end
  read[is_identifier and "identifier" or "platform"] = who
  return read
end

return login_argument

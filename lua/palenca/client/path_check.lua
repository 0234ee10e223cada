--- Finds a mistyped path of a request to the API: no request would meet its fault or response.
-- @module palenca.client.path_check
local resources = require("palenca.client.resources")
local suggest = require("palenca.util.suggest")

local function segments_of(path)
  local list = {}
  for segment in (path .. "/"):gmatch("([^/]*)/") do
    list[#list + 1] = segment
  end
  return list
end

local known = {}
for _, operation in pairs(resources.operations()) do
  known[#known + 1] = segments_of(operation.path)
end

-- The segment that was meant, the same if it is as it should be; nil if it is another one. Of the
-- last one before a * there may be a part only.
local function meant(segment, expected, is_part)
  if expected == "{id}" then
    return (is_part or segment ~= "") and segment or nil
  elseif is_part then
    expected = expected:sub(1, #segment)
  end
  return segment == expected and segment or suggest.nearest(segment, { expected })
end

-- The path that was meant, if it is that of an operation, and how many segments of it are others.
local function as_operation(segments, operation, is_start)
  if #segments > #operation or not is_start and #segments < #operation then
    return nil
  end
  local fitting, wrong = {}, 0
  for at, segment in ipairs(segments) do
    local found = meant(segment, operation[at], is_start and at == #segments)
    if not found then
      return nil
    end
    wrong = wrong + (found == segment and 0 or 1)
    fitting[at] = found
  end
  return table.concat(fitting, "/"), wrong
end

local function nearest(path, is_start)
  local best, least
  local segments = segments_of(path)
  for _, operation in ipairs(known) do
    local fitting, wrong = as_operation(segments, operation, is_start)
    if fitting and (not least or wrong < least or wrong == least and fitting < best) then
      best, least = fitting, wrong
    end
  end
  return best, least
end

--- What is wrong with a path. One that is like no operation's may be that of another endpoint.
-- @tparam string path with `*` at its end: any that begin so
-- @tparam ?boolean is_prefix whether it stands for all that begin so without one
-- @treturn ?string nil if nothing is
return function(path, is_prefix)
  local start = is_prefix and path or path:match("^(.*)%*$")
  local best, wrong = nearest(start or path, start ~= nil)
  if wrong == 0 then
    return nil
  elseif not best and not path:find("^/v1/") then
    best = nearest("/v1" .. (start or path):gsub("^/*", "/"), start ~= nil)
  end
  return best and ("no operation of the API has the path '%s'; did you mean '%s%s'?"):format(path,
    best, start and not is_prefix and "*" or "")
end

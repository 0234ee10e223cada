--- Shortens a traceback to the lines of the user's script, which are what its author can act on.
-- @module palenca.host.traceback

--- Shortens a traceback.
-- @tparam string text of `debug.traceback`
-- @tparam string message the error's
-- @treturn ?string its frames outside of this project; nil if there is none but the one that stands
-- in the message already
return function(text, message)
  local frames = {}
  for line in text:gmatch("\n(\t[^\n]+)") do
    if not line:find("^\t%[C%]") and not line:find("^\tpalenca/") and not line:find("^\t%(") then
      frames[#frames + 1] = line
    end
  end
  local enough = message:find("^[^\n:]+:%d+: ") and 1 or 0
  return #frames > enough and table.concat(frames, "\n") or nil
end

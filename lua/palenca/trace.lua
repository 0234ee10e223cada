--- Where an error was raised: the lines of the user's script, which are what its author can act on.
-- @module palenca.trace

--- Shortens a traceback.
-- @tparam string text of `debug.traceback`
-- @treturn ?string its frames outside of this project; nil if there is at most one, which stands in
-- the error's message already
return function(text)
  local frames = {}
  for line in text:gmatch("\n(\t[^\n]+)") do
    if not line:find("^\t%[C%]") and not line:find("^\tpalenca/") then
      frames[#frames + 1] = line
    end
  end
  return #frames > 1 and table.concat(frames, "\n") or nil
end

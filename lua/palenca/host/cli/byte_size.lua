--- Writes sizes in bytes for people.
-- @module palenca.host.cli.byte_size
local byte_size = {}

local UNITS = { "kB", "MB", "GB", "TB" }

--- Writes a size.
-- @tparam number bytes
-- @treturn string with three digits
function byte_size.text(bytes)
  local unit = 0
  while bytes >= 1000 and UNITS[unit + 1] do
    bytes, unit = bytes / 1000, unit + 1
  end
  if unit == 0 then
    return string.format("%d bytes", bytes)
  end
  return string.format(bytes < 100 and "%.1f %s" or "%.0f %s", bytes, UNITS[unit])
end

return byte_size

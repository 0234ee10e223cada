--- Writes a quotient of four decimals as percent: 0.1666 is "16.66 %", 1 is "100 %".
-- @module palenca.income.percent
local floor, abs = math.floor, math.abs

--- @tparam number quotient with at most four decimals
-- @treturn string with a point, under any locale
return function(quotient)
  local parts = floor(abs(quotient) * 10000 + 0.5)
  local text = ("%d"):format(floor(parts / 100))
  if parts % 100 ~= 0 then
    text = text .. (".%02d"):format(parts % 100):gsub("0$", "")
  end
  return (quotient < 0 and "-" or "") .. text .. " %"
end

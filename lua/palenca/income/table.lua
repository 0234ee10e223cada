--- Writes a summary's months as a plain text table.
-- @module palenca.income.table
local concat = table.concat

local function layout(lines)
  local widths = {}
  for _, cells in ipairs(lines) do
    for column, cell in ipairs(cells) do
      widths[column] = math.max(widths[column] or 0, #cell)
    end
  end
  for index, cells in ipairs(lines) do
    for column, cell in ipairs(cells) do
      local fill = (" "):rep(widths[column] - #cell)
      cells[column] = column == 1 and cell .. fill or fill .. cell
    end
    lines[index] = concat(cells, "  ")
  end
  return concat(lines, "\n")
end

local function cells_of(name, sums, total)
  return {
    name,
    ("%d"):format(sums.days),
    sums.trips and ("%d"):format(sums.trips) or "-",
    sums.cash or "-",
    total,
  }
end

local function currency_table(result)
  local lines, partial = { { "month", "days", "trips", "cash", result.currency } }, false
  for _, month in ipairs(result.months) do
    local known = month.days > 0 or month.days_without_amount == 0
    local name = month.month .. (month.partial and "*" or "")
    lines[#lines + 1] = cells_of(name, month, known and month.total or "-")
    partial = partial or month.partial
  end
  lines[#lines + 1] = cells_of("total", result, result.total)
  return layout(lines) .. (partial and "\n* part of the month" or "")
end

--- Writes the table; see @{palenca.income.table}.
return function(summary)
  if type(summary) ~= "table" or type(summary.currencies) ~= "table" then
    error("palenca.income: table: expected a summary", 0)
  end
  local names, tables = {}, {}
  for name in pairs(summary.currencies) do
    names[#names + 1] = name
  end
  table.sort(names)
  for index, name in ipairs(names) do
    tables[index] = currency_table(summary.currencies[name])
  end
  return #tables > 0 and concat(tables, "\n\n") or "no earnings"
end

--- Measures what spec/bench/income prints: income.lua [ACCOUNTS [ROUNDS]].
local histories = require("spec.support.income_histories")
local income = require("palenca.income")

local ACCOUNTS, ROUNDS = tonumber(arg[1] or 1000), tonumber(arg[2] or 5)
local DAYS, FEW_ROWS, REPEATS = 1000, 400, 100
local FIRST, LAST = "2024-03-05", "2026-11-29" -- 1000 days

local is_short = false

local function target(name, value, wanted)
  local is_met = value <= wanted
  print(("target %s %.4g <=%g %s"):format(name, value, wanted, is_met and "ok" or "short"))
  is_short = is_short or not is_met
end

local function median(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end

-- ---- rows ----------------------------------------------------------------------------

local function make_accounts()
  local random = histories.random(42)
  local accounts = {}
  for at = 1, ACCOUNTS do
    local rows = {}
    for number, row in ipairs(histories.rows(FIRST, DAYS, 1)) do
      row.amount, row.count_trips = random(200000) / 100, random(30)
      rows[DAYS + 1 - number] = row -- newest first, as the API has them
    end
    accounts[at] = rows
  end
  return accounts
end

local function sum_by_month(rows)
  local sums = {}
  for _, row in ipairs(rows) do
    local month = row.earning_date:sub(1, 7)
    sums[month] = (sums[month] or 0) + row.amount
  end
  return sums
end

local function analyze(rows)
  return income.analyze(rows, { as_of = LAST, report = histories.report(rows) })
end

-- ---- measuring -----------------------------------------------------------------------

local function memory(field)
  local file = assert(io.open("/proc/self/status"))
  local text = file:read("a")
  file:close()
  return tonumber(text:match(field .. ":%s*(%d+)")) / 1024
end

-- The peak is counted anew from here on.
local function forget_peak()
  local file = assert(io.open("/proc/self/clear_refs", "w"))
  file:write("5")
  file:close()
end

local function seconds(work, accounts)
  collectgarbage() -- what was there before is nobody's of the two
  local began = os.clock()
  for at = 1, #accounts do
    work(accounts[at])
  end
  return os.clock() - began
end

local function measure_many(accounts)
  local plain, exact, ratios, beyond = {}, {}, {}, 0
  for round = 1, ROUNDS do
    plain[round] = seconds(sum_by_month, accounts)
    collectgarbage()
    forget_peak()
    local before = memory("VmRSS")
    exact[round] = seconds(analyze, accounts)
    ratios[round] = exact[round] / plain[round]
    beyond = math.max(beyond, memory("VmHWM") - before)
  end
  return median(plain), median(exact), median(ratios), beyond
end

local function measure_few(rows)
  local few, plain, exact = {}, {}, {}
  for at = 1, REPEATS do
    few[at] = table.move(rows, 1, FEW_ROWS, 1, {})
  end
  for round = 1, ROUNDS do
    plain[round] = seconds(sum_by_month, few) * 1000 / REPEATS
    exact[round] = seconds(analyze, few) * 1000 / REPEATS
  end
  return median(plain), median(exact)
end

local function print_speed()
  local accounts = make_accounts()
  local plain, exact, ratio, beyond = measure_many(accounts)
  local plain_few, exact_few = measure_few(accounts[1])
  print(("%-44s %12s %12s %7s"):format(("medians of %d rounds"):format(ROUNDS), "floats", "income",
    "ratio"))
  print(("%-44s %10.3f s %10.3f s %7.2f"):format(
    ("%d accounts of %d rows, CPU"):format(ACCOUNTS, DAYS), plain, exact, ratio))
  print(("%-44s %9.3f ms %9.3f ms %7.2f"):format(("one account of %d rows, CPU"):format(FEW_ROWS),
    plain_few, exact_few, exact_few / plain_few))
  print(("%-44s %25.1f MiB"):format("memory beyond the rows, at most", beyond))
  return ratio, beyond, exact_few
end

-- ---- how far figures move ------------------------------------------------------------

local FIGURES = {
  { "monthly_income_minor", "monthly" }, { "qualifying_income_minor", "qualifying" },
  { "median_week_minor", "median week" }, { "low_week_minor", "low week" },
  { "days_worked_per_week", "days a week" }, { "trend", "trend" },
}

-- The width of its values, in percent of their middle; that of a trend is in percent already.
local function movement(name, values)
  if #values == 0 then
    return "-"
  end
  table.sort(values)
  local width = values[#values] - values[1]
  local middle = name == "trend" and 1 or math.abs(values[(#values + 1) // 2])
  return middle == 0 and "0" or ("%.2f"):format(100 * width / middle)
end

local function measure_movement(kind)
  local values, outcomes, names = {}, {}, {}
  for at = 1, #FIGURES do
    values[at] = {}
  end
  histories.each_date(kind, "2026-01-01", 365, function(rows, date)
    local figures = income.analyze(rows, { as_of = date, report = histories.report(rows) })
    local outcome = income.decide(figures, { version = 1 }, { installment = "1500.00" }).outcome
    names[#names + 1] = not outcomes[outcome] and outcome or nil
    outcomes[outcome] = (outcomes[outcome] or 0) + 1
    for at, figure in ipairs(FIGURES) do
      table.insert(values[at], figures[figure[1]])
    end
  end)
  for at, name in ipairs(names) do
    names[at] = ("%s %d"):format(name, outcomes[name])
  end
  return values, names
end

local function print_movement(kinds)
  for _, kind in ipairs(kinds) do
    local values, names = measure_movement(kind)
    local cells = { ("%-40s %4d"):format(kind.name, kind.days) }
    for at, figure in ipairs(FIGURES) do
      cells[#cells + 1] = ("%11s"):format(movement(figure[1], values[at]))
    end
    cells[#cells + 1] = " " .. table.concat(names, ", ")
    print(table.concat(cells, " "))
  end
end

local ratio, beyond, few = print_speed()
print("\nhow far figures move over 365 dates, in percent of their median; the trend in points")
local heads = { ("%-40s %4s"):format("worker", "days") }
for _, figure in ipairs(FIGURES) do
  heads[#heads + 1] = ("%11s"):format(figure[2])
end
print(table.concat(heads, " ") .. "  outcomes")
print_movement(histories.steady_kinds())
print_movement(histories.unsteady_kinds())
print()
target("cpu_beside_floats", ratio, 10)
target("memory_beyond_rows_mib", beyond, 64)
target("milliseconds_of_400_rows", few, 2)
os.exit(not is_short)

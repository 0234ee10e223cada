-- Reads the earnings of several accounts side by side in a program that has an event loop of its
-- own: here that of luv (Debian's lua-luv), for which this is a runtime of a few lines.
--
--   lua5.4 examples/luv.lua [ACCOUNT…]
local calls = require "palenca.runtime.calls"
local core = require "palenca.core"
local palenca = require "palenca"
local runtime = require "palenca.runtime"
local uv = require "luv"

local engine = core.engine()
local own = calls.new(engine)
local poll, timer = uv.new_poll(engine:fd()), uv.new_timer()

local function resume(thread)
  local ok, problem = coroutine.resume(thread)
  if not ok then
    io.stderr:write(debug.traceback(thread, tostring(problem)), "\n")
  end
end

-- One step of the engine, which does not block, and the time of the next one at the latest.
local function turn()
  local ended = {}
  own:step(0, function(call)
    ended[#ended + 1] = call.waiter
  end)
  for _, thread in ipairs(ended) do
    resume(thread)
  end
  local deadline = engine:next_deadline()
  timer:stop()
  if deadline then
    timer:start(math.ceil(deadline * 1000), 0, turn)
  end
end

runtime.use {
  submit = function(request)
    timer:start(0, 0, turn)
    return own:submit(request)
  end,
  wait = function(call)
    while not calls.result(call) do
      call.waiter = coroutine.running()
      coroutine.yield()
    end
    return call.result
  end,
  cancel = function(call)
    own:cancel(call)
    timer:start(0, 0, turn)
    if call.waiter then
      resume(call.waiter) -- its call was aborted
    end
  end,
  sleep = function(seconds)
    local thread, alarm = coroutine.running(), uv.new_timer()
    alarm:start(math.ceil(seconds * 1000), 0, function()
      alarm:close()
      resume(thread)
    end)
    coroutine.yield()
  end,
}
poll:start("r", turn)

-- What the rest of the program does meanwhile.
local ticks, ticker = 0, uv.new_timer()
ticker:start(10, 10, function()
  ticks = ticks + 1
end)

local accounts = #arg > 0 and arg or { "cb39ee15-f29f-427d-9119-0c627575610d" }
local client, open = palenca.new(), #accounts
for _, account in ipairs(accounts) do
  resume(coroutine.create(function()
    local rows, report = client.accounts:earnings(account, {
      start_date = "2024-09-01", end_date = "2026-03-01",
    }):all()
    if rows then
      local income = palenca.income.analyze(rows, { report = report, as_of = rows[1].earning_date })
      print(("%s  %d days, %s %s a month"):format(account, #rows, income.monthly_income,
        income.currency))
    else
      print(("%s  %s"):format(account, tostring(report)))
    end
    open = open - 1
    if open == 0 then
      uv.stop()
    end
  end))
end
uv.run()
print(("meanwhile the loop has ticked %d times"):format(ticks))

-- Reads the earnings of several accounts side by side in a program that has an event loop of its
-- own: here that of luv (Debian's lua-luv), for which this is a runtime of a few lines. `wait_any`
-- is for palenca.gather, which would poll without it.
--
--   lua5.4 examples/luv.lua [ACCOUNT…]
local calls = require "palenca.runtime.calls"
local core = require "palenca.core"
local palenca = require "palenca"
local runtime = require "palenca.runtime"
local uv = require "luv"

local unpack = table.unpack or unpack -- luacheck: ignore
local engine = core.engine()
local own = calls.new(engine)
local poll, timer = uv.new_poll(engine:fd()), uv.new_timer()

local function resume(thread)
  local ok, problem = coroutine.resume(thread)
  if not ok then
    io.stderr:write(debug.traceback(thread, tostring(problem)), "\n")
    uv.stop()
  end
end

-- Resumes who waits for a call. Of several calls and a time that somebody waits for, only the first
-- does.
local function wake(waiter)
  local thread = waiter and waiter.thread
  if thread then
    waiter.thread = nil
    resume(thread)
  end
end

-- Waits until `wake` is called, or for some seconds if it is said for how many.
local function park(waiter, seconds)
  waiter.thread = coroutine.running()
  local alarm = seconds and uv.new_timer()
  if alarm then
    alarm:start(math.ceil(seconds * 1000), 0, function() wake(waiter) end)
  end
  coroutine.yield()
  if alarm then
    alarm:close()
  end
end

-- One step of the engine, which does not block, and the time of the next one at the latest.
local function turn()
  local ended = {}
  own:step(0, function(call)
    ended[#ended + 1] = call.waiter
  end)
  for _, waiter in ipairs(ended) do
    wake(waiter)
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
      call.waiter = {}
      park(call.waiter)
    end
    return call.result
  end,
  wait_any = function(list, seconds)
    local call = calls.first_ended(list)
    if not call then
      local waiter = {}
      for _, one in ipairs(list) do
        one.waiter = waiter
      end
      park(waiter, seconds)
      call = calls.first_ended(list)
    end
    return call
  end,
  cancel = function(call)
    own:cancel(call)
    timer:start(0, 0, turn)
    wake(call.waiter) -- its call was aborted
  end,
  sleep = function(seconds)
    park({}, seconds)
  end,
}
poll:start("r", turn)

-- What the rest of the program does meanwhile.
local ticks, ticker = 0, uv.new_timer()
ticker:start(10, 10, function()
  ticks = ticks + 1
end)

local client = palenca.new()

-- Both requests, and those for further pages, are in flight at once.
local function show(account)
  local report
  local profile, rows = palenca.gather(function()
    return client.accounts:profile(account)
  end, function()
    local all
    all, report = client.accounts:earnings(account, {
      start_date = "2024-09-01", end_date = "2026-03-01",
    }):all()
    return all, report
  end)
  if not profile then
    print(("%s  %s"):format(account, tostring(rows))) -- the first error
    return
  end
  local income = palenca.income.analyze(rows, { report = report, as_of = rows[1].earning_date })
  print(("%s  %d days, %s %s a month, by %d requests"):format(account, #rows, income.monthly_income,
    income.currency, report.requests))
end

local readers = {}
for at, account in ipairs(#arg > 0 and arg or { "cb39ee15-f29f-427d-9119-0c627575610d" }) do
  readers[at] = function() show(account) end
end
resume(coroutine.create(function()
  palenca.gather(unpack(readers))
  uv.stop()
end))
uv.run()
print(("meanwhile the loop has ticked %d times"):format(ticks))

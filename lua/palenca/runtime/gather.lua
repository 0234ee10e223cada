--- Runs functions side by side: `palenca.gather`.
--
-- Each function runs in a coroutine, a branch. A branch that waits yields to the coroutine that has
-- called gather, which waits for all of them at once and resumes each when it can go on: so every
-- function of a runtime is called where it is without gather as well. A gather inside of a branch
-- waits in the same way. A runtime with threads, as nginx has them, has a `gather` of its own.
--
-- Beside what @{palenca.runtime} asks for, a runtime may have `now() → seconds`, the clock of its
-- `sleep`; `on_error`, a message handler for what a branch raises; and `close(thread)`, which
-- closes the variables of one that is cancelled.
-- @module palenca.runtime.gather
local calls = require("palenca.runtime.calls")
local core = require("palenca.core")
local yieldable = require("palenca.runtime.yieldable")

local gather = {}

local unpack = rawget(table, "unpack") or rawget(_G, "unpack")

-- What a branch yields when it waits, and no code of a user's does.
local WAITS = {}
local NO_CALLS = {}
local RESUMED_BY_OTHER = "palenca.gather: one of its functions was resumed by other code; it can "
  .. "wait through palenca only"
-- Lua 5.4 on: coroutines, and the loops of `for`, can be closed.
local HAS_CLOSE = rawget(coroutine, "close") ~= nil
-- Seconds between two looks at the calls of a runtime that cannot wait for several.
local POLL_MIN, POLL_MAX = 0.001, 0.02

local newest -- the branch that was resumed last

--- As `table.pack` of later Luas.
-- @param ... any values
-- @treturn table with their number `n`
function gather.pack(...)
  return { n = select("#", ...), ... }
end

local pack = gather.pack

-- ---- the branch whose code runs ----------------------------------------------------------

-- A limit of the program can stop a coroutine where it is, so `newest` may be that of an old one.
local function current()
  local status = newest and coroutine.status(newest.thread)
  return (status == "running" or status == "normal") and newest or nil
end

-- The branch, if it can wait by yielding; a coroutine that it has made itself waits in place.
local function waiting()
  local branch = current()
  if branch and branch.thread == coroutine.running()
    and yieldable.now(branch.mark, branch.offset)
  then
    return branch
  end
end

--- Where the function of the running branch is: what it calls last of all, as in `return f()`, has
-- no caller any more whose line could be blamed.
-- @treturn ?string FILE:LINE; nil if no branch runs
function gather.place()
  local branch = newest and current()
  local info = branch and debug.getinfo(branch.body, "S")
  return info and ("%s:%d"):format(info.short_src, info.linedefined)
end

--- Notes that the running branch has made a call, which ends with it.
-- @param call of the runtime
function gather.add(call)
  local branch = newest and current()
  if branch then
    branch.calls[call] = true
  end
end

--- Notes that a call has ended.
-- @param call of the runtime
function gather.remove(call)
  local branch = newest and current()
  if branch then
    branch.calls[call] = nil
  end
end

-- ---- waiting for several -----------------------------------------------------------------

local function now(own)
  return (own.now or core.steady_time)()
end

-- For a runtime that has submit, wait, cancel and sleep only.
local function poll(own, list, due)
  local pause = POLL_MIN
  local call = calls.first_ended(list)
  while not call do
    local left = due and math.max(0, due - now(own)) or pause
    own.sleep(math.min(pause, left))
    pause = math.min(pause * 1.5, POLL_MAX)
    call = calls.first_ended(list)
    if due and due <= now(own) then
      break
    end
  end
  return call
end

local function wait_as(branch, list, due)
  branch.waits, branch.due = list, due
  return coroutine.yield(WAITS)
end

-- Waits for one of the calls, or until a time. Returns the call, and its result if the runtime has
-- handed that out already.
local function wait_any(own, list, due)
  local branch = waiting()
  if branch then
    return wait_as(branch, list, due)
  end
  local seconds = due and math.max(0, due - now(own))
  if #list == 0 then
    own.sleep(seconds)
  elseif own.wait_any then
    return own.wait_any(list, seconds)
  elseif calls.is_call(list[1]) then
    return poll(own, list, due)
  else
    return list[1], own.wait(list[1])
  end
end

--- Waits for a call, if it is a branch that does.
-- @param call of the runtime
-- @return its result, if the runtime has handed that out
function gather.wait(call)
  local branch = newest and waiting()
  if branch then
    return select(2, wait_as(branch, { call }))
  end
end

--- Sleeps, if it is a branch that does.
-- @tparam table own the runtime
-- @tparam number seconds
-- @treturn boolean whether it was one
function gather.sleep(own, seconds)
  local branch = newest and waiting()
  if branch then
    wait_as(branch, NO_CALLS, now(own) + seconds)
  end
  return branch ~= nil
end

-- ---- one branch --------------------------------------------------------------------------

-- Where Lua 5.1 could not yield inside of a protected call, the coroutine itself is the protection.
local function run(own, body)
  if not yieldable.in_pcall then
    return true, body()
  elseif own.on_error then
    return xpcall(body, own.on_error)
  end
  return pcall(body)
end

local function new_branch(group, body)
  local branch = { calls = {}, waits = NO_CALLS, body = body }
  branch.thread = coroutine.create(function()
    branch.offset = yieldable.offset(branch.mark)
    branch.results = pack(run(group.own, body))
    if newest ~= branch then
      error(RESUMED_BY_OTHER, 0)
    end
  end)
  return branch
end

--- Records how a branch has ended.
-- @tparam table group gets `failed` if it ended with an error: the branch
-- @tparam table branch with `results`: packed, whether it has raised nothing, and its values
function gather.record_end(group, branch)
  local results = branch.results
  branch.is_over, group.left = true, group.left - 1
  if not group.failed
    and (not results[1] or results.n > 2 and results[2] == nil and results[3] ~= nil)
  then
    group.failed = branch
  end
end

local resume

-- What a function yields itself is yielded by who called gather; its turn comes again after that.
local function resumed(group, branch, before, ok, mark, ...)
  newest = before
  if coroutine.status(branch.thread) == "dead" then
    branch.results = ok and branch.results or pack(false, mark)
    gather.record_end(group, branch)
  elseif mark ~= WAITS then
    branch.values = pack(coroutine.yield(mark, ...))
    branch.due = now(group.own)
  end
end

function resume(group, branch, ...)
  if coroutine.status(branch.thread) == "dead" then
    branch.results = pack(false, RESUMED_BY_OTHER)
    return gather.record_end(group, branch)
  end
  local before, values = newest, branch.values
  branch.waits, branch.due, branch.values = NO_CALLS, nil, nil
  branch.mark = yieldable.mark()
  newest = branch
  if values then
    return resumed(group, branch, before, coroutine.resume(branch.thread, unpack(values, 1,
      values.n)))
  end
  return resumed(group, branch, before, coroutine.resume(branch.thread, ...))
end

-- ---- all of them -------------------------------------------------------------------------

-- Resumes those whose time has come, each once, in the order of their times: the process may have
-- been stopped for a while.
local function resume_due(group)
  local time, list = now(group.own), {}
  for _, branch in ipairs(group.branches) do
    if not branch.is_over and branch.due and branch.due <= time then
      list[#list + 1] = branch
    end
  end
  table.sort(list, function(one, other)
    return one.due < other.due
  end)
  for _, branch in ipairs(list) do
    if not group.failed then
      resume(group, branch)
    end
  end
end

-- Waits for whatever comes first, and lets go on who has waited for it.
local function turn(group)
  local list, waiter, due, has_yielded = {}, {}, nil, false
  for _, branch in ipairs(group.branches) do
    if not branch.is_over then
      for _, call in ipairs(branch.waits) do
        list[#list + 1], waiter[call] = call, branch
      end
      due = branch.due and math.min(due or branch.due, branch.due) or due
      has_yielded = has_yielded or branch.values ~= nil
    end
  end
  if list[1] ~= nil or not has_yielded then -- a yield alone is no wait
    local call, result = wait_any(group.own, list, due)
    local branch = call ~= nil and waiter[call]
    if branch then
      resume(group, branch, call, result)
    end
  end
  if due then
    resume_due(group)
  end
end

local function drive(group)
  for at = 1, group.count do
    local branch = new_branch(group, group.bodies[at])
    group.branches[at] = branch
    resume(group, branch)
    if group.failed then
      return
    end
  end
  while group.left > 0 and not group.failed do
    turn(group)
  end
end

local stop

-- Closes its variables, which is code of the user's: what that calls is aborted after it. What it
-- raises is of no interest.
local function close(own, branch)
  if branch.group then
    stop(branch.group)
  end
  if HAS_CLOSE and not branch.is_over then
    local before, close_thread = newest, own.close or rawget(coroutine, "close")
    newest = branch
    close_thread(branch.thread)
    newest = before
  end
  branch.is_over = true
end

-- Ends what has not ended, and aborts the calls of all; those that are left after a success may be
-- waited for by the caller, and are its own.
function stop(group)
  local is_failed = group.failed ~= nil or group.left > 0
  local parent = current()
  for _, branch in ipairs(group.branches) do
    close(group.own, branch)
    for call in pairs(branch.calls) do
      if is_failed then
        group.own.cancel(call)
      elseif parent then
        parent.calls[call] = true
      end
    end
    branch.calls = {}
  end
  group.left = 0
  if is_failed then
    group.branches = {} -- nothing holds their coroutines any more
  end
end

-- Until all have ended or one has failed; whatever happens, those that are left are stopped.
local function drive_and_stop(group)
  if HAS_CLOSE then
    local at_exit = setmetatable({}, { __close = function() stop(group) end })
    for _ in drive, group, nil, at_exit do end -- luacheck: ignore 512
    return
  end
  local ok, problem = true, nil
  if yieldable.in_pcall or not coroutine.running() then
    ok, problem = pcall(drive, group)
  else
    drive(group)
  end
  stop(group)
  if not ok then
    error(problem, 0)
  end
end

local function run_here(own, bodies, count)
  local group = { own = own, bodies = bodies, count = count, left = count, branches = {} }
  local parent = current()
  local before = parent and parent.group
  if parent then
    parent.group = group
  end
  drive_and_stop(group)
  if parent then
    parent.group = before
  end
  return group
end

--- Runs functions side by side, and waits for them.
-- @tparam table own the runtime
-- @tparam {function,...} bodies
-- @tparam integer count of them
-- @return the first value of each; or what the first that failed has returned. Raises what it has
-- raised
function gather.run(own, bodies, count)
  local group = (own.gather or run_here)(own, bodies, count)
  local failed, firsts = group.failed, {}
  if failed and not failed.results[1] then
    error(failed.results[2], 0)
  elseif failed then
    return unpack(failed.results, 2, failed.results.n)
  end
  for at = 1, count do
    firsts[at] = group.branches[at].results[2]
  end
  return unpack(firsts, 1, count)
end

return gather

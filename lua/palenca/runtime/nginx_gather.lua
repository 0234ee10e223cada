--- `palenca.gather` inside nginx: each function is a light thread, so that whatever it waits for,
-- a cosocket for example, the others go on.
--
-- nginx lets only the light thread that started another one kill it. So a branch that gathers
-- itself is asked to kill its own first, and then waits for its end.
-- @module palenca.runtime.nginx_gather
local gather = require("palenca.runtime.gather")
local semaphore = require("ngx.semaphore")

local nginx_gather = {}

-- Seconds of one wait for a semaphore, which is repeated.
local LONG = 3600

-- Light threads → their branches, of which a request that has ended holds none any more.
local branches = setmetatable({}, { __mode = "kv" })
-- Whether there has been one: who gathers nothing need not be asked who it is.
local has_branches = false

--- The branch of the running light thread. Raises if it was cancelled, but could not be killed.
-- @treturn ?table its `calls` are those that end with it
function nginx_gather.branch()
  if not has_branches then
    return nil
  end
  local branch = branches[coroutine.running()]
  if branch and branch.is_cancelled then
    error("aborted: another function of palenca.gather has failed", 0)
  end
  return branch
end

local function body_of(group, branch, body)
  has_branches = true
  branches[coroutine.running()] = branch
  branch.results = gather.pack(pcall(body))
  gather.record_end(group, branch)
  group.gate:post(1)
end

local function kill(group, branch)
  branch.is_cancelled = true
  local inner = branch.group
  if inner then
    inner.is_cancelled = true
    inner.gate:post(1)
    while branch.group do
      group.gate:wait(LONG)
    end
  end
  -- not possible during a subrequest: then it goes on until its next call
  ngx.thread.kill(branch.thread)
end

-- nginx keeps what has ended until it is waited for.
local function stop(group, cancel)
  local is_failed = group.failed ~= nil or group.left > 0
  for _, branch in ipairs(group.branches) do
    if branch.is_over then
      ngx.thread.wait(branch.thread)
    else
      kill(group, branch)
    end
    for call in pairs(branch.calls) do
      if is_failed then
        cancel(call)
      elseif group.parent then
        group.parent.calls[call] = true
      end
    end
    branch.calls = {}
  end
end

-- Has stopped what it gathers, and is killed now by who asked for that.
local function wait_for_end(group)
  group.parent.outer.gate:post(1)
  while true do
    group.gate:wait(LONG)
  end
end

local function start(group, bodies)
  for at = 1, group.count do
    local branch = { calls = {}, outer = group }
    group.branches[at] = branch
    branch.thread = ngx.thread.spawn(body_of, group, branch, bodies[at])
    if group.failed or group.is_cancelled then
      return
    end
  end
end

--- Runs functions in light threads, until all have ended or one has failed.
-- @tparam function cancel aborts a call
-- @tparam {function,...} bodies
-- @tparam integer count of them
-- @treturn table as @{palenca.runtime.gather} has it: `branches` with their `results`, and `failed`
function nginx_gather.run(cancel, bodies, count)
  local group = { count = count, left = count, branches = {}, gate = semaphore.new(),
    parent = nginx_gather.branch() }
  if group.parent then
    group.parent.group = group
  end
  start(group, bodies)
  while group.left > 0 and not group.failed and not group.is_cancelled do
    group.gate:wait(LONG)
  end
  stop(group, cancel)
  if group.parent then
    group.parent.group = nil
  end
  if group.is_cancelled then
    wait_for_end(group)
  end
  return group
end

return nginx_gather

--- The tasks of a scheduler that wait for a time, in the order of their times.
-- @module palenca.host.sleepers
local Sleepers = {}
Sleepers.__index = Sleepers

local sleepers = {}

--- Without any.
-- @treturn Sleepers
function sleepers.new()
  return setmetatable({}, Sleepers) -- {due=, task=}, the soonest first
end

--- Adds a task, behind those of the same time.
-- @tparam number due seconds on the scheduler's clock
-- @tparam table task
function Sleepers:add(due, task)
  local at = #self
  while at > 0 and self[at].due > due do
    at = at - 1
  end
  table.insert(self, at + 1, { due = due, task = task })
end

--- Removes a task, if it is among them.
-- @tparam table task
function Sleepers:remove(task)
  for at, sleeper in ipairs(self) do
    if sleeper.task == task then
      table.remove(self, at)
      return
    end
  end
end

--- The time of the first one.
-- @treturn number seconds; `math.huge`: there is none
function Sleepers:due()
  return self[1] and self[1].due or math.huge
end

--- Removes the first one.
-- @treturn table its task
function Sleepers:take()
  return table.remove(self, 1).task
end

return sleepers

--- Which of the machines that serve from one database reconciles: the first one that asks. Those
-- that ask while it does wait for its end, lest it fails, and need not then.
-- @module palenca.host.reconcile_turn
local core = require("palenca.core")
local host = require("palenca.host")

local Turn = {}
Turn.__index = Turn

local reconcile_turn = {}

-- Seconds between two questions of who waits.
local ASK = 1
-- Seconds between two signs of who has the turn, which is another's after half a minute without.
local KEEP = 5

local function ask(self)
  local number, state = host.missing_events.take_turn(self.db, self.number)
  if not number then
    error(state, 0)
  end
  self.number, self.asked_at = number, core.steady_time()
  return state
end

--- For this process.
-- @tparam string db
-- @treturn Turn
function reconcile_turn.new(db)
  return setmetatable({ db = db, number = 0 }, Turn)
end

--- Waits for it.
-- @tparam function wait called with how many seconds to wait
-- @treturn boolean false: another process has reconciled since this one has asked
function Turn:take(wait)
  local state = ask(self)
  while state == "wait" do
    wait(ASK)
    state = ask(self)
  end
  self.is_own = state == "own"
  return self.is_own
end

--- To be called now and then by who has it.
function Turn:keep()
  if self.is_own and core.steady_time() - self.asked_at >= KEEP then
    ask(self)
  end
end

--- Ends it, if it is this process's.
-- @tparam boolean is_done else another one has its turn
function Turn:finish(is_done)
  if self.is_own then
    self.is_own = false
    local ok, problem = host.missing_events.end_turn(self.db, self.number, is_done)
    if not ok then
      error(problem, 0)
    end
  end
end

return reconcile_turn

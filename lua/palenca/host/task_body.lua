--- Runs the function of a scheduler's task inside its coroutine, and keeps what it has raised.
-- @module palenca.host.task_body
local traceback = require("palenca.host.traceback")

local task_body = {}

--- What records where something was raised: of a text all frames, of an error object, which carries
-- its own details, the line. What a branch of
-- palenca.gather has raised is raised again by who called that: its frames come after the branch's.
-- @tparam Scheduler self whose `current` task it is
-- @treturn function a message handler
function task_body.error_handler(self)
  return function(problem)
    local task, frames = self.current, nil
    if not task then
      return problem -- a finalizer's
    elseif type(problem) == "table" then
      local place = task.framed == problem and task.place
      task.place = place or (traceback(debug.traceback("", 2), "") or ""):match("^\t([^\n]-:%d+):")
    elseif type(problem) == "string" then
      frames = traceback(debug.traceback("", 2), problem)
      if task.framed == problem then
        frames = table.concat({ task.frames or "", frames }, "\n"):gsub("^\n", "")
      end
    end
    task.frames, task.framed = frames, problem
    return problem
  end
end

--- The body of every coroutine of a scheduler. The protected call is inside it, so that variables
-- are closed where their functions can wait, and where the hook that stops loops is active. Error
-- objects are described there, too, since their methods are code of the script.
-- @tparam Scheduler self with the `current` task, `on_error`, and `describe`, for what was raised
-- @treturn function without arguments
function task_body.new(self)
  return function()
    local task = self.current
    local ok, problem = xpcall(task.body, self.on_error, task)
    if not ok then
      local is_described, plain = pcall(self.describe, problem)
      if type(plain) == "table" and plain.text and type(problem) == "table" and task.place then
        plain.text = ("%s, at %s"):format(plain.text, task.place)
      end
      task.problem = is_described and plain or "an error that cannot be shown"
    end
    task.ok = ok
  end
end

return task_body

---@meta palenca.runtime
-- Made by spec/support/annotations of the reference.

--- How a caller waits for its call: chosen by where the code runs, the same interface for all.
local runtime = {}

--- Sets another runtime; before the first call is made.
---@param new? table the runtime; nil: the one that fits, when it is needed
---@return table?
function runtime.use(new) end

--- Queues a request. Raises if it is not a valid one: a mistake in the calling code.
---@param request table of the engine
---@return any
function runtime.submit(request) end

--- Waits until a call has its result.
---@param call any of `submit`
---@return table
function runtime.wait(call) end

--- Forgets a call.
---@param call any of `submit`
function runtime.cancel(call) end

--- Waits.
---@param seconds number how long
function runtime.sleep(seconds) end

--- Runs functions side by side: while one waits, in calls of the API, `palenca.http` or `palenca.sleep`, the others go on.
---@param ... function called without arguments
---@return any
function runtime.gather(...) end

return runtime

---@meta palenca.runtime.calls
-- Made by spec/support/annotations of the reference.

---@class palenca.Calls
local Calls = {}

--- Queues a request; raises if it is not valid.
---@param request table as the runtime was given it
---@return table
function Calls:submit(request) end

--- Works for up to `max_wait` seconds; sets the result of every call that has completed. If it has a function `on_lost`, that is called with the id of a result whose call is not there any more.
---@param max_wait number seconds
---@param on_done function called with each such call
---@param ... any descriptors that end the wait when they become readable
function Calls:step(max_wait, on_done, ...) end

--- Forgets a call; its `is_cancelled` is true then.
---@param call table of `Calls:submit`
function Calls:cancel(call) end

--- Holds the pending calls of one engine, submits them, and hands each its result; common to all runtimes.
local calls = {}

--- Makes an empty list of calls.
---@param engine any `palenca.core.engine()`, with the methods `submit`, `step`, `take`, `take_attempt`, `cancel`, `next_deadline`, `fd`, `active` and `close`; or `palenca.core.engine_thread()`, which runs by itself, so that its `step` only fetches what is done
---@param run? function calls a function with the arguments that follow it, where it may wait; default: calls it directly
---@return palenca.Calls
function calls.new(engine, run) end

--- The result of a call: what a runtime's `wait` checks after each event.
---@param call table of `Calls:submit`
---@return table?
function calls.result(call) end

--- Whether it is a call of `Calls:submit`.
---@param call any of any runtime
---@return boolean
function calls.is_call(call) end

--- The call of a list that has ended first: a runtime's `wait_any` returns it.
---@param list table[] calls of `Calls:submit`
---@return table?
function calls.first_ended(list) end

return calls

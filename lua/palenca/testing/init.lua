--- Tests a script of your own without a network, in milliseconds: a stand-in of the API and of your
-- own systems, and events for the script's handlers.
--
-- What runs is the real module: its checks of arguments, its pager, its reading of responses and
-- its decisions on retries. Only the engine, the clock and the environment are stand-ins. It is
-- strict: an option, a field or a method that there is not fails the test, and so does a request
-- that nothing was set for.
--
-- It needs no program and no sandbox. With `sandbox`, the API is the sandbox's own code: that is
-- a part of the program and of the source tree, for Lua 5.4, and not of the rock.
-- @module palenca.testing
local sandbox_process = require("palenca.testing.sandbox_process")
local session = require("palenca.testing.session")

local testing = {}

--- Starts a test. There is one at a time; `test:stop()` ends it.
-- @tparam[opt] table options an unknown one is an error
-- @param[opt="2026-03-02T12:00:00Z"] options.time when it begins: a text, or Unix seconds
-- @tparam ?table options.env variables of the environment, name → text; those of the machine that
-- begin with `PALENCA_` are not seen
-- @param options.sandbox true, or a table of options (`accounts`, `seed`, `history`,
-- `rate_limit`): the API is the sandbox, in the same process
-- @treturn palenca.testing.session
function testing.start(options)
  local started = session.start(options) -- no tail call, which Lua 5.1 would count as a caller
  return started
end

--- Starts the program's sandbox, which a client reaches over a socket.
-- @tparam[opt] table options an unknown one is an error
-- @tparam[opt="palenca"] string options.program the program's file
-- @tparam ?string options.api_key default: one is generated
-- @tparam ?number options.seed of ids, names and earnings
-- @tparam ?number options.accounts workers who have connected an account already
-- @tparam ?number options.history days of earnings that a login recovers
-- @tparam[opt=0] number options.webhook_delay seconds from a login to its webhooks
-- @tparam[opt=0] number options.rate_limit requests a minute; 0: no limit
-- @treturn table `url`, `api_key`, and `stop()`, which ends it; raises if it does not start
function testing.sandbox(options)
  local started = sandbox_process.start(options)
  return started
end

return testing

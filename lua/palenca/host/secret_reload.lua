--- Reads a file with secrets again while its receiver runs.
-- @module palenca.host.secret_reload
local program_log = require("palenca.host.program_log")

local secret_reload = {}

local function log_failure(path, noun, problem)
  program_log.line(string.format("reload of %s failed, keeping the previous %s: %s", path, noun,
    problem), { event = "secret_reload_failed", level = "error", file = path, error = problem })
end

--- Reads it, has its secrets used, and logs what has come of it.
-- @tparam ?table file `path` and `read`, which returns what the options mean now, or raises; nil:
-- there is none
-- @tparam string noun what it holds
-- @tparam function use called with the result of `read`; nil and a message: it cannot be used
function secret_reload.run(file, noun, use)
  if not file then
    return
  end
  local ok, settings = pcall(file.read)
  if not ok then
    log_failure(file.path, noun, tostring(settings))
    return
  end
  local _, problem = use(settings)
  if problem then
    log_failure(file.path, noun, problem)
  else
    program_log.line(file.path .. " reloaded", { event = "secret_reloaded", file = file.path })
  end
end

return secret_reload

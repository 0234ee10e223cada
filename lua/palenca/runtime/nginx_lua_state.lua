--- Whose this Lua state is: with `lua_code_cache off` each request has one of its own, which nginx
-- closes after it, unless a timer holds it.
-- @module palenca.runtime.nginx_lua_state
local core = require("palenca.core")

local nginx_lua_state = {}

local opened_by = ngx.worker.pid()
local is_shared = core.is_first_state
local first = setmetatable({}, { __mode = "v" })

--- Whether it may be there for longer than one request: it is the worker's first, or has come from
-- the process that started the worker, or another request has used it before. Where it is not, a
-- timer that waits for nothing in particular would keep it, and all that is in it.
-- @treturn boolean
function nginx_lua_state.is_shared()
  if is_shared or ngx.worker.pid() ~= opened_by then
    is_shared = true
  elseif ngx.get_phase() ~= "timer" then -- which has no request, but may be one's own
    local context = ngx.ctx
    is_shared = first.is_known and first.context ~= context
    first.is_known, first.context = true, context
  end
  return is_shared
end

return nginx_lua_state

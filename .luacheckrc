-- The module must load on every Lua from 5.1 on; the sandbox and the commands run in the program only.
std = "min"
max_line_length = 100
codes = true
files["lua/palenca/sandbox"].std = "lua54"
files["lua/palenca/cli"].std = "lua54"
files["spec"].std = "max+busted"
files["lua/palenca/runtime/host.lua"].std = "lua54"
files["lua/palenca/script.lua"].std = "lua54"
files["lua/palenca/worker.lua"].std = "lua54"
files["lua/palenca/worker"].std = "lua54"
files["lua/palenca/runtime/nginx.lua"].std = "ngx_lua"
files["lua/palenca/runtime/nginx_lua_state.lua"].std = "ngx_lua"
files["lua/palenca/nginx"].std = "ngx_lua"
files["examples/nginx"].std = "ngx_lua"

-- The module must load on every Lua from 5.1 on; the sandbox and what is in host/ run in the program only.
std = "min"
max_line_length = 100
codes = true
exclude_files = { "build-unfenced" } -- a copy of the tree
files["lua/palenca/sandbox"].std = "lua54"
files["lua/palenca/host"].std = "lua54"
files["spec"].std = "max+busted"
files["examples/spec"].std = "max+busted"
-- they declare functions, which have no body
files["lua/palenca/meta"].ignore = { "212", "241", "431", "631" }
files["lua/palenca/runtime/nginx.lua"].std = "ngx_lua"
files["lua/palenca/runtime/nginx_gather.lua"].std = "ngx_lua"
files["lua/palenca/runtime/nginx_lua_state.lua"].std = "ngx_lua"
files["lua/palenca/nginx"].std = "ngx_lua"
files["examples/nginx"].std = "ngx_lua"
files["spec/bench/parts/cosockets.lua"].std = "ngx_lua"

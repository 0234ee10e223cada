--- The servers that spec/bench/ingest compares with: each is started anew, and returns where it
-- listens and which processes it is.
local bench = require("spec.bench.parts.bench")
local process = require("spec.support.process")

local peers = {}

local HERE = (debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$"))

local NGINX = [[
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
daemon off;
%s
worker_processes 1;
pid nginx.pid;
error_log nginx.log;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000000;
  default_type application/json;
  client_body_buffer_size 64k;
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
  uwsgi_temp_path t4; scgi_temp_path t5;
  init_worker_by_lua_block {
    ffi = require "ffi"
    ffi.cdef [=[
      int open(const char *path, int flags, int mode);
      long write(int fd, const void *bytes, size_t size);
      int fdatasync(int fd);
    ]=]
    events = ffi.C.open("%s/events", 0x441, 384) -- O_WRONLY | O_CREAT | O_APPEND
    assert(events >= 0)
    redis = require "nginx.redis"
    function received()
      ngx.header.content_length = 18
      ngx.print('{"received":true}\n')
    end
  }
  server {
    listen 127.0.0.1:%d backlog=1024;
    location = /return { return 200 '{"received":true}\n'; }
    location = /append {
      content_by_lua_block {
        ngx.req.read_body()
        local line = ngx.req.get_body_data() .. "\n"
        assert(ffi.C.write(events, line, #line) == #line)
        assert(ffi.C.fdatasync(events) == 0)
        received()
      }
    }
    location = /redis {
      content_by_lua_block {
        ngx.req.read_body()
        local client = redis:new()
        assert(client:connect("unix:%s/redis.socket"))
        assert(client:rpush("events", ngx.req.get_body_data()))
        client:set_keepalive(60000, 512)
        received()
      }
    }
  }
}
]]

-- A server with processes of its own must be ended, or they stay.
local function start(stage, path, arguments, options)
  local started = stage:start(path, arguments, options)
  stage:at_end(function()
    started:stop()
  end)
  return started
end

local function nginx(stage, directory, path)
  local port = bench.free_port()
  -- Started as root, its worker would be another user, who must not write here.
  local _, id = process.run("/usr/bin/id", { "-u" })
  local user = id == "0\n" and "user root;" or ""
  process.write_file(directory .. "/nginx.conf",
    NGINX:format(user, directory, port, directory))
  local started = start(stage, "/usr/sbin/nginx", { "-p", directory,
    "-e", directory .. "/nginx.log", "-c", directory .. "/nginx.conf" })
  bench.wait_port(port, started)
  return { port = port, path = path, processes = { started } }
end

--- nginx that responds and does nothing else.
function peers.nginx_return(stage)
  return nginx(stage, bench.directory(), "/return")
end

--- nginx and Lua that append to a file and sync it.
function peers.nginx_append(stage)
  return nginx(stage, bench.directory(), "/append")
end

--- nginx and Lua that push to a Redis which syncs before it responds.
function peers.nginx_redis(stage)
  local directory = bench.directory()
  local redis = start(stage, "/usr/bin/redis-server", { "--port", "0", "--unixsocket",
    directory .. "/redis.socket", "--dir", directory, "--save", "", "--appendonly", "yes",
    "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0" })
  redis:wait_output("stdout", "(eady to accept connections)")
  local server = nginx(stage, directory, "/redis")
  table.insert(server.processes, redis)
  return server
end

--- Flask under gunicorn with SQLite.
function peers.flask(stage)
  local port = bench.free_port()
  local started = start(stage, "/usr/bin/gunicorn", { "--chdir", HERE, "--bind",
    "127.0.0.1:" .. port, "--workers", "2", "--threads", "16", "--keep-alive", "75",
    "--log-level", "error", "flask_app:app" },
    { env = { BENCH_DB = bench.directory() .. "/events.db", PYTHONDONTWRITEBYTECODE = "1" } })
  bench.wait_port(port, started)
  return { port = port, path = "/webhooks/palenca", processes = { started } }
end

--- Debian's webhook, which starts a Lua script for each event and responds when it has ended.
function peers.webhook(stage)
  local port, directory = bench.free_port(), bench.directory()
  process.write_file(directory .. "/hooks.json", string.format([=[
    [{ "id": "palenca", "execute-command": "/usr/bin/lua5.4",
       "include-command-output-in-response": true,
       "pass-arguments-to-command": [
         { "source": "string", "name": "%s/webhook_handler.lua" },
         { "source": "entire-payload" }] }]
  ]=], HERE))
  local started = start(stage, "/usr/bin/webhook", { "-hooks", directory .. "/hooks.json", "-ip",
    "127.0.0.1", "-port", tostring(port) }, { env = { GIN_MODE = "release" } })
  bench.wait_port(port, started)
  return { port = port, path = "/hooks/palenca", processes = { started } }
end

--- `palenca serve` with a script that handles no event, or each one with an empty handler.
function peers.palenca(_, text)
  local served = bench.serve(text)
  return { port = served.port, path = "/webhooks/palenca", db = served.db, processes = { served } }
end

--- The receiver of `palenca serve` without a store.
function peers.receive_only(stage)
  local started = stage:start(bench.built("receive_only"), {})
  local port = tonumber((started:wait_output("stdout", "127%.0%.0%.1:(%d+)")))
  return { port = port, path = "/webhooks/palenca", processes = { started } }
end

return peers

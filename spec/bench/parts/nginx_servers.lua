--- The two nginx of spec/bench/nginx: the upstream, and the one under measurement, with a location
-- for each way to wait for it.
local uv = require("luv")
local bench = require("spec.bench.parts.bench")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local servers = {}

local HEAD = [[
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
daemon off;
USER
worker_processes 1;
pid nginx.pid;
error_log nginx.log error;
events { worker_connections 2048; }
http {
  access_log off;
  keepalive_requests 1000000000;
  default_type application/json;
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
  uwsgi_temp_path t4; scgi_temp_path t5;
]]

-- The connections of the second server are a second old at most, and begin from nothing.
local UPSTREAM = [[
  init_by_lua_block {
    function respond()
      ngx.sleep(0.05)
      local text = '{"success": true, "data": {"text": "here"}}\n'
      ngx.header.content_length = #text
      ngx.print(text)
    end
  }
  server {
    listen 127.0.0.1:PLAIN backlog=1024;
    location / { content_by_lua_block { respond() } }
  }
  server {
    listen 127.0.0.1:SECURE ssl backlog=1024;
    ssl_certificate certificate.pem; ssl_certificate_key key.pem; ssl_protocols TLSv1.3;
    ssl_session_tickets off; ssl_session_cache off;
    keepalive_time 1s;
    location / { content_by_lua_block { respond() } }
  }
}
]]

local MEASURED = [[
  lua_package_path "ROOT/lua/?.lua;ROOT/lua/?/init.lua;;";
  lua_package_cpath "MODULE;;";
  init_by_lua_block {
    local palenca = require "palenca"
    local function new(options)
      options.api_key, options.rate_limit, options.max_retries = "bench", 0, 0
      return palenca.new(options)
    end
    plain = new { base_url = "http://127.0.0.1:PLAIN" }
    cold = new { base_url = "https://localhost:SECURE", ca_file = "DIRECTORY/ca.pem" }
    hung = new { base_url = "https://nobody.example", timeout = 1 }
    local function print(text)
      ngx.header.content_length = #text
      ngx.print(text)
    end
    function ours(client)
      local data, err = client:request("GET", "/v1/x")
      if not data and client ~= hung then ngx.log(ngx.ERR, tostring(err)) return ngx.exit(502) end
      print(data and data.text or err.kind)
    end
    function empty()
      ngx.sleep(0.05)
      print("here")
    end
    local curl, cjson = require "curl", require "cjson"
    local http = dofile("ROOT/spec/bench/parts/cosockets.lua")
    function cosockets()
      local status, body = http.get("127.0.0.1", PLAIN, "/v1/x", "bench")
      local response = status and cjson.decode(body)
      if status ~= 200 or not response.success then
        ngx.log(ngx.ERR, tostring(body))
        return ngx.exit(502)
      end
      print(response.data.text)
    end
    local easy
    function blocking()
      local parts = {}
      easy = easy or curl.easy_init()
      easy:setopt(curl.OPT_URL, "http://127.0.0.1:PLAIN/v1/x")
      easy:setopt(curl.OPT_WRITEFUNCTION, function(text)
        parts[#parts + 1] = text
        return #text
      end)
      assert(easy:perform())
      print(cjson.decode(table.concat(parts)).data.text)
    end
  }
  upstream upstream { server 127.0.0.1:PLAIN; keepalive 128; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:PORT backlog=1024;
    location = /empty { content_by_lua_block { empty() } }
    location = /proxy_pass {
      proxy_pass http://upstream/v1/x; proxy_http_version 1.1; proxy_set_header Connection "";
    }
    location = /module { content_by_lua_block { ours(plain) } }
    location = /module_cold { content_by_lua_block { ours(cold) } }
    location = /module_hung { content_by_lua_block { ours(hung) } }
    location = /cosockets { content_by_lua_block { cosockets() } }
    location = /blocking { content_by_lua_block { blocking() } }
    location = /other { content_by_lua_block { ngx.header.content_length = 5 ngx.print("other") } }
  }
}
]]

local function start(stage, directory, text, port, env)
  -- Started as root, its worker would be another user, who must not read here.
  local head = HEAD:gsub("USER", uv.getuid() == 0 and "user root;" or "")
  process.write_file(directory .. "/nginx.conf", head .. text)
  local started = stage:start("/usr/sbin/nginx", { "-p", directory, "-e", "nginx.log", "-c",
    "nginx.conf" }, { env = env })
  stage:at_end(function()
    started:stop()
  end)
  bench.wait_port(port, started)
  started.log = directory .. "/nginx.log"
  return started
end

local function resolver(directory)
  local path = directory .. "/slow_resolver.so"
  local status, _, err = process.run("/usr/bin/gcc", { "-D_GNU_SOURCE", "-shared", "-fPIC", "-O2",
    "-o", path, "spec/bench/parts/slow_resolver.c" })
  assert(status == 0, err)
  return path
end

--- Starts both: returns the one under measurement, with `url` and `worker`, the id of its worker.
function servers.start(stage)
  local directory, own = bench.directory(), bench.directory()
  local _, certificate = process.certificate(directory)
  -- with all that the system trusts, as a user has it
  process.write_file(own .. "/ca.pem", helper.read_file("/etc/ssl/certs/ca-certificates.crt")
    .. helper.read_file(certificate))
  local values = {
    PLAIN = bench.free_port(), SECURE = bench.free_port(), PORT = bench.free_port(),
    ROOT = uv.cwd(), DIRECTORY = own,
    MODULE = process.program():gsub("/bin/[^/]*$", "/lua/luajit/?.so"),
  }
  start(stage, directory, UPSTREAM:gsub("%u%u%u%u+", values), values.PLAIN)
  local measured = start(stage, own, MEASURED:gsub("%u%u%u%u+", values), values.PORT,
    { LD_PRELOAD = resolver(own) })
  measured.url = "http://127.0.0.1:" .. values.PORT
  measured.worker = process.poll_for(function()
    local children = helper.read_file(string.format("/proc/%d/task/%d/children", measured.pid,
      measured.pid))
    return tonumber(children:match("%d+"))
  end, "the worker")
  return measured
end

return servers

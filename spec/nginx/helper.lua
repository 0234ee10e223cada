--- What the specs inside nginx share: an nginx of their own, with the built module.
local uv = require("luv")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local nginx = setmetatable({}, { __index = helper })

local Nginx = {}
Nginx.__index = Nginx

local MODULES = "/usr/lib/nginx/modules/"

--- The names in a directory.
function nginx.names_in(directory)
  local names, found = {}, uv.fs_scandir(directory)
  while found do
    local name = uv.fs_scandir_next(found)
    if not name then
      break
    end
    names[#names + 1] = name
  end
  return names
end

--- The pattern that finds the module built along with the program under test.
function nginx.module_pattern()
  return process.program():match("^(.*)/bin/palenca$") .. "/lua/luajit/?.so;;"
end

local function configuration(self, options)
  local root = uv.cwd()
  return table.concat({
    "load_module " .. MODULES .. "ndk_http_module.so;",
    "load_module " .. MODULES .. "ngx_http_lua_module.so;",
    "daemon off;",
    uv.getuid() == 0 and "user root;" or "",
    "worker_processes " .. (options.workers or 1) .. ";",
    "pid " .. self.directory .. "/nginx.pid;",
    "error_log " .. self.directory .. "/error.log " .. (options.log_level or "info") .. ";",
    options.main or "",
    "events { worker_connections 1024; }",
    "http {",
    "  access_log off;",
    "  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;",
    "  uwsgi_temp_path t4; scgi_temp_path t5;",
    '  lua_package_path "' .. root .. "/lua/?.lua;" .. root .. "/lua/?/init.lua;" .. root
      .. '/?.lua;;";',
    '  lua_package_cpath "' .. nginx.module_pattern() .. '";',
    options.http or "",
    "  server {",
    "    listen 127.0.0.1:" .. self.port .. (options.listen or "") .. ";",
    options.server,
    "  }",
    "}",
  }, "\n")
end

-- The module's sanitizers have to be there before nginx is; what they find is in files.
local function sanitizing(directory)
  if not nginx.sanitized then
    return {}
  end
  return {
    LD_PRELOAD = os.getenv("SPEC_RUNTIMES"),
    ASAN_OPTIONS = "detect_leaks=1:log_path=" .. directory .. "/sanitizer",
  }
end

local function launch(self)
  local env = sanitizing(self.directory)
  for name, value in pairs(self.options.env or {}) do
    env[name] = value
  end
  self.process = self.stage:start("/usr/sbin/nginx", {
    "-e", self.directory .. "/error.log", "-p", self.directory,
    "-c", self.directory .. "/nginx.conf",
  }, { env = env })
  self:wait_workers(self.options.workers or 1)
end

--- Starts an nginx on a stage. `options`: `server` (the text inside the server's braces), `http`,
-- `main` (texts before it), `listen` (what follows the port), `workers`, `env`,
-- `log_level`. Returns it, with `url` and its `process`.
function nginx.start(stage, options)
  local directory = stage:directory()
  local port = nginx.free_port()
  local self = setmetatable({
    stage = stage, options = options, directory = directory, port = port,
    url = "http://127.0.0.1:" .. port,
  }, Nginx)
  process.write_file(directory .. "/nginx.conf", configuration(self, options))
  launch(self)
  -- killed outright, it would leave its workers behind
  stage:at_end(function()
    self:quit("sigterm")
  end)
  return self
end

--- Ends it as `nginx -s quit` does, and starts it again; returns the exit status.
function Nginx:restart()
  local status = self:quit()
  launch(self)
  return status
end

--- The process ids of the workers.
function Nginx:workers()
  local found = {}
  local text = nginx.read_file(string.format("/proc/%d/task/%d/children", self.process.pid,
    self.process.pid))
  for pid in (text or ""):gmatch("%d+") do
    found[#found + 1] = tonumber(pid)
  end
  return found
end

--- Asks for a path, by HTTP/1.0 so that the response ends with its connection: returns the body,
-- without the end of its last line, the status and the headers.
function Nginx:get(path)
  local connection = nginx.connect(self.url)
  connection:send("GET " .. path .. " HTTP/1.0\r\n\r\n"):wait_end()
  connection:close()
  local head, body = connection.received:match("^(.-\r\n)\r\n(.*)$")
  local headers = {}
  for name, value in head:gmatch("\r\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
    headers[name:lower()] = value
  end
  return (body:gsub("\n$", "")), tonumber(head:match("^HTTP/1%.%d (%d+)")), headers
end

--- Waits until there are as many workers, and they respond.
function Nginx:wait_workers(count)
  nginx.ask_until(function()
    assert(not self.process.code, self:log())
    uv.sleep(5)
    uv.run("nowait")
    return #self:workers() == count
  end, count .. " workers")
  nginx.ask_until(function()
    local connection = nginx.connect(self.url)
    process.wait_for(function()
      return connection.connected or connection.ended
    end, "nginx")
    connection:close()
    return connection.connected
  end, "nginx to listen")
end

--- Loads the configuration again, and waits until there are new workers, and no more than `left` of
-- those before: which have something to end.
function Nginx:begin_reload(left)
  local before, wanted = {}, 0
  for _, pid in ipairs(self:workers()) do
    before[pid], wanted = true, wanted + 1
  end
  self.process:kill("sighup")
  nginx.ask_until(function()
    assert(not self.process.code, self:log())
    uv.sleep(5)
    uv.run("nowait")
    local old, new = 0, 0
    for _, pid in ipairs(self:workers()) do
      old, new = old + (before[pid] and 1 or 0), new + (before[pid] and 0 or 1)
    end
    return old <= left and new == wanted
  end, "new workers")
end

--- Loads the configuration again, and waits until only new workers are left.
function Nginx:reload()
  self:begin_reload(0)
end

--- What it has logged.
function Nginx:log()
  return (nginx.read_file(self.directory .. "/error.log") or "") .. self.process.stderr
end

-- What the sanitizers have found, but for what nginx itself leaves at its end. The module is gone
-- when leaks are looked for, so that its code has no names any more.
local function reports(directory)
  local list = {}
  for _, name in ipairs(nginx.names_in(directory)) do
    local text = name:find("^sanitizer") and nginx.read_file(directory .. "/" .. name) or ""
    for part in (text .. "\n\n"):gmatch("(.-)\n\n") do
      local is_leak = part:find(" leak of ", 1, true)
      if is_leak and not part:find("#1 0x%x+ in ngx_")
        or not is_leak and part:find("ERROR: AddressSanitizer", 1, true)
      then
        list[#list + 1] = part
      end
    end
  end
  return list
end

--- What it has logged that is worse than a notice, and what sanitizers have found.
function Nginx:complaints()
  local list = reports(self.directory)
  for line in self:log():gmatch("[^\n]+") do
    if not line:find("%[info%]") and not line:find("%[notice%]") then
      list[#list + 1] = line
    end
  end
  return table.concat(list, "\n")
end

--- Ends it as `nginx -s quit` does, or as `stop` does with "sigterm"; returns its exit status.
function Nginx:quit(signal)
  self.process:kill(signal or "sigquit")
  return self.process:wait_exit()
end

return nginx

--- Reloads and restarts under load, and many calls: nothing is lost, and nothing is left behind.
local uv = require("luv")
local helper = require("spec.nginx.helper")
local process = require("spec.support.process")

-- SPEC_ENDURANCE=full is for a machine that has the time.
local FULL = os.getenv("SPEC_ENDURANCE") == "full"
local RELOADS, RESTARTS, CALLS = FULL and 20 or 4, FULL and 10 or 2, FULL and 100000 or 4000
local CALLERS, WORKERS = 16, 2

local HTTP = [[
  init_by_lua_block {
    local palenca = require "palenca"
    function fetch(path, upstream)
      local client = palenca.new { api_key = "spec-key", base_url = upstream or "UPSTREAM",
        rate_limit = 0, max_retries = 0 }
      local data, err = client:request("GET", path)
      return data and data.text or "failed: " .. tostring(err)
    end
  }
]]

local SERVER = [[
  keepalive_requests 1000000;
  location /call/ { content_by_lua_block { ngx.print(fetch(ngx.var.uri)) } }
  location /upstream/ { content_by_lua_block {
    ngx.say('{"success": true, "data": {"text": "', ngx.var.uri, '"}}')
  } }
  location /many { content_by_lua_block {
    local own = "http://127.0.0.1:" .. ngx.var.server_port
    local function work(thread)
      for i = 1, 20 do
        local path = "/upstream/" .. thread .. "/" .. i
        if fetch(path, own) ~= path then return 1 end
      end
      return 0
    end
    local threads, wrong = {}, 0
    for i = 1, 50 do threads[i] = ngx.thread.spawn(work, i) end
    for i = 1, 50 do wrong = wrong + select(2, ngx.thread.wait(threads[i])) end
    ngx.say(wrong)
  } }
  location /collect { content_by_lua_block {
    collectgarbage() collectgarbage()
    ngx.say(collectgarbage("count"))
  } }
]]

-- ---- the load: every response is of its own call, and every call is made once --------------

local Load = {}
Load.__index = Load

local function new_load(url)
  return setmetatable({
    port = tonumber(url:match("%d+$")), last = 0, running = 0, responded = 0, sent = {}, bad = {},
  }, Load)
end

-- One that nginx has not taken, since it is about to end, is made again once it is back.
function Load:finish(serial, received)
  local text = received:match("\r\n\r\n(.*)$")
  if text == "to /call/" .. serial then
    self.responded = self.responded + 1
    self:next()
  elseif received == "" and not self.sent["/call/" .. serial] then
    self.running = self.running - 1
    self.postponed[#self.postponed + 1] = serial
  else
    self.bad[#self.bad + 1] = serial .. ": " .. received
    self:next()
  end
end

function Load:call(serial)
  local socket, received, is_over = uv.new_tcp(), "", false
  local function finish()
    if not is_over then
      is_over = true
      socket:close()
      self:finish(serial, received)
    end
  end
  socket:connect("127.0.0.1", self.port, function(problem)
    if problem then
      return finish()
    end
    socket:write("GET /call/" .. serial .. " HTTP/1.0\r\n\r\n")
    socket:read_start(function(_, data)
      received = received .. (data or "")
      if not data then
        finish()
      end
    end)
  end)
end

function Load:next()
  if self.is_stopped then
    self.running = self.running - 1
    return
  end
  self.last = self.last + 1
  self:call(self.last)
end

function Load:start()
  self.is_stopped, self.running = false, self.running + CALLERS
  local postponed = self.postponed or {}
  self.postponed = {}
  for _, serial in ipairs(postponed) do
    self.running = self.running + 1
    self:call(serial)
  end
  for _ = 1, CALLERS do
    self:next()
  end
end

function Load:stop()
  self.is_stopped = true
  process.wait_for(function()
    return self.running == 0
  end, "the calls to end")
end

function Load:more(count)
  local wanted = self.responded + count
  process.wait_for(function()
    return self.responded >= wanted or self.bad[1]
  end, "more calls")
end

-- ---- what a process has --------------------------------------------------------------

local function status(pid, field)
  return tonumber(helper.read_file("/proc/" .. pid .. "/status"):match(field .. ":%s*(%d+)"))
end

describe("nginx under load", function()
  local stage = helper.stage_for_each()
  local upstream, nginx, load, directory

  before_each(function()
    directory = stage:directory()
    upstream = stage:server(function(request)
      load.sent[request.path] = (load.sent[request.path] or 0) + 1
      local timer = uv.new_timer()
      timer:start(3, 0, function()
        timer:close()
        request.respond(200, '{"success": true, "data": {"text": "to ' .. request.path .. '"}}')
      end)
    end)
    nginx = helper.start(stage, {
      workers = WORKERS, http = HTTP:gsub("UPSTREAM", upstream.url), server = SERVER,
      main = "env TMPDIR=" .. directory .. ";",
    })
    load = new_load(nginx.url)
  end)

  -- Every call got a response with its own text, and made once.
  local function check_calls()
    assert.are.same({}, load.bad)
    assert.are.equal(load.last, load.responded + #load.postponed)
    assert.are.same({}, load.postponed)
    for serial = 1, load.last do
      assert.are.equal(1, load.sent["/call/" .. serial], serial)
    end
  end

  local function check_end()
    assert.are.equal(0, nginx:quit())
    assert.are.equal("", nginx:complaints())
    assert.are.same({}, helper.names_in(directory))
  end

  it(RELOADS .. " reloads lose no call, and leave no process, thread, file or memory", function()
    load:start()
    nginx:reload() -- what the first one allocates is kept
    load:more(50)
    local descriptors = helper.descriptors(nginx.process.pid)
    local memory = status(nginx.process.pid, "VmRSS")
    for _ = 1, RELOADS do
      nginx:reload()
      load:more(50)
    end
    load:stop()
    check_calls()
    assert.are.equal(WORKERS, #nginx:workers())
    assert.are.equal(1, status(nginx.process.pid, "Threads"))
    for _, pid in ipairs(nginx:workers()) do
      assert.is_true(status(pid, "Threads") <= 2)
    end
    assert.are.equal(descriptors, helper.descriptors(nginx.process.pid))
    if not helper.sanitized then -- whose allocator keeps freed memory for a while
      local more = status(nginx.process.pid, "VmRSS") - memory
      assert.is_true(more < 4096, more .. " KiB more")
    end
    check_end()
  end)

  it(RESTARTS .. " restarts lose no call that was taken", function()
    load:start()
    for _ = 1, RESTARTS do
      load:more(50)
      load.is_stopped = true
      assert.are.equal(0, nginx:restart())
      load:stop()
      load:start()
    end
    load:more(50)
    load:stop()
    check_calls()
    check_end()
  end)
end)

describe(CALLS .. " calls in one worker", function()
  it("leave its memory as it was", function()
    local stage = helper.stage()
    finally(function() stage:clear() end)
    local nginx = helper.start(stage, { http = HTTP, server = SERVER })
    local pid = nginx:workers()[1]
    local function work(count)
      for _ = 1, count / 1000 do
        assert.are.equal("0", (nginx:get("/many")))
      end
      return tonumber((nginx:get("/collect"))), status(pid, "VmRSS"), helper.descriptors(pid)
    end
    local lua, memory, descriptors = work(4000)
    local lua_after, memory_after, descriptors_after = work(CALLS)
    assert.is_true(lua_after - lua < 256, lua_after - lua .. " KiB of Lua more")
    if not helper.sanitized then
      assert.is_true(memory_after - memory < 2048, memory_after - memory .. " KiB more")
    end
    -- of the connections, which have both ends here, there may have been fewer than fifty before
    assert.is_true(descriptors_after <= descriptors + 100, descriptors_after .. " descriptors")
    assert.are.equal(2, status(pid, "Threads"))
    assert.are.equal(0, nginx:quit())
    assert.are.equal("", nginx:complaints())
  end)
end)

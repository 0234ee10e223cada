--- How calls wait inside nginx: where they may, what goes on meanwhile, and what is left behind.
local helper = require("spec.nginx.helper")
local process = require("spec.support.process")

-- `fetch(path)` returns what an upstream says, or complains.
local HTTP = [[
  lua_check_client_abort on;
  init_by_lua_block {
    palenca = require "palenca"
    runtime = require "palenca.runtime"
    function fetch(path, options)
      local all = { api_key = "spec-key", base_url = "UPSTREAM", rate_limit = 0, max_retries = 0 }
      for name, value in pairs(options or {}) do all[name] = value end
      local data, err = palenca.new(all):request("GET", path)
      return data and data.text or "failed: " .. tostring(err)
    end
    state = {}
    IN_INIT
  }
]]

local SERVER = [[
  location / { content_by_lua_block {
    local path = ngx.var.uri
    ngx.say(fetch(path))
  } }
  location /rewrite/ {
    rewrite_by_lua_block { ngx.ctx.text = fetch(ngx.var.uri) }
    content_by_lua_block { ngx.say(ngx.ctx.text) }
  }
  location /access/ {
    access_by_lua_block { ngx.ctx.text = fetch(ngx.var.uri) }
    content_by_lua_block { ngx.say(ngx.ctx.text) }
  }
  location /coroutine/ { content_by_lua_block {
    local thread = coroutine.wrap(function()
      for i = 1, 3 do coroutine.yield(fetch(ngx.var.uri .. i)) end
    end)
    ngx.say(thread(), thread(), thread())
  } }
  location /threads/ { content_by_lua_block {
    local uri, threads = ngx.var.uri, {}
    for i = 1, 4 do threads[i] = ngx.thread.spawn(fetch, uri .. i) end
    for i = 1, 4 do
      local _, text = ngx.thread.wait(threads[i])
      ngx.print(text, " ")
    end
  } }
  location /empty { content_by_lua_block { ngx.say("here") } }
  location /set { set_by_lua_block $text { return select(2, pcall(fetch, "/set")) }
    content_by_lua_block { ngx.say(ngx.var.text) } }
  location /header_filter {
    content_by_lua_block { ngx.say("") }
    header_filter_by_lua_block { ngx.header["X-Said"] = select(2, pcall(fetch, "/header_filter")) }
  }
  location /body_filter {
    content_by_lua_block { ngx.say("") }
    body_filter_by_lua_block {
      if ngx.arg[2] then ngx.arg[1] = select(2, pcall(fetch, "/body_filter")) end
    }
  }
  location /log { content_by_lua_block { ngx.say(state.said or "") }
    log_by_lua_block { state.said = select(2, pcall(fetch, "/log")) } }
  location /sort { content_by_lua_block {
    ngx.say(select(2, pcall(table.sort, { 3, 2, 1 }, function(a, b)
      fetch("/sort")
      return a < b
    end)))
  } }
  location /sleep { content_by_lua_block {
    ngx.update_time()
    local began = ngx.now()
    for _ = 1, 20 do palenca.sleep(0) end
    ngx.update_time()
    ngx.say(ngx.now() - began)
  } }
  location /signalled { content_by_lua_block {
    local core = require "palenca.core"
    local child = io.popen("kill -s CHLD $PPID; sleep 0.1; kill -s CHLD $PPID")
    local began = core.steady_time()
    palenca.sleep(0.5)
    ngx.say(core.steady_time() - began)
    child:close()
  } }
  location /kill/ { content_by_lua_block {
    local thread = ngx.thread.spawn(fetch, ngx.var.uri)
    while not state.killed do ngx.sleep(0.005) end
    ngx.thread.kill(thread)
    thread = nil
    collectgarbage() collectgarbage()
    ngx.say("killed")
  } }
  location /kill_now { content_by_lua_block { state.killed = true } }
  location /abort/ { content_by_lua_block {
    ngx.on_abort(function() state.aborted = true ngx.exit(499) end)
    ngx.say(fetch(ngx.var.uri))
  } }
  location /aborted { content_by_lua_block {
    collectgarbage() collectgarbage()
    ngx.say(tostring(state.aborted))
  } }
  location /observed/ { content_by_lua_block {
    local seen = {}
    fetch(ngx.var.uri, { max_retries = 1, on_attempt = function(attempt)
      seen[#seen + 1] = attempt.number .. ":" .. (attempt.status or attempt.kind)
    end })
    ngx.say(table.concat(seen, " "))
  } }
  location /observing/ { content_by_lua_block {
    local uri, seen, left = ngx.var.uri, {}, 3
    local observer = function(attempt)
      palenca.sleep(0.01)
      local text = fetch("/observer/" .. attempt.number)
      seen[#seen + 1] = text
      left = left - 1
    end
    for i = 1, 3 do
      ngx.print(fetch(uri .. i, { on_attempt = observer }), " ")
    end
    while left > 0 do ngx.sleep(0.005) end
    ngx.say(table.concat(seen, " "))
  } }
  location /give_up/ { content_by_lua_block {
    local request = { method = "GET", url = "UPSTREAM" .. ngx.var.uri, timeout = 60 }
    local call = runtime.submit(request)
    local threads = {}
    local function wait() return pcall(runtime.wait, call) end
    for i = 1, 2 do threads[i] = ngx.thread.spawn(wait) end
    while not state.given_up do ngx.sleep(0.005) end
    runtime.cancel(call)
    for i = 1, 2 do
      local _, ok, problem = ngx.thread.wait(threads[i])
      ngx.print(tostring(ok), " ", tostring(problem), "; ")
    end
    ngx.say(select(2, pcall(runtime.wait, call)))
  } }
  location /give_up_now { content_by_lua_block { state.given_up = true } }
  location /zombies { content_by_lua_block {
    local function watched() fetch("/", { on_attempt = function() end }) end
    for _ = 1, 200 do watched() end
    collectgarbage() collectgarbage()
    local before = collectgarbage("count")
    for _ = 1, 1000 do watched() end
    collectgarbage() collectgarbage()
    ngx.say(collectgarbage("count") - before)
  } }
  location /timer/ { content_by_lua_block {
    local uri, done, text = ngx.var.uri, require("ngx.semaphore").new()
    ngx.timer.at(0, function() text = fetch(uri) done:post() end)
    done:wait(60)
    ngx.say(text)
  } }
]]

-- Responds with the path, in the form of the API.
local function respond(request, status)
  request.respond(status or 200, helper.json.encode({ success = true,
    data = { text = "to " .. request.path } }))
end

local function start(stage, upstream, options)
  options = options or {}
  options.server = (options.server or SERVER):gsub("UPSTREAM", upstream.url)
  options.http = HTTP:gsub("UPSTREAM", upstream.url):gsub("IN_INIT", options.init or "")
    .. (options.http or "")
  return helper.start(stage, options)
end

-- What a process has running and open.
local function threads(pid)
  local list = {}
  for _, id in ipairs(helper.names_in("/proc/" .. pid .. "/task")) do
    local name = helper.read_file("/proc/" .. pid .. "/task/" .. id .. "/comm")
    list[#list + 1] = name and name:match("[^\n]+") -- it may have ended meanwhile
  end
  table.sort(list)
  return list
end

describe("a call inside nginx", function()
  local stage, upstream, nginx

  setup(function()
    stage = helper.stage()
    upstream = stage:server(function(request)
      if not request.path:find("hold") then
        respond(request, tonumber(request.path:match("/status(%d+)$")))
      end
    end)
    nginx = start(stage, upstream)
  end)

  teardown(function()
    local status = nginx:quit()
    local complaints = nginx:complaints()
    stage:clear()
    assert.are.same({ 0, "" }, { status, complaints })
  end)

  local function get(path)
    local body, _, headers = nginx:get(path)
    return body, headers
  end

  for _, place in ipairs { "content", "rewrite", "access", "timer" } do
    it("waits in " .. place, function()
      local path = "/" .. place .. "/one"
      assert.are.equal("to " .. path, get(path))
    end)
  end

  it("waits in light threads and in coroutines", function()
    assert.are.equal("to /threads/1 to /threads/2 to /threads/3 to /threads/4 ",
      (get("/threads/")))
    assert.are.equal("to /coroutine/1to /coroutine/2to /coroutine/3", (get("/coroutine/")))
  end)

  for _, phase in ipairs { "set", "header_filter", "body_filter", "log" } do
    it("is rejected in " .. phase .. ", and nothing is sent", function()
      local said, headers = get("/" .. phase)
      if phase == "log" then
        said = get("/log")
      end
      said = headers["x-said"] or said
      assert.truthy(said:find("a call cannot wait in nginx's " .. phase .. " phase", 1, true), said)
      assert.is_nil(upstream:find("/" .. phase))
    end)
  end

  for _, phase in ipairs { "init", "init_worker" } do
    it("is rejected in " .. phase .. ", and nothing is sent", function()
      local rejected = 'state.said = select(2, pcall(fetch, "/' .. phase .. '"))'
      local other = start(stage, upstream, {
        init = phase == "init" and rejected,
        http = phase == "init_worker" and "init_worker_by_lua_block { " .. rejected .. " }",
        server = "location / { content_by_lua_block { ngx.say(state.said) } }",
      })
      local said = other:get("/")
      assert.truthy(said:find("a call cannot wait in nginx's " .. phase .. " phase", 1, true), said)
      assert.is_nil(upstream:find("/" .. phase))
      assert.are.equal(0, other:quit())
    end)
  end

  it("is rejected inside of a sort, and nothing is sent", function()
    local said = get("/sort")
    assert.truthy(said:find("a call cannot wait inside of what Lua itself calls", 1, true), said)
    assert.is_nil(upstream:find("/sort"))
  end)

  it("leaves the worker to others, as many as there are", function()
    local waiting = {}
    for i = 1, 150 do
      waiting[i] = stage:connect(nginx.url):send(
        "GET /hold/" .. i .. " HTTP/1.0\r\n\r\n")
    end
    -- the engine sends no more than 100 at a time
    for i = 1, 100 do
      upstream:wait_request("/hold/" .. i)
    end
    assert.are.equal("here", get("/empty"))
    for i = 1, 150 do
      respond(upstream:wait_request("/hold/" .. i))
    end
    for i, connection in ipairs(waiting) do
      connection:wait_end()
      assert.are.equal("to /hold/" .. i .. "\n", connection.received:match("\r\n\r\n(.*)$"))
      connection:close()
    end
  end)

  it("reports its attempts", function()
    assert.are.equal("1:500 2:500", get("/observed/status500"))
  end)

  it("goes on while an observer of an attempt sleeps and calls", function()
    assert.are.equal("to /observing/1 to /observing/2 to /observing/3 "
      .. "to /observer/1 to /observer/1 to /observer/1", (get("/observing/")))
  end)

  it("leaves nothing of its observers behind", function()
    local more = tonumber((get("/zombies")))
    assert.is_true(more < 100, more .. " KiB")
  end)

  it("is aborted for all that wait for it", function()
    local connection = stage:connect(nginx.url):send("GET /give_up/hold HTTP/1.0\r\n\r\n")
    local request = upstream:wait_request("/give_up/hold")
    get("/give_up_now")
    connection:wait_end()
    assert.are.equal("false the call was aborted; false the call was aborted; "
      .. "the call was aborted\n", connection.received:match("\r\n\r\n(.*)$"))
    process.wait_for(request.is_gone, "the upstream's connection to be closed")
  end)

  it("ends when the light thread that waits for it is killed", function()
    local connection = stage:connect(nginx.url):send("GET /kill/hold HTTP/1.0\r\n\r\n")
    local request = upstream:wait_request("/kill/hold")
    get("/kill_now")
    connection:wait_end()
    process.wait_for(request.is_gone, "the upstream's connection to be closed")
  end)

  it("ends when the client has gone", function()
    local connection = stage:connect(nginx.url):send("GET /abort/hold HTTP/1.0\r\n\r\n")
    local request = upstream:wait_request("/abort/hold")
    connection:close()
    helper.ask_until(function()
      return get("/aborted") == "true"
    end, "nginx to notice")
    process.wait_for(request.is_gone, "the upstream's connection to be closed")
  end)

  it("sleeps without spinning", function()
    assert.is_true(tonumber((get("/sleep"))) >= 0.02)
  end)

  it("sleeps as long as it said, while signals come", function()
    assert.is_true(tonumber((get("/signalled"))) >= 0.5)
  end)

  it("takes one more thread in a worker, which takes no signals", function()
    get("/content/one")
    local pid = nginx:workers()[1]
    assert.are.same({ "nginx", "palenca" }, threads(pid))
    for _, id in ipairs(helper.names_in("/proc/" .. pid .. "/task")) do
      local path = "/proc/" .. pid .. "/task/" .. id
      if helper.read_file(path .. "/comm") == "palenca\n" then
        local blocked = helper.read_file(path .. "/status"):match("SigBlk:%s*(%x+)")
        assert.are.equal("fffffffe7ffbfeff", blocked) -- all that can be
      end
    end
  end)
end)

describe("inside nginx", function()
  local stage = helper.stage_for_each()
  local upstream, directory

  before_each(function()
    upstream = stage:server(function(request)
      if not request.path:find("hold") then
        respond(request)
      end
    end)
    directory = stage:directory()
  end)

  local function calls_and_end(nginx, count)
    for i = 1, count do
      assert.are.equal("to /" .. i, (nginx:get("/" .. i)))
    end
    local open = helper.names_in(directory)
    assert.are.equal(0, nginx:quit())
    return open
  end

  it("no socket stays in the file system", function()
    local nginx = start(stage, upstream, { main = "env TMPDIR=" .. directory .. ";", workers = 2 })
    assert.are.same({}, calls_and_end(nginx, 5))
    assert.are.equal("", nginx:complaints())
  end)

  it("calls work where no socket can be made, and a warning says so", function()
    local nginx = start(stage, upstream, { main = "env TMPDIR=" .. directory .. "/missing;" })
    calls_and_end(nginx, 20)
    local said = nginx:log()
    assert.truthy(said:find("there is no socket to wait for", 1, true), said)
    assert.truthy(said:find("a directory cannot be made: No such file or directory", 1, true), said)
    assert.are.equal(1, select(2, said:gsub("no socket to wait for", "")))
  end)

  it("calls get responses where there is no timer left for them", function()
    local nginx = start(stage, upstream, {
      http = "lua_max_running_timers 1;",
      server = [[
        location / { content_by_lua_block {
          ngx.timer.at(0, function() while not state.over do ngx.sleep(0.01) end end)
          ngx.sleep(0.01)
          ngx.say(fetch(ngx.var.uri))
          state.over = true
        } }
      ]],
    })
    assert.are.equal("to /1", (nginx:get("/1")))
    assert.are.equal(0, nginx:quit())
  end)

  it("a worker that makes its first call while it ends leaves nothing open", function()
    local nginx = start(stage, upstream, { server = [[
      location / { content_by_lua_block {
        ngx.log(ngx.NOTICE, "reading the body")
        ngx.req.read_body()
        ngx.say(fetch(ngx.var.uri))
      } }
    ]] })
    local function wait_log(text)
      helper.ask_until(function()
        require("luv").sleep(5)
        return nginx:log():find(text, 1, true)
      end, text)
    end
    local connection = stage:connect(nginx.url)
    connection:send("POST /1 HTTP/1.0\r\nContent-Length: 1\r\n\r\n")
    wait_log("reading the body")
    nginx.process:kill("sigquit")
    wait_log("gracefully shutting down")
    connection:send("x"):wait_end()
    assert.are.equal("to /1\n", connection.received:match("\r\n\r\n(.*)$"))
    assert.are.equal(0, nginx.process:wait_exit())
    assert.are.equal("", nginx:complaints())
  end)

  it("a worker ends though what a response is for is neither there nor finalized", function()
    local nginx = start(stage, upstream, { server = [[
      location / { content_by_lua_block { ngx.say(fetch(ngx.var.uri)) } }
      location /leave { content_by_lua_block {
        collectgarbage() collectgarbage("stop")
        ngx.thread.kill(ngx.thread.spawn(fetch, "/hold/left"))
        ngx.say("")
      } }
      location /clear { content_by_lua_block {
        local weak = setmetatable({ {} }, { __mode = "v" })
        while weak[1] do collectgarbage("step", 0) end
        collectgarbage("stop")
        ngx.say("")
      } }
    ]] })
    nginx:get("/leave")
    local held = upstream:wait_request("/hold/left")
    nginx:get("/clear")
    assert.is_false(held.is_gone())
    held.respond(200, "{}")
    assert.are.equal("to /1", (nginx:get("/1")))
    assert.are.equal(0, nginx:quit())
    assert.are.equal("", nginx:complaints())
  end)

  it("the thread ends when there was no call for a while, and comes back", function()
    local nginx = start(stage, upstream, { http = [[
      init_worker_by_lua_block {
        local function upvalue(of, wanted, seen)
          for i = 1, 60 do
            local name, value = debug.getupvalue(of, i)
            if name == wanted then return of, i, value end
          end
          error("no upvalue " .. wanted)
        end
        local nginx = require("palenca.runtime.nginx")
        local submit = select(3, upvalue(nginx.new().submit, "this_worker"))
        local _, _, worker = upvalue(submit, "new_worker")
        local _, _, class = upvalue(worker, "Worker")
        local watch, at = upvalue(class.watch, "IDLE")
        debug.setupvalue(watch, at, 0.1)
      }
    ]] })
    for i = 1, 3 do
      assert.are.equal("to /" .. i, (nginx:get("/" .. i)))
      helper.ask_until(function()
        require("luv").sleep(5)
        return #threads(nginx:workers()[1]) == 1
      end, "the thread to end")
    end
    assert.are.equal(0, nginx:quit())
    assert.are.equal("", nginx:complaints())
  end)

  it("the key is in no log", function()
    local nginx = start(stage, upstream, {
      log_level = "debug",
      server = [[
        location / { content_by_lua_block {
          ngx.log(ngx.ERR, fetch(ngx.var.uri), tostring(palenca.new { api_key = "spec-key" }))
          error(fetch("/status", { base_url = "http://127.0.0.1:1" }))
        } }
      ]],
    })
    assert.are.equal(500, (select(2, nginx:get("/x"))))
    assert.are.equal(0, nginx:quit())
    assert.is_nil(nginx:log():find("spec-key", 1, true))
    assert.truthy(nginx:log():find("failed: ", 1, true))
  end)
end)

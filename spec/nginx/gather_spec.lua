--- palenca.gather inside nginx: light threads, how they end, and what they leave behind.
local helper = require("spec.nginx.helper")
local process = require("spec.support.process")

local HTTP = [[
  init_by_lua_block {
    palenca = require "palenca"
    gather, sleep = palenca.gather, palenca.sleep
    state = { closed = 0 }
    -- Returns a function that asks the upstream for a path.
    function fetch(path)
      return function()
        local client = palenca.new { api_key = "spec-key", base_url = "UPSTREAM", rate_limit = 0,
          max_retries = 0 }
        local data, err = client:request("GET", path)
        return data and data.text, err
      end
    end
    function fail(path) -- once the upstream has been asked for it
      return function()
        fetch(path)()
        return nil, "failed"
      end
    end
    function never() sleep(3600) state.gone_on = true end
  }
]]

local SERVER = [[
  location /values { content_by_lua_block {
    ngx.say(gather(fetch("/meet/1"), function()
      local response = palenca.http { url = "UPSTREAM/meet/2" }
      return response.status
    end, function() sleep(0.01) return "slept" end, function() end))
    ngx.say(select("#", gather()))
  } }
  location /raised { content_by_lua_block {
    local problem = {}
    local ok, raised = pcall(gather, never, fetch("/hold/raised"), function()
      fetch("/go/raised")()
      error(problem)
    end)
    ngx.say(tostring(ok), tostring(raised == problem), tostring(state.gone_on))
  } }
  location /returned { content_by_lua_block {
    local value, err = gather(never, fetch("/go/returned"), fetch("/hold/returned"))
    ngx.say(tostring(value), err.kind)
  } }
  location /nested { content_by_lua_block {
    ngx.say(gather(function()
      gather(never, function() gather(fetch("/hold/nested"), never) end)
      state.gone_on = true
    end, function()
      return select(2, gather(never, fail("/go/nested"))) == "failed" and nil, "outer"
    end))
    ngx.say(tostring(state.gone_on))
  } }
  location /caught { content_by_lua_block {
    ngx.say(gather(function()
      local ok, problem = pcall(gather, never, function() sleep(0) error("inner", 0) end)
      return tostring(ok) .. problem .. gather(fetch("/meet/1"), fetch("/meet/2"))
    end, fetch("/three")))
  } }
  location /cosocket { content_by_lua_block {
    local function waits()
      local socket = ngx.socket.tcp()
      socket:settimeout(60000)
      socket:connect("127.0.0.1", PORT)
      socket:send("GET /hold/socket HTTP/1.0\r\n\r\n")
      socket:receive("*a")
      state.gone_on = true
    end
    ngx.say(gather(waits, fail("/go/socket")))
  } }
  location /sub { content_by_lua_block { sleep(0.2) ngx.say("sub") } }
  location /subrequest { content_by_lua_block {
    local said
    ngx.say(gather(function()
      ngx.location.capture("/sub")
      said = select(2, pcall(sleep, 0)) .. "; " .. select(2, pcall(fetch("/late")))
      state.said = said
    end, function() sleep(0.01) return nil, "failed" end))
  } }
  location /said { content_by_lua_block { ngx.say(tostring(state.said)) } }
  location /init_phase { content_by_lua_block { ngx.say("") }
    log_by_lua_block { state.said = select(2, pcall(gather, function() end)) } }
  location /many { content_by_lua_block {
    local function round()
      for _ = 1, 100 do
        gather(fetch("/a"), fetch("/b"))
        gather(fail("/c"), never)
      end
      collectgarbage() collectgarbage()
      return collectgarbage("count")
    end
    local before = round()
    ngx.say(round() - before)
  } }
  location /abort { content_by_lua_block {
    ngx.on_abort(function() ngx.exit(499) end)
    gather(fetch("/hold/abort"), function() gather(fetch("/hold/abort"), never) end)
  } }
  location /collect { content_by_lua_block { collectgarbage() collectgarbage() ngx.say("") } }
]]

local function text(value)
  return helper.json.encode({ success = true, data = { text = value } })
end

describe("palenca.gather inside nginx", function()
  local stage, upstream, nginx
  local met

  local function respond(request)
    local path = request.path
    if path:find("^/meet") then -- neither gets a response before both are here
      met[#met + 1] = request
      if #met == 2 then
        met[1].respond(200, text("met"))
        met[2].respond(200, text("met"))
        met = {}
      end
    elseif not path:find("^/hold") and not path:find("^/go") then
      request.respond(200, text(path))
    end
  end

  setup(function()
    stage = helper.stage()
    met = {}
    upstream = stage:server(respond)
    local function fill(part)
      return (part:gsub("UPSTREAM", upstream.url):gsub("PORT", upstream.url:match("%d+$")))
    end
    nginx = helper.start(stage, { server = "lua_check_client_abort on;\n" .. fill(SERVER),
      http = fill(HTTP) })
  end)

  teardown(function()
    local status = nginx:quit()
    local complaints = nginx:complaints()
    stage:clear()
    assert.are.same({ 0, "" }, { status, complaints })
  end)

  -- Asks for a path, lets it go on once the calls that are to be aborted are here, and returns the
  -- body when they are gone.
  local function get_aborted(path, held, go, status, body_of_go)
    local connection = stage:connect(nginx.url):send("GET " .. path .. " HTTP/1.0\r\n\r\n")
    local request = upstream:wait_request(held)
    upstream:wait_request(go).respond(status or 200, body_of_go or text("go"))
    process.wait_for(request.is_gone, "the call to be aborted")
    connection:wait_end()
    local body = connection.received:match("\r\n\r\n(.*)\n$")
    connection:close()
    return body
  end

  it("returns the first value of each, with their calls in flight at once", function()
    assert.are.equal("met200sleptnil\n0", (nginx:get("/values")))
  end)

  it("raises what a function has raised, and aborts the others", function()
    assert.are.equal("falsetruenil", get_aborted("/raised", "/hold/raised", "/go/raised"))
  end)

  it("returns nil and the error that a function has returned", function()
    assert.are.equal("nilnot_found", get_aborted("/returned", "/hold/returned", "/go/returned",
      404, '{"success":false,"error":{"code":"none","message":"none"}}'))
  end)

  it("can be nested: what a nested one waits for is aborted", function()
    assert.are.equal("nilouter\nnil", get_aborted("/nested", "/hold/nested", "/go/nested"))
  end)

  it("can be nested: an error that is caught inside stays there", function()
    assert.are.equal("falseinnermet/three", (nginx:get("/caught")))
  end)

  it("ends a function that waits for a socket of nginx", function()
    assert.are.equal("nilfailed", get_aborted("/cosocket", "/hold/socket", "/go/socket"))
  end)

  it("lets a function that waits for a subrequest make no call after it", function()
    assert.are.equal("nilfailed", (nginx:get("/subrequest")))
    local said = nginx:get("/said")
    local aborted = "aborted: another function of palenca.gather has failed"
    assert.are.equal(aborted .. "; " .. aborted, said)
    assert.is_nil(upstream:find("/late"))
  end)

  it("is rejected where nothing can wait", function()
    nginx:get("/init_phase")
    local said = nginx:get("/said")
    assert.truthy(said:find("palenca.gather cannot wait in nginx's log phase", 1, true), said)
  end)

  it("aborts its calls when the client has gone", function()
    local connection = stage:connect(nginx.url):send("GET /abort HTTP/1.0\r\n\r\n")
    local one, two = upstream:wait_request("/hold/abort"),
      upstream:wait_request("/hold/abort", 2)
    connection:close()
    helper.ask_until(function()
      nginx:get("/collect")
      return one.is_gone() and two.is_gone()
    end, "the calls to be aborted")
  end)

  it("leaves nothing behind", function()
    local more
    local connection = stage:connect(nginx.url):send("GET /many HTTP/1.0\r\n\r\n")
    for n = 1, 200 do
      upstream:wait_request("/c", n)
    end
    connection:wait_end()
    more = tonumber(connection.received:match("\r\n\r\n(.*)\n$"))
    connection:close()
    assert.is_true(more < 100, more .. " KiB")
  end)
end)

--- Runs the client's own specs inside nginx, in the content phase and in a timer.
local helper = require("spec.nginx.helper")
local process = require("spec.support.process")

-- Those that call something. The others have nothing that would be different here.
local FILES = {
  "client/client", "client/http", "client/http2", "client/operations", "client/options",
  "client/pager", "client/resources", "client/tutorial", "errors", "handlers",
}

local SERVER = [[
  lua_socket_log_errors off;
  location /content { content_by_lua_block {
    local found = require("spec.nginx.busted_inside").run(ngx.var.arg_file)
    ngx.say(require("cjson").encode(found))
  } }
  location /timer { content_by_lua_block {
    local done = require("ngx.semaphore").new()
    local file, found = ngx.var.arg_file
    assert(ngx.timer.at(0, function()
      local ok, result = pcall(require("spec.nginx.busted_inside").run, file)
      found = ok and result or { successes = 0, failures = { tostring(result) } }
      done:post()
    end))
    while not found do done:wait(60) end
    ngx.say(require("cjson").encode(found))
  } }
]]

local PASSED_ON = { "PATH", "LUA_PATH", "LUA_CPATH", "SPEC_PROGRAM", "LD_PRELOAD",
  "ASAN_OPTIONS", "UBSAN_OPTIONS", "SPEC_SANITIZED" }

-- Seconds that a file may take. Its waits have timeouts of their own, by which it fails; HTTP/2's
-- starts twenty servers.
local FILE_TIMEOUT = 900

describe("inside nginx", function()
  local stage, responses, ended

  local function start()
    -- what a file that did not come to its end has left goes with the stage
    local main = { "env TMPDIR=" .. stage:directory() .. ";" }
    for _, name in ipairs(PASSED_ON) do
      main[#main + 1] = "env " .. name .. ";"
    end
    return helper.start(stage, {
      server = SERVER, http = 'init_by_lua_block { require("lfs") }', -- it sets a global
      main = table.concat(main, "\n"), env = { LUA_CPATH = helper.module_pattern() },
    })
  end

  -- Both phases at a time, since what takes long are waits.
  setup(function()
    stage = helper.stage()
    responses, ended = { content = {}, timer = {} }, {}
    local asked = {}
    for phase in pairs(responses) do
      asked[phase] = start()
    end
    for _, file in ipairs(FILES) do
      local connections = {}
      for phase, nginx in pairs(asked) do
        connections[phase] = stage:connect(nginx.url):send("GET /" .. phase .. "?file=spec/lua/"
          .. file .. "_spec.lua HTTP/1.0\r\n\r\n")
      end
      for phase, connection in pairs(connections) do
        process.wait_for(function()
          return connection.ended
        end, file .. " in " .. phase, FILE_TIMEOUT)
        responses[phase][file] = connection.received:match("\r\n\r\n(.*)$")
      end
    end
    for phase, nginx in pairs(asked) do
      ended[phase] = { status = nginx:quit(), complaints = nginx:complaints() }
    end
  end)

  teardown(function()
    stage:clear()
  end)

  for _, phase in ipairs { "content", "timer" } do
    for _, file in ipairs(FILES) do
      it("the specs of spec/lua/" .. file .. "_spec.lua pass in " .. phase, function()
        local found = helper.json.decode(responses[phase][file])
        assert.are.equal("", table.concat(found.failures, "\n\n"))
        assert.is_true(found.successes > 0)
      end)
    end

    it("nothing is complained of in " .. phase .. ", and the end is in order", function()
      assert.are.same({ status = 0, complaints = "" }, ended[phase])
    end)
  end
end)

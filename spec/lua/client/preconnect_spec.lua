--- Connections that an engine opens before there is a request, as a real TLS server sees them.
local core = require("palenca.core")
local process = require("spec.support.process")

describe("a connection that is opened before there is a request", function()
  local directory, remove, key, certificate, server, engine, url

  setup(function()
    directory, remove = process.directory()
    key, certificate = process.certificate(directory)
  end)
  teardown(function() remove() end)

  local function start(kind)
    server = process.start("node", { "spec/support/connection_server.mjs", key, certificate, kind })
    url = "https://localhost:" .. server:wait_output("stdout", "port (%d+)\n") .. "/"
    engine = core.engine()
  end

  after_each(function()
    engine:close()
    server:stop()
  end)

  local function request(path)
    return {
      method = "GET", url = url .. (path or ""), ca_file = certificate, idempotent = true,
      headers = { ["x-api-key"] = "sk-secret" },
    }
  end

  local function count(pattern)
    return select(2, server.stdout:gsub(pattern, ""))
  end

  -- Works until the server has said something so often.
  local function work_until(pattern, number)
    process.poll_for(function()
      engine:step(0.01)
      return count(pattern) >= number
    end, function() return number .. " times " .. pattern .. " in\n" .. server.stdout end)
  end

  -- Sends three requests at once; returns the numbers of their connections.
  local function call_three()
    local before, done = count("request "), 0
    for number = 1, 3 do
      assert(engine:submit(request("v1/" .. number)))
    end
    process.poll_for(function()
      engine:step(0.01)
      for result in engine.take, engine do
        assert.equal(200, result.status, result.message)
        assert.truthy(result.body:find("u1", 1, true))
        done = done + 1
      end
      return done == 3 and count("request ") >= before + 3
    end, function() return "three responses\n" .. server.stdout end)
    local numbers = {}
    for number in server.stdout:gmatch("request (%d+)") do
      numbers[#numbers + 1] = tonumber(number)
    end
    return { numbers[#numbers - 2], numbers[#numbers - 1], numbers[#numbers] }
  end

  for kind, needed in pairs({ h2 = 1, http1 = 5 }) do
    describe("with " .. kind, function()
      before_each(function() start(kind) end)

      it("sends nothing, and is used by the requests that follow", function()
        assert.is_true(engine:preconnect(request(), 60))
        work_until("open ", needed)
        assert.equal(0, count("request "))
        local used = call_three()
        table.sort(used)
        if kind == "h2" then
          assert.same({ 1, 1, 1 }, used)
        else
          assert.is_true(used[1] < used[2] and used[2] < used[3] and used[3] <= 5, server.stdout)
        end
        assert.is_true(engine:preconnect(request(), 60))
        call_three()
        assert.equal(needed, count("open "), server.stdout)
        assert.equal(0, count("shut "))
        assert.equal(6, count("request %d+ GET /v1/%d sk%-secret\n"))
      end)

      it("is opened again when the server has closed it, by a session that is resumed", function()
        assert.is_true(engine:preconnect(request(), 60))
        work_until("open ", needed)
        call_three() -- sessions come with responses at the latest
        server:kill("sigusr2")
        work_until("open ", 2 * needed)
        assert.equal(3, count("request "))
        -- those of Node that come from a resumed connection are good for none
        assert.is_true(count("open %d+ resumed") > 0, server.stdout)
        for _, number in ipairs(call_three()) do
          assert.is_true(number > needed, server.stdout)
        end
        assert.equal(2 * needed, count("open "))
      end)

      it("is closed with its engine, and not opened after its time", function()
        assert.is_true(engine:preconnect(request(), 60))
        work_until("open ", needed)
        engine:close()
        process.poll_for(function() return count("shut ") == needed end, "closed connections")
        engine = core.engine()
        assert.is_true(engine:preconnect(request(), 0))
        call_three()
        assert.equal(0, count("request %d+ GET / "))
      end)
    end)
  end

  it("does not take what comes before its request for the response", function()
    start("http1")
    assert.is_true(engine:preconnect(request(), 60))
    work_until("open ", 1)
    server:kill("sigusr1")
    server:wait_output("stdout", "stray 1\n")
    for _, number in ipairs(call_three()) do
      assert.is_true(number > 1, server.stdout) -- the first one is closed
    end
  end)

  it("does no harm where nobody listens", function()
    start("h2")
    local nobody = request()
    nobody.url = "https://127.0.0.1:9/"
    assert.is_true(engine:preconnect(nobody, 60))
    call_three()
    assert.is_nil(engine:take())
  end)

  it("is to lead to a URL", function()
    start("h2")
    local wrong = request()
    wrong.url = "https://user name@localhost/"
    local ok, problem = engine:preconnect(wrong, 60)
    assert.is_nil(ok)
    assert.equal("string", type(problem))
  end)
end)

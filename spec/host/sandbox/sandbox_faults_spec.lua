--- Drives the sandbox's faults, its live changes and its state over sockets.
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local TUTORIAL = "/v1/accounts/cb39ee15-f29f-427d-9119-0c627575610d"

describe("palenca sandbox", function()
  local stage = helper.stage_for_each()

  local function post(url, body)
    local response = assert(http.request("POST", url, helper.json.encode(body)))
    return helper.json.decode(response.body).data, response.status
  end

  local function get(url, key)
    return http.request("GET", url, nil, { ["x-api-key"] = key })
  end

  -- Sends a request and returns all bytes until the connection ended.
  local function until_end(url, target, key)
    local connection = stage:connect(url)
    connection:send(("GET %s HTTP/1.1\r\nHost: spec\r\nx-api-key: %s\r\n\r\n"):format(target, key))
    connection:wait_end()
    return connection.received
  end

  describe("faults", function()
    it("of the command line strike, and are listed", function()
      local _, url, key = stage:sandbox({ "--fault", "error,status=500,code=lambda_error,times=1",
        "--fault", "latency,seconds=0.01,path=/v1/users" })
      local response = get(url .. TUTORIAL, key)
      assert.are.equal(500, response.status)
      assert.are.equal("lambda_error", helper.json.decode(response.body).error.code)
      assert.are.equal(200, get(url .. TUTORIAL, key).status)
      local list = helper.json.decode(get(url .. "/sandbox/faults", key).body).data.faults
      assert.are.equal(1, #list)
      assert.are.equal("latency", list[1].kind)
      for status, code in pairs({ [404] = "not_found", [429] = "too_many_requests",
        [422] = "bad_request", [502] = "service_unavailable", [504] = "request_timeout" }) do
        post(url .. "/sandbox/faults", { kind = "error", status = status, times = 1 })
        response = get(url .. TUTORIAL, key)
        assert.are.same({ status, code }, { response.status,
          helper.json.decode(response.body).error.code })
      end
      assert.are.equal("/v1/users", list[1].path)
    end)

    local rejected = {
      ["fire"] = "'fire' is none of the kinds",
      ["error,status"] = "'status' is not NAME=VALUE",
      ["error,status=200"] = "status must be at least 400",
      ["drop,seconds=1"] = "seconds is not known here (known: kind, method, path, "
        .. "probability, times)",
      ["drop,times=0"] = "times must be at least 1",
      ["latency,probability=2"] = "probability must be from 0 to 1",
      ["error,path=/account"] = "path: no operation of the API has the path '/account'; did you "
        .. "mean '/v1/account'?",
      ["drop,path=/v1/acounts/5/profile"] = "path: no operation of the API has the path "
        .. "'/v1/acounts/5/profile'; did you mean '/v1/accounts/5/profile'?",
      ["latency,path=/v1/accounts/*"] = "path is a prefix of the paths that are meant, without '*'",
    }
    for text, message in pairs(rejected) do
      it("are rejected as --fault " .. text, function()
        local status, out, err = process.run(process.program(), { "sandbox", "--fault", text })
        assert.are.equal(2, status)
        assert.are.equal("", out)
        assert.truthy(err:find("--fault: " .. message, 1, true), err)
      end)
    end

    it("of kind drop close the connection without a byte, and nothing else", function()
      local started, url, key = stage:sandbox()
      local _, status = post(url .. "/sandbox/faults", { kind = "drop", times = 1 })
      assert.are.equal(201, status)
      assert.are.equal("", until_end(url, TUTORIAL, key))
      assert.are.equal(200, get(url .. TUTORIAL, key).status)
      assert.are.equal(0, started:stop())
    end)

    it("of kind cut close it after half of the body", function()
      local _, url, key = stage:sandbox()
      local whole = get(url .. TUTORIAL, key).body
      post(url .. "/sandbox/faults", { kind = "cut", times = 1 })
      local received = until_end(url, TUTORIAL, key)
      local head, body = received:match("^(.-\r\n\r\n)(.*)$")
      assert.truthy(head:find("^HTTP/1%.1 200 "))
      assert.truthy(head:lower():find("content%-length: " .. #whole))
      assert.are.equal(whole:sub(1, #whole // 2), body)
    end)

    it("of kind latency hold up the response, and no other one", function()
      local started, url, key = stage:sandbox()
      post(url .. "/sandbox/faults", { kind = "latency", seconds = 600, times = 1 })
      local slow = stage:connect(url)
      slow:send("GET " .. TUTORIAL .. " HTTP/1.1\r\nHost: spec\r\nx-api-key: " .. key .. "\r\n\r\n")
      helper.ask_until(function()
        local list = helper.json.decode(get(url .. "/sandbox/requests", key).body).data.requests
        return list[1] and list[1].fault == "latency"
      end, "the slow request")
      assert.are.equal(200, get(url .. TUTORIAL, key).status)
      assert.are.equal("", slow.received)
      -- what is held up does not hold up the end
      assert.are.equal(0, started:stop())
      slow:wait_end()
      assert.are.equal("", slow.received)
    end)

    it("respond after the latency", function()
      local _, url, key = stage:sandbox({ "--fault", "latency,seconds=0.05" })
      assert.are.equal(200, get(url .. TUTORIAL, key).status)
    end)
  end)

  describe("changes", function()
    local function wait_changes(url, since)
      local connection = stage:connect(url)
      connection:send("GET /sandbox/changes?since=" .. since .. " HTTP/1.1\r\nHost: spec\r\n\r\n")
      return connection
    end

    it("are reported as they happen", function()
      local _, url = stage:sandbox()
      local overview = helper.json.decode(get(url .. "/sandbox/overview", "").body).data
      local waiting = wait_changes(url, overview.revision)
      -- in the order of arrival, so that the one before waits by now
      assert.are.equal(200, get(url .. "/", "").status)
      assert.are.equal("", waiting.received)
      post(url .. "/sandbox/logins", { platform = "uber" })
      local result = helper.json.decode(waiting:response().body).data
      assert.is_true(result.revision > overview.revision)
      assert.are.same({ "logins" }, result.topics)
      local again = wait_changes(url, result.revision)
      http.request("DELETE", url .. "/sandbox/faults")
      assert.are.same({ "faults" }, helper.json.decode(again:response().body).data.topics)
    end)

    it("are reported at once for an older or unknown revision", function()
      local _, url = stage:sandbox()
      for _, since in ipairs({ 0, 999999 }) do
        local result = helper.json.decode(wait_changes(url, since):response().body).data
        assert.is_true(result.revision > 0)
        assert.truthy(#result.topics > 0)
      end
    end)

    it("leave nobody waiting at the end", function()
      local started, url = stage:sandbox()
      local overview = helper.json.decode(get(url .. "/sandbox/overview", "").body).data
      local waiting = wait_changes(url, overview.revision)
      assert.are.equal(200, get(url .. "/", "").status)
      assert.are.equal(0, started:stop())
      waiting:wait_end()
    end)
  end)

  describe("with --data", function()
    it("has everything again after a restart, and the same key", function()
      local path = stage:directory() .. "/state.jsonl"
      local arguments = { "sandbox", "--listen", "127.0.0.1:0", "--data", path, "--fast" }
      local announced = "at (http://[%d.:]+); API key (%S+)"
      local first = stage:palenca(arguments)
      local url, key = first:wait_output("stderr", announced)
      local login = post(url .. "/sandbox/logins", { platform = "rappi", external_id = "e" })
      local target = "/v1/accounts/" .. login.account_id .. "/profile"
      local before = get(url .. target, key).body
      first:kill("sigkill")
      first:wait_exit()
      local second = stage:palenca(arguments)
      local url_again, key_again = second:wait_output("stderr", announced)
      assert.are.equal(key, key_again)
      assert.are.equal(before, get(url_again .. target, key).body)
      assert.are.equal(0, second:stop())
    end)

    it("keeps a file to one process", function()
      local path = stage:directory() .. "/state.jsonl"
      stage:sandbox({ "--data", path })
      local status, _, err = process.run(process.program(),
        { "sandbox", "--listen", "127.0.0.1:0", "--data", path })
      assert.are.equal(1, status)
      assert.truthy(err:find("in use by another process (see --data)", 1, true), err)
    end)

    it("says what is wrong with the file", function()
      local directory = stage:directory()
      local path = process.write_file(directory .. "/other", "hello\n")
      for file, message in pairs({
        [path] = "this is not a file of the sandbox's",
        [directory .. "/none/state"] = "No such file or directory",
      }) do
        local status, _, err = process.run(process.program(),
          { "sandbox", "--listen", "127.0.0.1:0", "--data", file })
        assert.are.equal(1, status)
        assert.truthy(err:find(message, 1, true), err)
        assert.is_nil(err:find("traceback", 1, true), err)
      end
    end)

  end)
end)

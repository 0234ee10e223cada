--- HTTP/2 from a real TLS server: used where it is offered, one connection for many calls, and what
--- becomes of a call whose stream or connection the server ends.
local helper = require("spec.lua.helper")
local http = require("spec.support.http")
local palenca = require("palenca")
local process = require("spec.support.process")

describe("HTTP/2", function()
  local directory, remove, key, certificate, server, proxy, url
  local number = 0 -- of the test, a part of its paths

  setup(function()
    directory, remove = process.directory()
    key, certificate = process.certificate(directory)
  end)
  teardown(function() remove() end)

  local function start(kind)
    server = process.start("node", { "spec/support/http2_server.mjs", key, certificate, kind })
    local port, tunnel = server:wait_output("stdout", "ports (%d+) (%d+)\n")
    url, proxy = "https://localhost:" .. port, "http://127.0.0.1:" .. tunnel
  end

  before_each(function() number = number + 1 end)

  local function client(fault, options)
    local all = {
      api_key = helper.KEY, base_url = url .. "/" .. fault .. "/" .. number,
      ca_file = certificate, rate_limit = 0, max_retries = 0,
    }
    for name, value in pairs(options or {}) do
      all[name] = value
    end
    return palenca.new(all)
  end

  -- What the server has said of this test's requests, once there are so many.
  local function requests(count)
    local list
    process.wait_for(function()
      list = {}
      for version, connection, test, what in
        server.stdout:gmatch("([%d.]+) (%d+) %u+ /[^/]+/(%d+)/%S+ (%a+)\n")
      do
        if tonumber(test) == number then
          list[#list + 1] = { version = version, connection = connection, what = what }
        end
      end
      return #list >= count
    end, function() return count .. " requests in\n" .. server.stdout end)
    assert.equal(count, #list, server.stdout)
    return list
  end

  -- How many pages of this test's search the server has counted at a time.
  local function counted()
    return tonumber((server:wait_output("stdout", "/" .. number .. "/[^\n]* counted (%d+)\n")))
  end

  local function are_of_one_connection(version, list)
    for _, request in ipairs(list) do
      assert.same({ version, list[1].connection }, { request.version, request.connection })
    end
  end

  local function search(one)
    return one.accounts:earnings(helper.ACCOUNT,
      { start_date = "2025-01-01", end_date = "2025-02-01", items_per_page = 1 })
  end

  local function all_rows(one)
    return search(one):all()
  end

  describe("where it is offered", function()
    setup(function() start("h2") end)
    teardown(function() server:stop() end)

    it("is used, and calls one after the other share a connection", function()
      local one = client("good")
      for _ = 1, 20 do
        assert.equal("u1", assert(one.users:get("u1")).user_id)
      end
      are_of_one_connection("2.0", requests(20))
    end)

    it("keeps a connection on which something else comes than a response", function()
      local one = client("ping")
      for round = 1, 3 do
        assert.truthy(one.users:get("u1"))
        process.wait_for(function()
          return select(2, server.stdout:gsub("pinged\n", "")) == round
        end, "a ping")
      end
      are_of_one_connection("2.0", requests(3))
    end)

    -- the server responds to none of them before all are open at once
    it("lets the pages of a search share one at the same time", function()
      local rows, report = all_rows(client("hold:30", { pages_in_flight = 30 }))
      assert.is_true(rows and report.complete, tostring(report))
      assert.equal(31, #rows)
      for at, row in ipairs(rows) do
        assert.equal(at, row.amount)
      end
      are_of_one_connection("2.0", requests(32)) -- 31 pages, and the first one again
    end)

    it("has 64 pages of a search in flight if nobody has said how many", function()
      local rows, report = all_rows(client("count:64"))
      assert.is_true(rows and report.complete, tostring(report))
      assert.equal(200, #rows)
      are_of_one_connection("2.0", requests(201))
      assert.equal(64, counted())
    end)

    it("has as many as the limit permits, and sends no more", function()
      local pager = search(client("count:28", { rate_limit = 30 })) -- one is left to other calls
      for at = 1, 29 do
        assert.equal(at, assert(pager:next()).amount)
      end
      pager:stop()
      requests(29)
      assert.equal(28, counted())
    end)

    it("has as many as were set, whatever the limit permits", function()
      assert.equal(200, #assert(all_rows(client("count:5", { pages_in_flight = 5 }))))
      assert.equal(5, counted())
    end)

    it("opens one connection for all pages when the first one's is not to be used again", function()
      local rows, report = all_rows(client("renew:64"))
      assert.is_true(rows and report.complete, tostring(report))
      local list = requests(66)
      assert.not_equal(list[1].connection, list[2].connection)
      table.remove(list, 1)
      are_of_one_connection("2.0", list)
    end)

    it("unpacks gzip, and bounds what comes out", function()
      local data = assert(client("gzip:500000").users:get("u1"))
      assert.equal(500000, #data.filler)
      local none, err = client("gzip:500000", { max_response = 499999 }).users:get("u1")
      assert.is_nil(none)
      assert.equal("protocol", err.kind)
      assert.truthy(err.message:find("larger than the bound of 499999 bytes", 1, true), err.message)
    end)

    it("goes through a proxy, which does not see the key", function()
      assert.truthy(client("good", { proxy = proxy }).users:get("u1"))
      are_of_one_connection("2.0", requests(1))
      local tunnels = select(2, server.stdout:gsub("tunnel localhost:%d+", ""))
      assert.equal(1, tunnels, server.stdout)
      assert.is_nil(server.stdout:find(helper.KEY, 1, true))
    end)
  end)

  describe("when the server ends a call", function()
    setup(function() start("h2") end)
    teardown(function() server:stop() end)

    -- a port each: on the end of a kept connection libcurl 8.14 repeats a read by itself
    before_each(function() url = "https://localhost:" .. http.request("GET", proxy).body end)

    local function done(list)
      local count = 0
      for _, request in ipairs(list) do
        count = count + (request.what == "rejected" and 0 or 1)
      end
      return count
    end

    for _, fault in ipairs { "reset", "half", "drop", "goaway:1" } do
      it("reads again after " .. fault, function()
        local data, meta = client(fault, { max_retries = 1 }).users:get("u1")
        assert.equal("u1", data and data.user_id, tostring(meta))
        requests(2)
      end)

      it("returns an error after " .. fault .. " if it must not repeat", function()
        local data, err = client(fault).users:get("u1")
        assert.is_nil(data)
        assert.equal("network", err.kind, tostring(err))
        assert.equal(1, err.attempts)
        requests(1)
      end)

      it("creates nothing twice after " .. fault, function()
        local data, err = client(fault, { max_retries = 3 }).users:create { external_id = "w" }
        assert.is_nil(data)
        assert.equal("network", err.kind, tostring(err))
        assert.equal(1, err.attempts)
        assert.equal(1, done(requests(1)))
      end)
    end

    -- of a stream that was rejected, and of one behind the last that a leaving server names, the
    -- server says itself that it has done nothing
    for _, fault in ipairs { "reject", "goaway:0" } do
      it("creates once, at most, after " .. fault, function()
        local data, err = client(fault, { max_retries = 3 }).users:create { external_id = "w" }
        local list = requests(data and 2 or 1)
        assert.equal(data and 1 or 0, done(list), tostring(err))
      end)

      it("reads again after " .. fault, function()
        local data, meta = client(fault, { max_retries = 1 }).users:get("u1")
        assert.equal("u1", data and data.user_id, tostring(meta))
        assert.equal(1, done(requests(2)))
      end)
    end

    it("takes the next call to a new connection after a last response", function()
      local one = client("leave")
      for _ = 1, 3 do
        assert.truthy(one.users:get("u1"))
      end
      local last
      for _, request in ipairs(requests(3)) do
        assert.not_equal(last, request.connection)
        last = request.connection
      end
    end)
  end)

  it("opens few connections where a server permits few requests on each", function()
    start("h2:10")
    local rows, report = all_rows(client("hold:40"))
    assert.is_true(rows and report.complete, tostring(report))
    assert.equal(41, #rows)
    local connections, count = {}, 0
    for _, request in ipairs(requests(42)) do
      count = count + (connections[request.connection] and 0 or 1)
      connections[request.connection] = true
    end
    assert.is_true(count >= 4 and count <= 5, count)
    server:stop()
  end)

  it("is not needed: a server of HTTP/1.1 is spoken to in that", function()
    start("http1")
    local one = client("good")
    for _ = 1, 3 do
      assert.truthy(one.users:get("u1"))
    end
    are_of_one_connection("1.1", requests(3))
    server:stop()
  end)

  it("needs TLS 1.3 too, unless the caller says that 1.2 will do", function()
    start("tls12")
    local data, err = client("good").users:get("u1")
    assert.is_nil(data)
    assert.equal("network", err.kind)
    assert.is_nil(err.status)
    assert.truthy(client("good", { min_tls = "1.2" }).users:get("u1"))
    are_of_one_connection("2.0", requests(1))
    server:stop()
  end)
end)

--- Connections and headers that are somebody else's: unrequested bytes, from a proxy, or half.
local helper = require("spec.lua.helper")
local http = require("spec.support.http")
local json = require("palenca.util.json")
local palenca = require("palenca")
local process = require("spec.support.process")

describe("a kept connection", function()
  local faults
  before_each(function() faults = helper.faults() end)
  after_each(function() assert.equal(0, faults:stop()) end)

  local function get(path)
    local response, err = palenca.http { url = faults.url .. path }
    return json.decode(assert(response, tostring(err)).body).data.ok
  end

  it("is not used any more once something has come that nobody asked for", function()
    assert.is_true(get("/idle/"))
    assert.equal(200, http.request("GET", faults.url .. "/push").status)
    for _ = 1, 3 do
      assert.is_true(get("/good/"))
    end
    assert.equal(2, faults:stats().connections)
  end)

  it("is not used with a response left that came right behind another", function()
    for _ = 1, 2 do
      assert.is_true(get("/behind/"))
      assert.is_true(get("/good/"))
      assert.is_true(get("/good/"))
    end
  end)

  it("takes a hundred calls", function()
    for _ = 1, 100 do
      assert.is_true(get("/good/"))
    end
    assert.equal(1, faults:stats().connections)
  end)

  it("is not left behind by each creation", function()
    for _ = 1, 150 do
      assert.equal(200, palenca.http({ url = faults.url .. "/good/", json = {} }).status)
    end
    assert.equal(150, faults:stats().connections)
    process.wait_for(function() return faults:stats().open <= 4 end, "the end of connections")
  end)
end)

describe("a kept connection with TLS", function()
  local remove, certificate, server, url
  setup(function()
    local directory, key
    directory, remove = process.directory()
    key, certificate = process.certificate(directory)
    server = process.start("node", { "spec/support/http2_server.mjs", key, certificate, "http1" })
    url = "https://localhost:" .. server:wait_output("stdout", "ports (%d+) ")
  end)
  teardown(function()
    server:stop()
    remove()
  end)

  local function get(path)
    local response, err = palenca.http { url = url .. path, ca_file = certificate }
    return json.decode(assert(response, tostring(err)).body).data.user_id
  end

  -- the numbers of the connections that requests came on
  local function connections(path)
    local set, count = {}, 0
    for number in server.stdout:gmatch("1%.1 (%d+) GET " .. path .. " done") do
      count = count + (set[number] and 0 or 1)
      set[number] = true
    end
    return count
  end

  it("takes a hundred calls", function()
    for _ = 1, 100 do
      assert.equal("u1", get("/good/hundred"))
    end
    process.wait_for(function()
      return select(2, server.stdout:gsub("/good/hundred done", "")) == 100
    end, "all requests")
    assert.equal(1, connections("/good/hundred"))
  end)

  it("is not used any more once something has come that nobody asked for", function()
    assert.equal("u1", get("/stray/1"))
    server:wait_output("stdout", "pushed")
    for _ = 1, 3 do
      assert.equal("u1", get("/good/1"))
    end
  end)

  it("is not used with a response left in the last record", function()
    assert.equal("u1", get("/behind/1"))
    for _ = 1, 3 do
      assert.equal("u1", get("/good/2"))
    end
  end)
end)

--- Sends `palenca serve` what is no good HTTP, or could be read in two ways: the response, that
-- nothing of it is stored, and that a good client is served meanwhile.
local helper = require("spec.host.helper")

local BODY = helper.body({ account_id = "malformed" })
local LINE = "POST /webhooks/palenca HTTP/1.1\r\n"
local HOST = "Host: spec\r\n"
local LENGTH = "Content-Length: " .. #BODY .. "\r\n"
local CHUNKED = "Transfer-Encoding: chunked\r\n"
local CHUNK = string.format("%x\r\n%s\r\n", #BODY, BODY)

local function post(...)
  return LINE .. table.concat({ ... }) .. "\r\n" .. BODY
end

local function chunks(...)
  return LINE .. HOST .. CHUNKED .. "\r\n" .. table.concat({ ... })
end

-- What is sent, and the status that it gets.
local rejected = {
  { "no Host", post(LENGTH), 400 },
  { "an empty Host", post("Host:\r\n", LENGTH), 400 },
  { "two Hosts", post(HOST, HOST, LENGTH), 400 },
  { "lengths in conflict", post(HOST, LENGTH, "Content-Length: 5\r\n"), 400 },
  { "the same length twice", post(HOST, LENGTH, LENGTH), 400 },
  { "a list of lengths", post(HOST, "Content-Length: 5, 5\r\n"), 400 },
  { "a length and chunks", post(HOST, LENGTH, CHUNKED), 400 },
  { "chunks and a length", post(HOST, CHUNKED, LENGTH), 400 },
  { "chunked twice", post(HOST, CHUNKED, CHUNKED), 400 },
  { "another encoding", post(HOST, "Transfer-Encoding: gzip, chunked\r\n"), 501 },
  { "no encoding by name", post(HOST, "Transfer-Encoding: identity\r\n"), 501 },
  { "a negative length", post(HOST, "Content-Length: -1\r\n"), 400 },
  { "a signed length", post(HOST, "Content-Length: +5\r\n"), 400 },
  { "a hexadecimal length", post(HOST, "Content-Length: 0x5\r\n"), 400 },
  { "an empty length", post(HOST, "Content-Length:\r\n"), 400 },
  { "an immense length", post(HOST, "Content-Length: 99999999999999999999999\r\n"), 413 },
  { "a large length", post(HOST, "Content-Length: 18446744073709551615\r\n"), 413 },
  { "a space before the colon", post(HOST, "Content-Length : 5\r\n"), 400 },
  { "a folded length", post(HOST, "Content-Length: 1\r\n 2\r\n"), 400 },
  { "a folded encoding", post(HOST, "Transfer-Encoding: x\r\n\tchunked\r\n"), 400 },
  { "a folded Host", post("Host: a\r\n b\r\n", LENGTH), 400 },
  { "a fold before any header", post(" x: y\r\n", HOST, LENGTH), 400 },
  { "a line without a colon", post(HOST, "nonsense\r\n", LENGTH), 400 },
  { "a header without a name", post(HOST, ": x\r\n", LENGTH), 400 },
  { "a zero byte in a name", post(HOST, "X\0Y: z\r\n", LENGTH), 400 },
  { "a byte that is no letter in a name", post(HOST, "X\xffY: z\r\n", LENGTH), 400 },
  { "bare line feeds", (post(HOST, LENGTH):gsub("\r\n", "\n")), 400 },
  { "a folded header of no matter", post(HOST, "X: a\r\n b\r\n", LENGTH), 400 },
  { "a zero byte in a value", post(HOST, "X: a\0b\r\n", LENGTH), 400 },
  { "a body that is compressed", post(HOST, "Content-Encoding: gzip\r\n", LENGTH), 415 },
  { "another expectation", post(HOST, LENGTH, "Expect: 200-ok\r\n"), 417 },
  { "HTTP/0.9", "GET /\r\n\r\n", 400 },
  { "HTTP/0.9 by name", "GET / HTTP/0.9\r\n\r\n", 505 },
  { "the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505 },
  { "HTTP/3", (post(HOST, LENGTH):gsub("HTTP/1.1", "HTTP/3.0", 1)), 505 },
  { "a version that is none", (post(HOST, LENGTH):gsub("HTTP/1.1", "HTTP/1.1x", 1)), 400 },
  { "HTTP/1.0 with chunks", (chunks(CHUNK, "0\r\n\r\n"):gsub("HTTP/1.1", "HTTP/1.0", 1)), 400 },
  { "the beginning of TLS", "\22\3\1\2\0\1\0\1\252\3\3" .. ("\0"):rep(200) .. "\n", 400 },
  { "bytes", "\255\254\0\1\r\n\r\n", 400 },
  { "spaces", "   \r\n\r\n", 400 },
  { "a path with a space", (post(HOST, LENGTH):gsub("/palenca", " /palenca", 1)), 400 },
  { "CONNECT", "CONNECT spec:80 HTTP/1.1\r\n" .. HOST .. "\r\n", 501 },
  { "a long path", "GET /" .. ("a"):rep(20000) .. " HTTP/1.1\r\n" .. HOST .. "\r\n", 414 },
  { "empty lines without end", ("\r\n"):rep(20000), 400 },
  { "a path somewhat too long", "GET /" .. ("a"):rep(8192) .. " HTTP/1.1\r\n" .. HOST .. "\r\n",
    414 },
  { "a long header", post(HOST, "X: ", ("a"):rep(20000), "\r\n", LENGTH), 431 },
  { "a header somewhat too long", post(HOST, "X: ", ("a"):rep(8192), "\r\n", LENGTH), 431 },
  { "a head just under twice the limit", post(HOST, "X: ", ("a"):rep(16200), "\r\n", LENGTH),
    431 },
  { "a chunked body without end", chunks(("10000\r\n" .. (" "):rep(65536) .. "\r\n"):rep(100)),
    413 },
  { "a thousand headers", post(HOST, ("a:b\r\n"):rep(1000), LENGTH), 431 },
  { "chunks that are none", chunks("xyz\r\n"), 400 },
  { "a chunk of negative length", chunks("-1\r\n"), 400 },
  { "a chunk longer than it says", chunks("2\r\n{}{}\r\n0\r\n\r\n"), 400 },
  { "a chunk of immense length", chunks("fffffffffffffffff\r\n{"), 413 },
  { "an empty length of a chunk", chunks("\r\n{}\r\n"), 400 },
  { "trailers without end", chunks(CHUNK, "0\r\n", ("X: y\r\n"):rep(4000)), 431 },
  { "a trailer without a colon", chunks(CHUNK, "0\r\n", "nonsense\r\n\r\n"), 400 },
  { "a trailer of one byte", chunks(CHUNK, "0\r\n", "n\r\n\r\n"), 400 },
}

-- What is odd, and taken all the same.
local taken = {
  { "HTTP/1.0 without a Host", (post(LENGTH):gsub("HTTP/1.1", "HTTP/1.0", 1)) },
  { "empty lines before", "\r\n\r\n" .. post(HOST, LENGTH) },
  { "a blank behind chunked", (chunks(CHUNK, "0\r\n\r\n"):gsub("chunked", "chunked ", 1)) },
  { "a target with a host", (post(HOST, LENGTH):gsub(" /", " http://spec/", 1)) },
  { "chunks with names and trailers", chunks((CHUNK:gsub("\r\n", ";a=b\r\n", 1)),
    "0\r\nX: y\r\n\r\n") },
  { "chunks of one byte", chunks((BODY:gsub(".", "1\r\n%0\r\n")), "0\r\n\r\n") },
  { "a header just short enough", post(HOST, "X: ", ("a"):rep(8000), "\r\n", LENGTH) },
  { "fifty headers", post(HOST, ("a: b\r\n"):rep(50), LENGTH) },
}

describe("the receiver, sent what is no good HTTP,", function()
  local stage, served, good
  local taken_so_far = 0

  setup(function()
    stage = helper.stage()
    -- the same body each time, each time another event
    served = stage:serve({ text = "", arguments = { "--redelivery-window", "0" } })
    good = stage:connect(served.url)
  end)

  teardown(function()
    local status = served:stop()
    stage:clear()
    assert.are.equal(0, status, served.stderr)
  end)

  -- On a connection that is kept open over all of it.
  local function serve_good_client()
    good:send(post(HOST, LENGTH))
    assert.are.equal(200, good:response().status)
    taken_so_far = taken_so_far + 1
  end

  for _, case in ipairs(rejected) do
    it("rejects " .. case[1], function()
      local connection = stage:connect(served.url):send(case[2])
      serve_good_client()
      local response = connection:response()
      assert.are.equal(case[3], response and response.status)
      -- whatever stood behind it is not taken for a request
      connection:wait_end()
      assert.is_nil(connection.received:find("received", 1, true))
    end)
  end

  for _, case in ipairs(taken) do
    it("takes " .. case[1], function()
      local connection = stage:connect(served.url):send(case[2])
      assert.are.equal(200, connection:response().status)
      connection:close()
      taken_so_far = taken_so_far + 1
    end)
  end

  it("responds to requests that come in one go, in order, until one is malformed", function()
    local connection = stage:connect(served.url)
    local missing = LINE:gsub("palenca", "else") .. HOST .. "\r\n"
    connection:send(post(HOST, LENGTH) .. chunks(CHUNK, "0\r\n\r\n") .. post(HOST, LENGTH)
      .. missing .. post(HOST, LENGTH))
    for _, status in ipairs({ 200, 200, 200, 404 }) do
      assert.are.equal(status, connection:response().status)
    end
    connection:wait_end()
    assert.is_nil(connection:poll())
    taken_so_far = taken_so_far + 3
  end)

  it("frees the memory and descriptors of a burst", function()
    local function memory()
      return tonumber(helper.read_file("/proc/" .. served.pid .. "/status"):match("VmRSS:%s*(%d+)"))
    end
    local function burst(rounds)
      for _ = 1, rounds do
        local open = {}
        for _, case in ipairs(rejected) do
          open[#open + 1] = stage:connect(served.url):send(case[2])
        end
        serve_good_client()
        for _, connection in ipairs(open) do
          connection:wait_end()
          connection:close()
        end
      end
    end
    burst(2) -- what the first of each kind allocates is kept
    local descriptors, before = helper.descriptors(served.pid), memory()
    burst(helper.sanitized and 3 or 20)
    helper.ask_until(function()
      serve_good_client()
      return helper.descriptors(served.pid) <= descriptors
    end, "the connections to be closed")
    if not helper.sanitized then -- whose allocator keeps freed memory for a while
      assert.is_true(memory() - before < 4096, memory() - before .. " KiB more")
    end
    local _, lines = served.stderr:gsub("rejected request from", "")
    assert.is_true(lines < 200, lines .. " lines")
  end)

  it("has stored what it acknowledged with 200, and nothing else", function()
    assert.are.equal(taken_so_far, #helper.events(served.db))
  end)
end)

--- Who may send to `palenca serve`: addresses, proxies, a secret path, signatures, a Unix socket.
local uv = require("luv")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local BODY = helper.body({ account_id = "signed" })
local SECRET = "whsec-of-the-spec"

local function sign(body, secret, digest, binary)
  local arguments = { "dgst", "-" .. (digest or "sha256"), "-hmac", secret,
    binary and "-binary" or "-hex" }
  local path = os.tmpname()
  process.write_file(path, body)
  arguments[#arguments + 1] = path
  local status, out = process.run("/usr/bin/env", { "openssl", table.unpack(arguments) })
  os.remove(path)
  assert.are.equal(0, status)
  return binary and out or out:match("= (%x+)")
end

describe("the receiver", function()
  local stage = helper.stage_for_each()

  local function serve(arguments, env)
    return stage:serve({ text = "", arguments = arguments, env = env })
  end

  local function post(served, headers, body)
    local response = assert(http.request("POST", served.url, body or BODY, headers))
    return response.status, response.body
  end

  -- Starts one that cannot: returns its status and what it says.
  local function fail(arguments, env)
    local script = process.write_file(stage:directory() .. "/script.lua", "")
    local all = { "serve", script, "--listen", "127.0.0.1:0", "--db", script .. ".db" }
    table.move(arguments, 1, #arguments, #all + 1, all)
    local status, _, err = process.run(process.program(), all, { env = env })
    return status, err
  end

  -- The address is bound for as long as it takes to see that there is no such directory.
  it("warns if whoever reaches it may send", function()
    local function warns(listen, arguments, env)
      local all = { "--listen", listen, "--db", "/nowhere/events.db" }
      table.move(arguments, 1, #arguments, #all + 1, all)
      local status, err = fail(all, env)
      assert.are.equal(1, status)
      return err:find("warning: whoever reaches [%d.:%[%]]+ may send events; see ") ~= nil
    end
    local signed = { PALENCA_WEBHOOK_SECRET = "a", PALENCA_SIGNATURE_HEADER = "X-Signature" }
    assert.is_true(warns("0.0.0.0:0", {}))
    assert.is_true(warns("[::]:0", {}))
    assert.is_false(warns("127.0.0.1:0", {}))
    assert.is_false(warns("0.0.0.0:0", { "--allow", "127.0.0.1" }))
    assert.is_false(warns("0.0.0.0:0", {}, signed))
    assert.is_false(warns("0.0.0.0:0", {}, { PALENCA_PATH_SECRET = "a-secret-of-24-letters.." }))
  end)

  describe("with --allow", function()
    it("responds to others with 403, and logs that", function()
      local served = serve({ "--allow", "192.0.2.0/24", "--allow", "2001:db8::/32" })
      local status, body = post(served)
      assert.are.equal(403, status)
      assert.are.equal('{"error":"forbidden"}\n', body)
      -- nor is a client believed that says it is another
      assert.are.equal(403, (post(served, { ["X-Forwarded-For"] = "192.0.2.1" })))
      served:wait_output("stderr", "(rejected request from 127.0.0.1: 403 )")
      assert.are.equal(0, #helper.events(served.db))
    end)

    it("lets those in that it names, by flag or by variable", function()
      assert.are.equal(200, (post(serve({ "--allow", "127.0.0.1" }))))
      assert.are.equal(200, (post(serve({}, { PALENCA_ALLOW = "10.0.0.0/8, 127.0.0.0/8 ::1" }))))
      assert.are.equal(403, (post(serve({ "--allow", "10.1.1.1" },
        { PALENCA_ALLOW = "127.0.0.1" }))))
    end)

    it("knows a client by its IPv4 address where it listens to IPv6 as well", function()
      for allowed, status in pairs({ ["127.0.0.0/8"] = 200, ["::/8"] = 403 }) do
        local script = process.write_file(stage:directory() .. "/script.lua", "")
        local served = stage:palenca({ "serve", script, "--listen", "[::]:0", "--db",
          script .. ".db", "--allow", allowed })
        served.url = "http://127.0.0.1:"
          .. served:wait_output("stderr", "receiving webhooks at http://%[::%]:(%d+)/")
          .. "/webhooks/palenca"
        assert.are.equal(status, (post(served)))
        if status == 403 then
          served:wait_output("stderr", "(rejected request from 127.0.0.1: 403 )")
        end
        assert.are.equal(0, served:stop())
      end
    end)

    it("believes X-Forwarded-For of a trusted proxy", function()
      local served = serve({ "--allow", "192.0.2.0/24", "--trusted-proxy", "127.0.0.0/8" })
      local function status(forwarded)
        return (post(served, { ["X-Forwarded-For"] = forwarded }))
      end
      assert.are.equal(200, status("192.0.2.9"))
      assert.are.equal(200, status("203.0.113.1, 192.0.2.9, 127.0.0.7"))
      assert.are.equal(403, status("192.0.2.9, 203.0.113.1"))
      assert.are.equal(403, status("192.0.2.9, junk"))
      assert.are.equal(403, status(("192.0.2.9, "):rep(50) .. "203.0.113.2"))
      assert.are.equal(403, (post(served)))
      served:wait_output("stderr", "(rejected request from 203.0.113.2: 403 )")
      served:wait_output("stderr", "(rejected request from unknown: 403 )")
    end)

    -- What the server rejects by itself. {status, cause, who, what is sent}
    local LINE = "POST /webhooks/palenca HTTP/1.1\r\nX-Forwarded-For: 192.0.2.9\r\n"
    local HEAD, CHUNKED = LINE .. "Host: a\r\n", "Transfer-Encoding: chunked\r\n\r\n"
    local long = "X: " .. ("x"):rep(1024) .. "\r\n"
    local own_rejections = {
      { 400, "the request must have one Host header", "192.0.2.9", HEAD .. "Host: b\r\n\r\n" },
      { 413, "the body is too large", "192.0.2.9", HEAD .. "Content-Length: 1000\r\n\r\n" },
      { 413, "the body is too large", "192.0.2.9",
        HEAD .. CHUNKED .. "12c\r\n" .. ("x"):rep(300) .. "\r\n0\r\n\r\n" },
      { 431, "the head of the request is too large", "192.0.2.9", HEAD .. long .. "\r\n" },
      { 408, "the request did not arrive in time", "192.0.2.9",
        HEAD .. "Content-Length: 100\r\n\r\n{" },
      { 400, "the body is malformed", "192.0.2.9", HEAD .. CHUNKED .. "nonsense\r\n" },
      -- the header may be still to come, or half of it
      { 408, "the request did not arrive in time", "proxy 127.0.0.1", HEAD },
      { 400, "the head is malformed", "proxy 127.0.0.1", HEAD .. "nonsense\r\n\r\n" },
      { 431, "the head of the request is too large", "proxy 127.0.0.1",
        HEAD .. long:rep(3) .. "\r\n" },
      { 404, "another path", "proxy 127.0.0.1", "GET / HTTP/1.1\r\nHost: a\r\n\r\n" },
    }
    it("names the client of a request that the HTTP server rejects, or its proxy", function()
      local served = serve({ "--trusted-proxy", "127.0.0.1", "--max-body", "200", "--max-header",
        "1024", "--request-timeout", "0.3" })
      local direct = serve({ "--max-header", "1024" })
      for _, case in ipairs(own_rejections) do
        local response = http.raw(served.url, case[4])
        assert.are.equal(case[1], response and response.status, case[4])
        local line = string.format("palenca: rejected request from %s: %d (%s)\n", case[3], case[1],
          case[2])
        process.wait_for(function()
          return served.stderr:find(line, 1, true)
        end, line)
        served.stderr = ""
      end
      assert.are.equal(400, http.raw(direct.url, own_rejections[8][4]).status)
      direct:wait_output("stderr", "rejected request from 127.0.0.1: 400 %(the head is malformed%)")
      local script = process.write_file(stage:directory() .. "/script.lua", "")
      local json = stage:palenca({ "serve", script, "--listen", "127.0.0.1:0", "--db",
        script .. ".db", "--json", "--trusted-proxy", "127.0.0.1" })
      local port = json:wait_output("stderr", '"url":"http:\\/\\/127.0.0.1:(%d+)')
      local url = "http://127.0.0.1:" .. port
      assert.are.equal(400, http.raw(url, own_rejections[8][4]).status)
      json:wait_output("stderr", '"cause":"the head is malformed","count":1,"proxy":"127.0.0.1"}')
      assert.are.equal(400, http.raw(url, own_rejections[1][4]).status)
      json:wait_output("stderr", 'one Host header","count":1,"client":"192.0.2.9"}')
    end)

    for _, case in ipairs({ { "--allow", "localhost" }, { "--allow", "10.0.0.0/33" },
      { "--trusted-proxy", "*" } })
    do
      it("rejects " .. case[1] .. " " .. case[2], function()
        local status, err = fail(case)
        assert.are.equal(2, status)
        assert.truthy(err:find(case[1] .. ": '" .. case[2], 1, true), err)
        status, err = fail({}, { PALENCA_ALLOW = "10.0.0.1 nonsense" })
        assert.are.equal(2, status)
        assert.truthy(err:find("$PALENCA_ALLOW: 'nonsense'", 1, true), err)
      end)
    end
  end)

  describe("with a secret path", function()
    local PATH_SECRET = "k3-9f8e7d6c5b4a39281706"

    it("is found with it only, and shows it nowhere", function()
      local directory = stage:directory()
      local file = process.write_file(directory .. "/path-secret", PATH_SECRET .. "\n")
      for _, given in ipairs({ { {}, { PALENCA_PATH_SECRET = PATH_SECRET } },
        { { "--path-secret-file", file } }, { { "--path-secret-file", file, "--path", "/" } } })
      do
        local served = stage:palenca({ "serve", process.write_file(directory .. "/s.lua", ""),
          "--listen", "127.0.0.1:0", "--db", directory .. "/e.db", table.unpack(given[1]) },
          { env = given[2] })
        local shown = served:wait_output("stderr", "receiving webhooks at (%S+),")
        served.url = shown:gsub("/<secret>$", "")
        assert.are_not.equal(shown, served.url)
        local base = served.url
        served.url = base .. "/" .. PATH_SECRET
        assert.are.equal(200, (post(served)))
        for _, path in ipairs({ "", "/", "/" .. PATH_SECRET .. "x", "/" .. PATH_SECRET:sub(1, -2),
          "/" .. PATH_SECRET:sub(1, -2) .. "x", "/" .. PATH_SECRET .. "/", "/%3Csecret%3E" })
        do
          served.url = base .. path
          local status, body = post(served)
          assert.are.equal(404, status)
          assert.are.equal('{"error":"not found"}\n', body)
        end
        local line = helper.read_file("/proc/" .. served.pid .. "/cmdline")
        assert.are.equal(0, served:stop())
        assert.is_nil((served.stdout .. served.stderr .. line):find(PATH_SECRET, 1, true))
      end
    end)

    it("wants one that cannot be guessed", function()
      local bad = { "short", "0123456789abcde/f", "0123456789abcdef 0123456789abcdef" }
      for _, secret in ipairs(bad) do
        local status, err = fail({}, { PALENCA_PATH_SECRET = secret })
        assert.are.equal(2, status)
        assert.truthy(err:find("at least 16", 1, true), err)
        assert.is_nil(err:find(secret, 1, true))
      end
      assert.are.equal(1, (fail({ "--path-secret-file", "/nowhere/at/all" })))
    end)
  end)

  describe("with a signature header", function()
    local HEADER = { "--signature-header", "X-Palenca-Signature" }

    local function signed(served, signature, body)
      return post(served, { ["x-palenca-signature"] = signature }, body)
    end

    it("accepts a signature over the very bytes, and rejects others with one response", function()
      local served = serve(HEADER, { PALENCA_WEBHOOK_SECRET = SECRET })
      local good = sign(BODY, SECRET)
      assert.are.equal(200, (signed(served, good)))
      local other = helper.body({ account_id = "signed in capitals" })
      assert.are.equal(200, (signed(served, sign(other, SECRET):upper(), other)))
      local foreign = sign(BODY, "another secret")
      local responses = {}
      local function rejected(status, body)
        assert.are.equal(401, status)
        responses[body] = true
      end
      rejected(post(served))
      rejected(signed(served, ""))
      rejected(signed(served, "nonsense"))
      rejected(signed(served, "sha256=" .. good))
      rejected(signed(served, foreign))
      rejected(signed(served, good, BODY .. " "))
      rejected(signed(served, good, "not even JSON"))
      rejected(signed(served, sign(BODY, SECRET, "sha1")))
      local twice = "POST " .. served.url:match("//[^/]+(/.*)") .. " HTTP/1.1\r\nHost: spec\r\n"
        .. "X-Palenca-Signature: " .. good .. "\r\nX-Palenca-Signature: " .. good
        .. "\r\nContent-Length: " .. #BODY .. "\r\n\r\n" .. BODY
      local response = http.raw(served.url, twice)
      rejected(response.status, response.body)
      assert.are.same({ ['{"error":"unauthorized"}\n'] = true }, responses)
      assert.are.equal(2, #helper.events(served.db))
      assert.are.equal(0, served:stop())
      for _, cause in ipairs({ "not signed", "signed more than once", "the signature does not fit",
        "the signature has a prefix, such as sha256=, and --signature-prefix names none",
        "the signature has not the length of this digest and encoding" })
      do
        assert.truthy(served.stderr:find("from 127.0.0.1: 401 (" .. cause .. ")", 1, true), cause)
      end
      for _, hidden in ipairs({ SECRET, good, foreign, "nonsense" }) do
        assert.is_nil((served.stderr .. served.stdout):find(hidden, 1, true))
      end
    end)

    it("takes each of several secrets while one replaces the other", function()
      local file = process.write_file(stage:directory() .. "/secrets", "a new one\r\n\n" .. SECRET)
      for _, served in ipairs({
        serve({ "--webhook-secret-file", file, table.unpack(HEADER) }),
        serve({}, { PALENCA_WEBHOOK_SECRET = "a-new-one\n" .. SECRET,
          PALENCA_SIGNATURE_HEADER = "X-Palenca-Signature" }),
      }) do
        assert.are.equal(200, (signed(served, sign(BODY, SECRET))))
        local first, second = signed(served, sign(BODY, "a new one")),
          signed(served, sign(BODY, "a-new-one"))
        assert.are.same({ 200, 401 }, { math.min(first, second), math.max(first, second) })
      end
    end)

    it("takes what the file of secrets holds at SIGHUP, and keeps it if that is nothing", function()
      local file = process.write_file(stage:directory() .. "/secrets", SECRET)
      local served = serve({ "--webhook-secret-file", file, table.unpack(HEADER) })
      assert.are.equal(200, (signed(served, sign(BODY, SECRET))))
      process.write_file(file, "the next one\n")
      assert.are.equal(401, (signed(served, sign(BODY, "the next one"))))
      served:kill("sighup")
      served:wait_output("stderr", "(/secrets reloaded\n)")
      assert.are.equal(200, (signed(served, sign(BODY, "the next one"))))
      assert.are.equal(401, (signed(served, sign(BODY, SECRET))))
      process.write_file(file, "\n")
      served:kill("sighup")
      served:wait_output("stderr", "(reload of %S+/secrets failed, keeping the previous secrets: "
        .. "%-%-webhook%-secret%-file: %S+/secrets holds no secret\n)")
      assert.are.equal(200, (signed(served, sign(BODY, "the next one"))))
      assert.are.equal(401, (signed(served, sign(BODY, ""))))
      assert.are.equal(0, served:stop())
      assert.is_nil((served.stderr .. served.stdout):find("the next one", 1, true))
    end)

    it("takes other digests, encodings and prefixes", function()
      local served = serve({ "--signature-digest", "sha512", "--signature-encoding", "base64",
        "--signature-prefix", "v1=", table.unpack(HEADER) }, { PALENCA_WEBHOOK_SECRET = SECRET })
      local status, encoded = process.run("/bin/sh", { "-c", "printf %s \"$0\" | openssl dgst "
        .. "-sha512 -hmac \"$1\" -binary | base64 -w0", BODY, SECRET })
      assert.are.equal(0, status)
      assert.are.equal(200, (signed(served, "v1=" .. encoded)))
      assert.are.equal(401, (signed(served, encoded)))
      served:wait_output("stderr", "(401 %(the signature has another prefix%))")
    end)

    it("takes what the sandbox signs", function()
      local served = serve(HEADER, { PALENCA_WEBHOOK_SECRET = SECRET })
      local status, out = process.run(process.program(), { "run",
        process.write_file(stage:directory() .. "/sign.lua",
          "print(require('palenca').webhook.sign(arg[1], arg[2]))"), BODY, SECRET })
      assert.are.equal(0, status)
      assert.are.equal(200, (signed(served, out:match("%S+"))))
    end)

    it("logs a burst in a few lines", function()
      local directory = stage:directory()
      local script = process.write_file(directory .. "/s.lua", "")
      local served = stage:palenca({ "serve", script, "--json", "--listen", "127.0.0.1:0", "--db",
        directory .. "/e.db", table.unpack(HEADER) },
        { env = { PALENCA_WEBHOOK_SECRET = SECRET } })
      served.url = served:wait_output("stderr", '"url":"([^"]+)"'):gsub("\\/", "/")
      for _ = 1, 200 do
        assert.are.equal(401, (post(served)))
      end
      assert.are.equal(0, served:stop())
      local logged, lines = 0, 0
      for line in served.stderr:gmatch("[^\n]+") do
        local entry = helper.json.decode(line)
        if entry.event == "refused" then
          assert.are.same({ 401, "not signed" }, { entry.status, entry.cause })
          logged, lines = logged + entry.count, lines + 1
        end
      end
      assert.are.equal(200, logged)
      assert.is_true(lines <= 40, lines) -- six in ten seconds
    end)

    for _, case in ipairs({
      { "a header without a secret", HEADER, {}, "PALENCA_WEBHOOK_SECRET" },
      { "a secret without a header", {}, { PALENCA_WEBHOOK_SECRET = SECRET },
        "--signature-header" },
      { "an unknown digest", { "--signature-digest", "md5" }, {}, "--signature-digest" },
      { "an unknown encoding", { "--signature-encoding", "rot13" }, {}, "--signature-encoding" },
      { "a header that is none", { "--signature-header", "X Y" }, {}, "--signature-header" },
      { "a long prefix", { "--signature-prefix", ("x"):rep(32) }, {}, "--signature-prefix" },
      { "a file without a secret", { "--webhook-secret-file", "/dev/null" }, {}, "/dev/null" },
    }) do
      it("takes " .. case[1] .. " for wrong usage", function()
        local status, err = fail(case[2], case[3])
        assert.are.equal(2, status)
        assert.truthy(err:find(case[4], 1, true), err)
        assert.is_nil(err:find(SECRET, 1, true))
      end)
    end
  end)

  describe("at a Unix socket", function()
    local directory, path, listen

    before_each(function()
      directory = stage:directory()
      path = directory .. "/palenca.sock"
      listen = { "serve", process.write_file(directory .. "/s.lua", ""), "--listen",
        "unix:" .. path, "--db", directory .. "/e.db" }
    end)

    local function start(...)
      local arguments = { table.unpack(listen) }
      table.move({ ... }, 1, select("#", ...), #arguments + 1, arguments)
      local served = stage:palenca(arguments)
      served:wait_output("stderr", "receiving webhooks at (http://unix:" .. path:gsub("%p", "%%%0")
        .. ":/webhooks/palenca),")
      return served
    end

    local function curl(...)
      local status, out = process.run("/usr/bin/env", { "curl", "-sS", "--unix-socket", path, "-w",
        "%{http_code}", "-o", "/dev/null", "--data-binary", BODY, "http://spec/webhooks/palenca",
        ... })
      return status == 0 and tonumber(out) or nil
    end

    it("receives, and removes its file at the end", function()
      local served = start()
      assert.are.equal(200, curl())
      local found = uv.fs_stat(path)
      assert.are.equal("socket", found.type)
      assert.are.equal(tonumber("660", 8), found.mode & tonumber("777", 8))
      assert.are.equal(0, served:stop())
      assert.is_nil(uv.fs_stat(path))
    end)

    it("replaces a file that was left behind", function()
      local killed = start()
      killed:kill("sigkill")
      killed:wait_exit()
      assert.is_truthy(uv.fs_stat(path))
      local served = start()
      assert.are.equal(200, curl())
      assert.are.equal(0, served:stop())
      assert.is_nil(uv.fs_stat(path))
    end)

    it("leaves alone what is not its own", function()
      process.write_file(path, "a file")
      local status, _, err = process.run(process.program(), listen)
      assert.are.equal(1, status)
      assert.truthy(err:find("is not a socket", 1, true), err)
      assert.are.equal("a file", helper.read_file(path))
      os.remove(path)

      local served = start()
      listen[#listen] = directory .. "/other.db"
      status, _, err = process.run(process.program(), listen)
      assert.are.equal(1, status)
      assert.truthy(err:find("in use", 1, true), err)
      assert.are.equal(200, curl())
      -- one that has taken its place meanwhile
      os.remove(path)
      process.write_file(path, "another file")
      assert.are.equal(0, served:stop())
      assert.are.equal("another file", helper.read_file(path))
    end)

    it("distinguishes clients by the proxy's X-Forwarded-For", function()
      start("--trusted-proxy", "unix", "--allow", "192.0.2.0/24")
      assert.are.equal(200, curl("-H", "X-Forwarded-For: 192.0.2.1"))
      assert.are.equal(403, curl("-H", "X-Forwarded-For: 203.0.113.1"))
      assert.are.equal(403, curl())
    end)
  end)
end)

--- The page at the listener of `palenca serve --admin`: its files, its API, and who may use them.
local cjson = require("cjson")
local uv = require("luv")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local SCRIPT = [[
  local palenca = require "palenca"
  palenca.on("*", { max_attempts = 2, retry_wait = 0.01 }, function(event)
    print("handling", event.account_id, "123.456.789-09")
    if event.external_id == "fails" then
      error("No reply from 50%_of\\them <script>alert(1)</script>", 0)
    elseif event.external_id == "waits" then
      while not io.open(os.getenv "SPEC_GO") do palenca.sleep(0.02) end
    end
  end)
]]

-- Of a person, in places that no schema has: what is left of it is "kept".
local ODD = {
  kept = { "2026-11-29", "2026-11-29T18:42:03.5Z", 1234567, 5, "12345678.90" },
  lists = { { 12345678909, 5512345678, { "5512345678 5512345679" } }, { { "josé@exámple.mx" } } },
  texts = { "55\194\1601234\194\1605678", "5512-34-56-78", "CNPJ:12345678000195" },
  names = { ["a@b.mx"] = 1, ["5512345678"] = 1, ["12345678909"] = 1 },
  kinds = { firstname = "Juana", displayName = "Juana", ["FULL NAME"] = "Juana", correo = "j",
    celular = 551234, cedula = 1020304050, nombre = { completo = { "Juana" } } },
}

local WRITES = { ["X-Palenca-Admin"] = "1" }

describe("the admin page", function()
  local stage, served, admin, go

  setup(function()
    stage = helper.stage()
    go = stage:directory() .. "/go"
    served = stage:serve({ text = SCRIPT, env = { SPEC_GO = go },
      arguments = { "--admin", "127.0.0.1:0", "--workers", "1", "--redelivery-window", "0" } })
    admin = served.stderr:match("admin page at (http://[%d.:]+)\n")
    helper.post(served.url, { account_id = "first", external_id = "fails" })
    helper.post(served.url, { account_id = "second", webhook_action = "login.error",
      name = "Juana", contact = { email = "juana@example.mx", text = "at +52 55 1234 5678" },
      curp = "GOMC900101HDFRRL09", platform = "didi", odd = ODD })
    helper.post(served.url, { account_id = "third", webhook_action = "profile.updated",
      note = "<img src=x onerror=alert(1)>" })
    helper.wait_state(served.db, "first", "dead")
    helper.wait_state(served.db, "second", "done")
    helper.wait_state(served.db, "third", "done")
  end)

  teardown(function()
    stage:clear()
  end)

  local function get(path, headers)
    local response = http.request("GET", admin .. path, nil, headers)
    local is_json = response.headers["content-type"] == "application/json"
    return response.status, is_json and cjson.decode(response.body) or response.body,
      response.headers
  end

  local function post(path, value, headers)
    local all = { ["X-Palenca-Admin"] = "1" }
    for name, one in pairs(headers or {}) do
      all[name] = one or nil
    end
    local body = type(value) == "string" and value or cjson.encode(value)
    local response = http.request("POST", admin .. path, body, all)
    return response.status, cjson.decode(response.body), response.headers
  end

  -- The accounts of the events that a search finds, newest first.
  local function found(query)
    local status, result = get("/api/events" .. query)
    assert.equal(200, status, result.error)
    local names = {}
    for i, event in ipairs(result.events) do
      names[i] = event.account_id
    end
    return table.concat(names, " "), result
  end

  local function id_of(account)
    return select(2, found("?account_id=" .. account)).events[1].id
  end

  local function path_of(account, rest)
    return ("/api/events/%d%s"):format(id_of(account), rest or "")
  end

  it("serves its files alone, under a policy that runs no script of others", function()
    local folder, count = "lua/palenca/host/admin_page", 0
    local scan = assert(uv.fs_scandir(folder))
    for name in function() return (uv.fs_scandir_next(scan)) end do
      local status, text, headers = get("/" .. name)
      assert.equal(200, status, name)
      assert.equal(helper.read_file(folder .. "/" .. name), text)
      assert.truthy(headers["content-security-policy"]:find("^default%-src 'none'; script%-src "
        .. "'self'; style%-src 'self'; connect%-src 'self'; img%-src 'self' data:; base%-uri "
        .. "'none'; form%-action 'none'; frame%-ancestors 'none'$"))
      assert.equal("nosniff", headers["x-content-type-options"])
      assert.is_nil(headers["access-control-allow-origin"])
      count = count + 1
    end
    assert.is_true(count > 0)
    local _, index, headers = get("/")
    assert.equal(helper.read_file(folder .. "/index.html"), index)
    assert.equal("text/html; charset=utf-8", headers["content-type"])
    for _, path in ipairs { "/nothing.js", "/../index.html", "/..%2findex.html",
      "/%2e%2e/index.html", "/admin_page/index.html", "/console.html", "//index.html",
      "/index.html/", "/index.html%00",
      "/events.db", "/.", "/..", "/api", "/api/", "/api/events/" } do
      local status, result = get(path)
      assert.is_true(status == 404 or status == 400, path)
      assert.truthy(result.error)
    end
  end)

  it("finds events by what they are, the newest first", function()
    assert.equal("third second first", (found("")))
    assert.equal("second first", (found("?action=login.*")))
    assert.equal("second", (found("?action=login.error&state=done")))
    assert.equal("", (found("?action=login")))
    assert.equal("first", (found("?account_id=first&platform=uber&state=dead")))
    assert.equal("second", (found("?platform=didi")))
    assert.equal("first", (found("?error=REPLY+from+50%25_of%5C")))
    assert.equal("", (found("?error=50%25Xof")))
    assert.equal("third second first", (found("?action=&account_id=&state=&error=&before=")))
    local _, all = found("")
    local second = all.events[2].received_at
    local function received(from, to)
      local names = {}
      for _, event in ipairs(all.events) do
        names[#names + 1] = event.received_at >= from and event.received_at < to
          and event.account_id or nil
      end
      return table.concat(names, " ")
    end
    assert.equal(received(second, second + 1),
      (found(("?since=%d&until=%d"):format(second, second + 1))))
    assert.equal(received(0, second), (found(("?until=%d"):format(second))))
    assert.equal("", (found(("?since=%d"):format(all.events[1].received_at + 1))))
    assert.equal(cjson.null, all.next)
  end)

  it("gives all of an event in a list, and pages", function()
    local names, result = found("?limit=2")
    assert.equal("third second", names)
    local rest, last = found(("?limit=2&before=%d"):format(result.next))
    assert.same({ "first", cjson.null }, { rest, last.next })
    local event, now = last.events[1], os.time() * 1000
    assert.same({ "login.success", "first", "uber", "dead", 2, 0, cjson.null },
      { event.action, event.account_id, event.platform, event.state, event.attempts,
        event.replays, event.due_at })
    assert.is_true(event.received_at > now - 600000 and event.finished_at >= event.received_at)
    assert.equal("No reply from 50%_of\\them <script>alert(1)</script>", event.error)
  end)

  it("names what is wrong with a search", function()
    for query, word in pairs { ["?limit=0"] = "limit", ["?limit=201"] = "limit",
      ["?state=new"] = "state", ["?before=x"] = "before", ["?since=-1"] = "since",
      ["?nothing=1"] = "nothing", ["?action=a&action=b"] = "action", ["?error=%01"] = "error",
      ["?until=1.5"] = "until", ["?account_id=" .. ("x"):rep(201)] = "account_id" } do
      local status, result = get("/api/events" .. query)
      assert.equal(400, status, query)
      assert.truthy(result.error:find("'" .. word .. "'", 1, true), result.error)
    end
    for _, path in ipairs { "x", "0", "-1", "1e3", "99999999999999999999" } do
      assert.equal(400, (get("/api/events/" .. path)), path)
    end
    assert.equal(404, (get("/api/events/7")))
    assert.equal(405, (get("/api/replay")))
    assert.equal(405, (post("/api/events", {})))
  end)

  it("shows an event with its attempts, and its body masked", function()
    local _, result = get(path_of("first"))
    assert.equal(2, #result.attempts)
    local first, last = result.attempts[1], result.attempts[2]
    assert.same({ "retry", 0, 1, 0 }, { first.outcome, first.replay, first.attempt,
      first.lines_left_out })
    assert.same({ "handling\tfirst\t[identity number]" }, first.lines)
    assert.same({ "dead", 2, result.event.error }, { last.outcome, last.attempt, last.error })
    assert.is_true(first.started_at >= result.event.received_at and first.duration_ms >= 0)
    _, result = get(path_of("second"))
    local body = cjson.decode(result.event.body)
    assert.same({ "[name]", "[email]", "[identity number]", "at [phone number]", "second" },
      { body.data.name, body.data.contact.email, body.data.curp, body.data.contact.text,
        body.data.account_id })
    assert.same(ODD.kept, body.data.odd.kept)
    for _, shown in ipairs { "exámple", "12345678909", "5512345678", "1234", "Juana", "a@b",
      '"j"', "1020304050", "5512-" } do
      assert.is_nil(result.event.body:gsub('"kept":%b[]', ""):find(shown, 1, true), shown)
    end
    assert.is_true(result.event.body_size > 100)
  end)

  it("shows a body as it is only when asked to, and says so in the log", function()
    local id = id_of("second")
    local status, result, headers = post(path_of("second", "/body"), {})
    assert.equal(200, status)
    assert.equal("no-store", headers["cache-control"])
    assert.equal("juana@example.mx", cjson.decode(result.body).data.contact.email)
    assert.equal(404, (post("/api/events/7/body", {})))
    served:wait_output("stderr",
      ("(palenca: admin page: show_body of event %d by 127.0.0.1: shown\n)"):format(id))
    served:wait_output("stderr", "(show_body of event 7 by 127.0.0.1: there is none\n)")
  end)

  it("is inert, whatever was sent to it", function()
    for _, path in ipairs { "/api/events", path_of("third"), path_of("first") } do
      local _, _, headers = get(path)
      assert.same({ "application/json", "nosniff", "no-store" }, { headers["content-type"],
        headers["x-content-type-options"], headers["cache-control"] })
      assert.truthy(headers["content-security-policy"]:find("^default%-src 'none'"))
    end
    local response = http.request("GET", admin .. "/api/events?%3Cscript%3E=1")
    assert.same({ 400, "application/json" }, { response.status, response.headers["content-type"] })
  end)

  it("counts the events, and knows whether the process is ready", function()
    local result
    helper.ask_until(function()
      result = select(2, get("/api/stats"))
      return result.states.done == 2 and result.states.dead == 1
        and result.oldest_unfinished_at == cjson.null -- which is looked at now and then
    end, "the counts")
    assert.same({ received = 0, running = 0, retry = 0, done = 2, dead = 1 }, result.states)
    assert.same({ true, {} }, { result.ready, result.reasons })
    assert.is_true(math.abs(result.time / 1000 - os.time()) < 600)
    assert.truthy(result.version:find("^%d+%.%d+"))
  end)

  it("runs an event again, or all that match", function()
    local status, result = post("/api/replay", { id = id_of("second") })
    assert.same({ 200, { replayed = 1, left_out = 0 } }, { status, result })
    helper.ask_until(function()
      return select(2, get(path_of("second"))).event.finished_at ~= cjson.null
    end, "the replay")
    result = select(2, get(path_of("second")))
    assert.same({ 2, 1, 1 }, { #result.attempts, result.event.replays, result.event.attempts })
    helper.post(served.url, { account_id = "waiting", external_id = "waits" })
    helper.wait_state(served.db, "waiting", "running")
    result = select(2, post("/api/replay", { filter = { action = "login.*" } }))
    assert.same({ replayed = 2, left_out = 1 }, result)
    result = select(2, post("/api/replay", { id = id_of("waiting") }))
    assert.same({ replayed = 0, left_out = 1 }, result)
    assert.equal(404, (post("/api/replay", { id = 7 })))
    process.write_file(go, "")
    helper.wait_state(served.db, "first", "dead")
    helper.wait_state(served.db, "second", "done")
    helper.wait_state(served.db, "waiting", "done")
    served:wait_output("stderr", '(replay of action="login%.%*" by 127%.0%.0%.1: '
      .. "2 run again, 1 left out\n)")
  end)

  it("deletes what matches, once it has said how much that is", function()
    helper.post(served.url, { account_id = "spare", external_id = "fails" })
    helper.wait_state(served.db, "spare", "dead")
    local filter = { account_id = "spare", error = "no reply" }
    local _, would = post("/api/purge", { filter = filter, dry_run = true })
    assert.is_true(would.events == 1 and would.bytes > 100)
    assert.equal("spare", (found("?account_id=spare")))
    local _, purged = post("/api/purge", { filter = filter })
    assert.same(would, purged)
    assert.equal("", (found("?account_id=spare")))
    served:wait_output("stderr", '(purge of account_id="spare" error="no reply" by 127%.0%.0%.1: '
      .. "deleted 1 events\n)")
    assert.equal("0", helper.query(served.db,
      "SELECT count(*) FROM attempts WHERE id NOT IN (SELECT id FROM events)"))
  end)

  it("names what is wrong with a change", function()
    for _, case in ipairs {
      { "/api/replay", {}, "'id' or 'filter'" },
      { "/api/replay", { id = 1, filter = { state = "dead" } }, "'id' or 'filter'" },
      { "/api/replay", { id = "x" }, "'id'" }, { "/api/replay", { id = 1.5 }, "'id'" },
      { "/api/replay", { filter = { limit = 1 } }, "'limit'" },
      { "/api/replay", { filter = { before = 1 } }, "'before'" },
      { "/api/replay", { filter = "all" }, "'filter'" },
      { "/api/replay", '{"filter":[]}', "'filter'" }, { "/api/purge", '{"filter":[]}', "'filter'" },
      { "/api/replay", { other = 1 }, "'other'" },
      { "/api/purge", {}, "'filter'" },
      { "/api/purge", { filter = { state = "gone" } }, "'state'" },
      { "/api/purge", { filter = { account_id = 5 } }, "'account_id'" },
      { "/api/purge", { filter = { state = "done" }, dry_run = 1 }, "'dry_run'" },
      { "/api/purge", "[]", "object" }, { "/api/purge", "{", "object" },
      { "/api/purge", { filter = { account_id = "" } }, "'account_id'" },
      { "/api/purge", { filter = { ["until"] = 0 } }, "'until'" },
      { "/api/purge", '{"filter":{"since":null}}', "null" },
      { "/api/replay", '{"filter":{"error":"\\"null","state":null}}', "null" },
    } do
      local status, result = post(case[1], case[2])
      assert.equal(400, status, case[3])
      assert.truthy(result.error:find(case[3], 1, true), result.error)
    end
    assert.same({ events = 0, bytes = 0, kept = 0 }, select(2, post("/api/purge",
      { filter = { error = 'a "null" \\' } })))
    assert.equal(413, (post("/api/replay", { filter = { error = ("x"):rep(20000) } })))
  end)

  -- What a page of another origin can have a browser send, and what it cannot.
  it("takes no change from another page", function()
    local body = cjson.encode({ id = id_of("first") })
    local host = admin:match("//(.*)")
    local before = helper.query(served.db, "SELECT sum(replays) FROM events")
    for _, case in ipairs {
      { 415, { ["Content-Type"] = "text/plain" } },
      { 415, { ["Content-Type"] = "application/x-www-form-urlencoded" } },
      { 415, { ["Content-Type"] = "multipart/form-data; boundary=x" } },
      { 415, { ["Content-Type"] = "application/json-but-not" } },
      { 403, { ["X-Palenca-Admin"] = "0" } }, { 403, { ["X-Palenca-Admin"] = "" } },
      { 403, { Origin = "http://elsewhere.example" } }, { 403, { Origin = "null" } },
      { 403, { Origin = "https://" .. host } }, { 403, { Origin = "http://" .. host .. "0" } },
      { 403, { Origin = "http://127.0.0.1" } },
      { 403, { ["Sec-Fetch-Site"] = "cross-site" } },
      { 403, { ["Sec-Fetch-Site"] = "same-site" } },
      { 403, { Host = "rebound.example" } },
      { 403, { Host = "rebound.example", Origin = "http://rebound.example" } },
    } do
      local headers = { ["X-Palenca-Admin"] = "1" }
      for name, value in pairs(case[2]) do
        headers[name] = value
      end
      for _, path in ipairs { "/api/replay", "/api/purge", path_of("first", "/body") } do
        local response = http.request("POST", admin .. path, body, headers)
        assert.equal(case[1], response.status, cjson.encode(case[2]))
        assert.is_nil(response.headers["access-control-allow-origin"])
        assert.truthy(cjson.decode(response.body).error)
      end
    end
    local response = http.request("POST", admin .. "/api/replay", body)
    assert.equal(403, response.status)
    assert.equal(before, helper.query(served.db, "SELECT sum(replays) FROM events"))
    assert.equal(200, http.request("POST", admin .. path_of("first", "/body"), "{}", {
      ["X-Palenca-Admin"] = "1", Origin = "http://" .. host, ["Sec-Fetch-Site"] = "same-origin",
      ["Content-Type"] = "application/json; charset=utf-8" }).status)
  end)

  it("shows nothing to another page, and has no response for its browser", function()
    for _, path in ipairs { "/", "/api/events", "/api/stats", path_of("first") } do
      for _, headers in ipairs { { ["Sec-Fetch-Site"] = "cross-site" },
        { ["Sec-Fetch-Site"] = "same-site" }, { Host = "rebound.example" },
        { Origin = "http://elsewhere.example" } } do
        assert.equal(403, (get(path, headers)), path)
      end
      assert.equal(200, (get(path, { ["Sec-Fetch-Site"] = "none" })))
      assert.equal(200, (get(path, { ["Sec-Fetch-Site"] = "same-origin" })))
    end
    local link = { ["Sec-Fetch-Site"] = "cross-site", ["Sec-Fetch-Mode"] = "navigate",
      ["Sec-Fetch-Dest"] = "document" }
    assert.equal(200, (get("/", link)))
    assert.equal(403, (get("/api/events", link)))
    link["Sec-Fetch-Dest"] = "iframe"
    assert.equal(403, (get("/", link)))
    for _, method in ipairs { "OPTIONS", "PUT", "DELETE", "PATCH" } do
      local response = http.request(method, admin .. "/api/replay", nil,
        { Origin = "http://elsewhere.example", ["Access-Control-Request-Method"] = "POST",
          ["Access-Control-Request-Headers"] = "x-palenca-admin" })
      assert.is_true(response.status == 405 or response.status == 403, method)
      for name in pairs(response.headers) do
        assert.is_nil(name:find("access%-control"), name)
      end
    end
  end)

  it("changes nothing by GET", function()
    local function all()
      return helper.query(served.db, "SELECT id, state, replays FROM events ORDER BY id")
    end
    local before = all()
    for _, path in ipairs { "/api/replay?id=1", "/api/purge", path_of("first", "/body"),
      "/api/events?state=dead", path_of("first"), "/api/stats" } do
      get(path, WRITES)
    end
    assert.equal(before, all())
  end)

  it("leaves a place for those who watch, however many connections it has", function()
    local connections, statuses = {}, { [200] = 0, [503] = 0 }
    for i = 1, 60 do -- which stay open
      connections[i] = stage:connect(admin)
      connections[i]:send("GET /api/stats HTTP/1.1\r\nHost: localhost\r\n\r\n")
      local status = connections[i]:response().status
      statuses[status] = statuses[status] + 1
    end
    assert.is_true(statuses[200] >= 40 and statuses[503] >= 12,
      ("%d %d"):format(statuses[200], statuses[503]))
    for _, path in ipairs { "/healthz", "/readyz", "/metrics" } do
      assert.equal(200, http.request("GET", admin .. path).status)
    end
    for _, connection in ipairs(connections) do
      connection:close()
    end
    helper.ask_until(function()
      return http.request("GET", admin .. "/api/stats").status == 200
    end, "the page")
  end)
end)

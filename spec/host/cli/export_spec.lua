--- Runs `palenca export` on a sandbox: within its limit, killed and run again, with an account that
-- cannot be read, and on a disk that is full.
local cjson = require("cjson")
local uv = require("luv")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local TUTORIAL = "cb39ee15-f29f-427d-9119-0c627575610d"
local NOBODY = "00000000-0000-4000-8000-000000000000"
local JSON = { ["content-type"] = "application/json" }

local function get(url, path)
  local response = http.request("GET", url .. path)
  assert.are.equal(200, response.status, response.body)
  return cjson.decode(response.body).data
end

local function post(url, path, body)
  local response = http.request("POST", url .. path, cjson.encode(body), JSON)
  assert.truthy(response.status < 300, response.body)
  return cjson.decode(response.body).data
end

local function files_of(directory, ending)
  local list = {}
  local scan = uv.fs_scandir(directory)
  local name = uv.fs_scandir_next(scan)
  while name do
    local account = name:match("^([%x-]+)%." .. ending .. "$")
    if account and #account == 36 then
      list[account] = helper.read_file(directory .. "/" .. name)
    end
    name = uv.fs_scandir_next(scan)
  end
  return list
end

local function count(set)
  local number = 0
  for _ in pairs(set) do
    number = number + 1
  end
  return number
end

local function lines_in(text)
  return select(2, text:gsub("\n", ""))
end

-- Of a history with so many rows: its pages, and the second look at the first of several.
local function requests_for(rows)
  local pages = math.max(1, (rows + 99) // 100)
  return pages + (pages > 1 and 1 or 0)
end

describe("palenca export", function()
  local stage = helper.stage_for_each()
  local directory, url, key, env

  local function sandbox(...)
    local _
    _, url, key = stage:sandbox({ ... })
    env = { PALENCA_API_KEY = key, PALENCA_BASE_URL = url }
  end

  before_each(function()
    directory = stage:directory()
  end)

  local function write_accounts(accounts)
    return process.write_file(directory .. "/accounts.txt", table.concat(accounts, "\n") .. "\n")
  end

  local function arguments_for(...)
    return { "export", "--accounts-file", directory .. "/accounts.txt", "--out",
      directory .. "/out", ... }
  end

  local function call(...)
    return process.run(process.program(), arguments_for(...), { env = env })
  end

  local function all_accounts()
    local list = {}
    for at, login in ipairs(get(url, "/sandbox/logins?items_per_page=1000").logins) do
      list[at] = login.account_id
    end
    return list
  end

  local function set_limit(limit)
    local response = http.request("PUT", url .. "/sandbox/settings",
      cjson.encode({ rate_limit = limit }), JSON)
    assert.are.equal(200, response.status, response.body)
  end

  -- ---- 500 accounts ----------------------------------------------------------------------

  -- Adds the searches of earnings that the sandbox has in its log, which has the last ones only.
  local function add_requests(seen)
    local response = http.request("GET", url .. "/sandbox/requests?items_per_page=500")
    for _, request in ipairs(cjson.decode(response.body).data.requests) do
      local account = request.path:match("^/v1/accounts/([^/]+)/earnings/search$")
      if account and not seen[request.request_id] then
        seen[request.request_id] = { account = account, status = request.status }
      end
    end
  end

  local function count_by_account(seen)
    local counts = {}
    for _, request in pairs(seen) do
      assert.are.equal(200, request.status)
      counts[request.account] = (counts[request.account] or 0) + 1
    end
    return counts
  end

  it("reads 500 accounts through the limit, with three kills, and no page twice but those of the "
    .. "account that it was at", function()
    -- the sandbox's own account, 419 with a page or none, and 80 with three
    sandbox("--accounts", "419", "--rate-limit", "0")
    for _ = 1, 80 do
      post(url, "/sandbox/logins", { platform = "uber", days = 300 })
    end
    local accounts = {}
    for at, account in ipairs(all_accounts()) do
      accounts[(at * 7) % 500 + 1] = account -- those with three pages are spread
    end
    assert.are.equal(500, #accounts)
    write_accounts(accounts)
    local before = {}
    add_requests(before)
    assert.are.same({}, before)
    set_limit(230)
    env.PALENCA_RATE_LIMIT = "230"

    local seen, killed_at = {}, {}
    for kill = 1, 3 do
      local started = process.palenca(arguments_for(), { env = env })
      if kill == 2 then
        started:wait_output("stderr", "palenca: (%d+) of 500 accounts\n")
      else
        started:wait_output("stderr", "waiting for the rate limit (until %d%d:%d%d:%d%d)\n")
      end
      started:kill("sigkill")
      assert.are.equal(137, started:wait_exit())
      add_requests(seen)
      local done = files_of(directory .. "/out", "jsonl")
      assert.is_true(count(done) > 0 and count(done) < 500)
      local at = accounts[count(done) + 1]
      assert.is_nil(done[at]) -- one after the other
      killed_at[at] = (killed_at[at] or 0) + 1
      post(url, "/sandbox/clock", { advance = 61 }) -- the limit's window has ended
    end

    set_limit(0)
    env.PALENCA_RATE_LIMIT = "0"
    local status, out, err = call()
    assert.are.equal(0, status, err)
    local done = files_of(directory .. "/out", "jsonl")
    assert.are.equal(500, count(done))
    assert.truthy(out:find("^500 of 500 accounts are in "), out)
    add_requests(seen)

    local counts, total, repeated = count_by_account(seen), 0, 0
    for account, text in pairs(done) do
      local once, kills = requests_for(lines_in(text)), killed_at[account] or 0
      total, repeated = total + once, repeated + once * kills
      assert.is_true(counts[account] >= once and counts[account] <= once * (1 + kills),
        ("%d requests for %d rows, %d kills"):format(counts[account], lines_in(text), kills))
    end
    assert.is_true(total > 700, total .. " requests")
    assert.is_true(count(seen) >= total and count(seen) <= total + repeated)

    for account in pairs(killed_at) do
      local _, whole = process.run(process.program(), { "earnings", account, "--json" },
        { env = env })
      assert.are.equal(whole, done[account])
    end
  end)

  -- ---- small ones ------------------------------------------------------------------------

  it("writes what palenca earnings shows, for its owner alone, and sends nothing twice", function()
    sandbox("--accounts", "3")
    write_accounts(all_accounts())
    for _, format in ipairs({ "--json", "--csv" }) do
      local ending = format == "--json" and "jsonl" or "csv"
      local arguments = { "export", "--accounts-file", directory .. "/accounts.txt", "--out",
        directory .. "/" .. ending, "--since", "2024-09-01", format == "--csv" and format or nil }
      local status, _, err = process.run(process.program(), arguments, { env = env })
      assert.are.equal(0, status, err)
      local files = files_of(directory .. "/" .. ending, ending)
      assert.are.equal(4, count(files))
      for account, text in pairs(files) do
        local _, out = process.run(process.program(), { "earnings", account, "--since",
          "2024-09-01", format }, { env = env })
        assert.are.equal(out, text)
        local path = ("%s/%s/%s.%s"):format(directory, ending, account, ending)
        assert.are.equal(384, uv.fs_stat(path).mode & 511)
      end
      local requests = #get(url, "/sandbox/requests?items_per_page=500").requests
      local out
      status, out, err = process.run(process.program(), arguments, { env = env })
      assert.are.equal(0, status, err)
      assert.truthy(out:find("4 of 4 accounts .*: 0 read now, 4 before\n$"), out)
      assert.are.equal(requests, #get(url, "/sandbox/requests?items_per_page=500").requests)
    end
  end)

  it("takes the CSV of palenca accounts, comments and accounts that are named twice", function()
    sandbox("--accounts", "3")
    local _, csv = process.run(process.program(), { "accounts", "--since", "2024-01-01", "--csv" },
      { env = env })
    process.write_file(directory .. "/accounts.txt", "\239\187\191" .. csv .. "\n# more\n"
      .. TUTORIAL .. "\r\n")
    local status, out, err = call("--json")
    assert.are.equal(0, status, err)
    local summary = cjson.decode(out)
    assert.are.equal(4, summary.accounts)
    assert.are.equal(4, summary.exported)
    assert.are.equal(0, summary.failed)
  end)

  it("continues after an account that cannot be read, and tries it again the next time", function()
    sandbox("--accounts", "3")
    local accounts = all_accounts()
    table.insert(accounts, 2, NOBODY)
    write_accounts(accounts)
    local bad = accounts[3]
    local fault = post(url, "/sandbox/faults", { kind = "earning_added", path = "/v1/accounts/"
      .. TUTORIAL })
    local status, out, err = call("--since", "2024-09-01")
    assert.are.equal(1, status)
    assert.truthy(err:find("palenca: account " .. NOBODY .. ": not_found: ", 1, true), err)
    assert.truthy(err:find("palenca: account " .. TUTORIAL .. ": the history is incomplete",
      1, true), err)
    assert.truthy(out:find("^3 of 5 accounts .*: 3 read now, 0 before\n$"), out)
    local files = files_of(directory .. "/out", "jsonl")
    assert.is_nil(files[NOBODY])
    assert.is_nil(files[TUTORIAL])
    assert.truthy(files[bad])
    http.request("DELETE", url .. ("/sandbox/faults/%d"):format(fault.fault_id))
    status, out = call("--since", "2024-09-01")
    assert.are.equal(1, status)
    assert.truthy(out:find("^4 of 5 accounts .*: 1 read now, 3 before\n$"), out)
  end)

  it("ends at once at a wrong key, and after three accounts at a server that fails", function()
    sandbox("--accounts", "5")
    local accounts = all_accounts()
    write_accounts(accounts)
    env.PALENCA_API_KEY = "wrong"
    local status, out, err = call()
    assert.are.same({ 1, "" }, { status, out })
    assert.truthy(err:find("^palenca: auth: [^\n]+; 0 of 6 accounts are exported: run it "
      .. "again to continue\n$"), err)
    env.PALENCA_API_KEY, env.PALENCA_MAX_RETRIES = key, "0"
    post(url, "/sandbox/faults", { kind = "error", status = 500, code = "server_error", path =
      "/v1/accounts" })
    status, out, err = call()
    assert.are.same({ 1, "" }, { status, out })
    assert.are.equal(3, lines_in(err), err)
    assert.truthy(err:find("0 of 6 accounts are exported: run it again", 1, true), err)
  end)

  it("notices other accounts, other options and files of others", function()
    sandbox("--accounts", "2", "--rate-limit", "0")
    local accounts = all_accounts()
    write_accounts(accounts)
    assert.are.equal(0, (call("--since", "2026-01-01")))
    assert.are.equal(0, (call())) -- what is not set stays
    local function fails(problem, ...)
      local status, out, err = call(...)
      assert.are.same({ 1, "" }, { status, out })
      assert.truthy(err:find(problem), err)
    end
    fails("another %-%-since: 2026%-01%-01 then, 2026%-01%-02 now", "--since", "2026-01-02")
    fails("another %-%-until: ", "--until", "2026-05-01")
    fails("another format: jsonl then, csv now", "--csv")
    write_accounts({ accounts[1], accounts[2], NOBODY })
    fails("1 more now %(" .. NOBODY:gsub("%-", "%%-") .. "%) and 1 no longer %("
      .. accounts[3]:gsub("%-", "%%-") .. "%)")
    write_accounts(accounts)
    env.PALENCA_BASE_URL = url:gsub("127%.0%.0%.1", "localhost")
    fails("another address of the API")
    env.PALENCA_BASE_URL = url
    os.remove(directory .. "/out/manifest.json")
    fails("has no manifest.json, but ")
    process.write_file(directory .. "/out/manifest.json", "{")
    fails("is not the manifest of an export")
  end)

  it("stops at Ctrl-C and SIGTERM with what is done, and lets no second process in", function()
    sandbox("--accounts", "20", "--rate-limit", "0")
    write_accounts(all_accounts())
    post(url, "/sandbox/faults", { kind = "latency", seconds = 60, path = "/v1/accounts" })
    for signal, expected in pairs({ sigint = 130, sigterm = 143 }) do
      local started = process.palenca(arguments_for(), { env = env })
      helper.ask_until(function()
        return helper.read_file(directory .. "/out/manifest.json")
      end, "the manifest")
      local status, _, err = call()
      assert.are.equal(1, status)
      assert.truthy(err:find("in use by another process", 1, true), err)
      started:kill(signal)
      assert.are.equal(expected, started:wait_exit())
      assert.truthy(started.stderr:find("^palenca: stopped by " .. signal:upper()
        .. "; 0 of 21 accounts are exported: run it again to continue\n$"), started.stderr)
      process.run("/bin/rm", { "-r", directory .. "/out" }) -- the next manifest is the next one's
    end
  end)

  it("leaves no part of a file on a full disk", function()
    sandbox("--accounts", "2", "--rate-limit", "0")
    write_accounts(all_accounts())
    local status, _, err = process.run("/bin/bash", { "-c",
      'ulimit -f 4; trap "" XFSZ; exec "$0" "$@"', process.program(),
      table.unpack(arguments_for("--since", "2024-09-01")) }, { env = env })
    assert.are.equal(1, status)
    assert.truthy(err:find("File too large; %d of 3 accounts are exported: run it again"), err)
    local scan = uv.fs_scandir(directory .. "/out")
    local name = uv.fs_scandir_next(scan)
    while name do
      assert.is_nil(name:find("%.new$"), name)
      name = uv.fs_scandir_next(scan)
    end
    status, _, err = call("--since", "2024-09-01")
    assert.are.equal(0, status, err)
    for account, text in pairs(files_of(directory .. "/out", "jsonl")) do
      local _, whole = process.run(process.program(), { "earnings", account, "--json", "--since",
        "2024-09-01" }, { env = env })
      assert.are.equal(whole, text)
    end
  end)

  it("draws a bar on a terminal, no wider than that", function()
    sandbox("--accounts", "5", "--rate-limit", "0")
    write_accounts(all_accounts())
    post(url, "/sandbox/faults", { kind = "latency", seconds = 0.3, path = "/v1/accounts" })
    env.p = process.program()
    local status, out = process.run("script", { "-qec", ("stty cols 30; $p export --accounts-file "
      .. "%s/accounts.txt --out %s/out"):format(directory, directory), "/dev/null" }, { env = env })
    assert.are.equal(0, status, out)
    local pictures = 0
    for picture in out:gmatch("\r(%[[^\r\27]*)\27%[K") do
      pictures = pictures + 1
      assert.is_true(utf8.len(picture) < 30, picture)
    end
    assert.is_true(pictures > 1, out)
    assert.truthy(out:find("\r\27%[K[^\r\n]*6 of 6 accounts are in "), out)
  end)

  it("takes the files that spreadsheets write", function()
    sandbox("--accounts", "3", "--rate-limit", "0")
    local accounts = all_accounts()
    write_accounts({ "\239\187\191account_id;platform", accounts[1] .. ";uber", '"' .. accounts[2]
      .. '","uber"', accounts[3] .. "\tuber", accounts[1] })
    local status, out, err = call()
    assert.are.equal(0, status, err)
    assert.truthy(out:find("^3 of 3 accounts are in "), out)
  end)

  it("says of an account without earnings that its last login failed", function()
    sandbox("--rate-limit", "0")
    local failed = post(url, "/sandbox/logins",
      { identifier = "didi+invalid_credentials@palenca-tests.com" }).account_id
    write_accounts({ TUTORIAL, failed })
    local status, out, err = call()
    assert.are.equal(0, status, err)
    assert.truthy(out:find("^2 of 2 accounts are in "), out)
    assert.truthy(err:find("palenca: warning: account " .. failed .. ": the last login failed on ",
      1, true), err)
    assert.truthy(err:find(": invalid_credentials; the account was never connected\n", 1, true),
      err)
    assert.is_nil(err:find("account " .. TUTORIAL, 1, true))
    local files = files_of(directory .. "/out", "jsonl")
    assert.are.equal("", files[failed])
    assert.truthy(lines_in(files[TUTORIAL]) > 0)
  end)

  it("takes the accounts from the column of their heading, as other commands write it", function()
    sandbox("--accounts", "3", "--rate-limit", "0")
    local accounts = all_accounts()
    local _, logins = process.run(process.program(), { "logins", "--csv", "--since", "900d" },
      { env = env })
    assert.truthy(logins:find("^created_at,account_id,"), logins)
    for at, text in ipairs({
      logins,
      "Fecha;ID de la persona;Cuenta\r\n2026;x;" .. accounts[1] .. "\r\n",
      '\239\187\191\n"id","Name, of whom","Account ID"\n"' .. accounts[2] .. '","A, ""B"", C","'
        .. accounts[1] .. '"\n',
      "conta\n" .. accounts[1] .. " # the first\n",
    }) do
      process.write_file(directory .. "/accounts.txt", text)
      local status, out, err = process.run(process.program(), { "export", "--accounts-file",
        directory .. "/accounts.txt", "--out", directory .. "/out" .. at }, { env = env })
      assert.are.equal(0, status, err)
      local files = files_of(directory .. "/out" .. at, "jsonl")
      assert.are.equal(at == 1 and #accounts or 1, count(files), out)
      assert.truthy(files[accounts[1]], out)
    end
    local status, out, err = process.run(process.program(), { "export", "--accounts-file",
      directory, "--out", directory .. "/out" }, { env = env })
    assert.are.same({ 1, "" }, { status, out })
    assert.are.equal("palenca: " .. directory .. ": Is a directory\n", err)
  end)

  it("rejects files that name no accounts", function()
    env = { PALENCA_API_KEY = "spec-key", PALENCA_BASE_URL = "http://127.0.0.1:9" }
    for text, problem in pairs({
      ["\n# none\n"] = "names no account",
      ["account_id,platform\n"] = "names no account",
      ["fecha,persona\n"] = "line 1: 'fecha' is neither an account's id nor a heading with one of "
        .. "the columns account_id, account, id_cuenta, cuenta, id_conta, conta, id",
      ["cuenta,fecha\n,2026\n"] = "line 2: '' is not an account's id",
      [TUTORIAL .. "\n\nworker-1\n"] = "line 3: 'worker%-1' is not an account's id",
    }) do
      process.write_file(directory .. "/accounts.txt", text)
      local status, out, err = call()
      assert.are.same({ 1, "" }, { status, out })
      assert.truthy(err:find("^palenca: [^\n]*" .. problem .. "\n$"), err)
    end
    write_accounts({ TUTORIAL })
    process.write_file(directory .. "/out", "a file")
    local _, _, err = call()
    assert.truthy(err:find("/out: Not a directory", 1, true), err)
    os.remove(directory .. "/out")
    os.remove(directory .. "/accounts.txt")
    assert.truthy(select(3, call()):find("No such file", 1, true))
    assert.is_nil(uv.fs_stat(directory .. "/out"))
  end)

  helper.it_rejects({
    { { "export", "--out", "x" }, "missing option %-%-accounts%-file" },
    { { "export", "--accounts-file", "x" }, "missing option %-%-out" },
    { { "export", "--accounts-file", "x", "--out", "y", "--since", "2026-02-01", "--until",
      "2026-01-01" }, "%-%-since %(2026%-02%-01%) is after" },
  })
end)

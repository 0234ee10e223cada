--- Runs `palenca earnings`, `profile`, `logins`, `accounts`, `users` and `webhooks` on a sandbox.
local cjson = require("cjson")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local TUTORIAL = "cb39ee15-f29f-427d-9119-0c627575610d"
local NOBODY = "00000000-0000-4000-8000-000000000000"
local PERIOD = { "--since", "2024-09-01", "--until", "2026-03-01" }
local COMMANDS = {
  { "earnings", TUTORIAL }, { "profile", TUTORIAL }, { "logins" }, { "accounts" }, { "users" },
  { "webhooks" },
}

local function lines_of(text)
  local lines = {}
  for line in text:gmatch("([^\n]*)\n") do
    lines[#lines + 1] = line
  end
  return lines
end

-- One line of CSV, into its cells.
local function cells_of(line)
  local cells, at = {}, 1
  while at <= #line + 1 do
    local quoted, behind = line:match('^"(.-)"()%f[,%z]', at)
    while quoted and select(2, quoted:gsub('"', "")) % 2 == 1 do
      local more
      more, behind = line:match('^(.-)"()%f[,%z]', behind)
      quoted = quoted .. '"' .. more
    end
    local plain, plain_behind = line:match("^([^,]*)()", at)
    cells[#cells + 1] = quoted and quoted:gsub('""', '"') or plain
    at = (quoted and behind or plain_behind) + 1
  end
  return cells
end

describe("rows of the API in the shell", function()
  local started, url, key, directory, remove

  setup(function()
    started, url, key = process.sandbox({ "--accounts", "12", "--rate-limit", "0" })
    directory, remove = process.directory()
  end)

  teardown(function()
    started:stop()
    remove()
  end)

  local function environment(more)
    local env = { PALENCA_API_KEY = key, PALENCA_BASE_URL = url, p = process.program() }
    for name, value in pairs(more or {}) do
      env[name] = value
    end
    return env
  end

  local function call(arguments, env)
    return process.run(process.program(), arguments, { env = environment(env), cwd = directory })
  end

  local function good(...)
    local status, out, err = call({ ... })
    assert.are.equal(0, status, err)
    assert.are.equal("", err)
    return out
  end

  -- A line says since when rows are.
  local function good_with_period(...)
    local status, out, err = call({ ... })
    assert.are.equal(0, status, err)
    assert.truthy(err:find("since %d+%-%d%d%-%d%d; %-%-since for earlier"), err)
    return out
  end

  local function post(path, body)
    local response = http.request("POST", url .. path, cjson.encode(body),
      { ["content-type"] = "application/json" })
    assert.truthy(response.status < 300, response.body)
    return cjson.decode(response.body).data
  end

  local function with_fault(fault, body)
    local id = post("/sandbox/faults", fault).fault_id
    local ok, problem = pcall(body)
    http.request("DELETE", url .. "/sandbox/faults/" .. ("%d"):format(id))
    assert(ok, problem)
  end

  -- In a terminal of that width.
  local function in_terminal(columns, command)
    local status, out = process.run("script", { "-qec", ("stty cols %d; $p %s"):format(columns,
      command), "/dev/null" }, { env = environment() })
    assert.are.equal(0, status, out)
    return (out:gsub("\r", ""))
  end

  it("shows earnings as the API counts them, newest first, with exact amounts", function()
    local lines = lines_of(good("earnings", TUTORIAL, table.unpack(PERIOD)))
    assert.are.equal(196, #lines)
    assert.truthy(lines[1]:find("^earning_date +amount  currency  cash_amount  count_trips  acc"))
    assert.truthy(lines[2]:find("^2025%-03%-14 +179%.00  mxn +%- +6  cb39ee15%-"))
    assert.truthy(lines[3]:find("^2025%-03%-13 +246%.00  mxn +%- +9  "))
    for at = 3, #lines do
      assert.is_true(lines[at]:sub(1, 10) < lines[at - 1]:sub(1, 10))
    end
  end)

  it("writes the same rows as CSV and as JSON, which palenca income takes", function()
    local csv = lines_of(good("earnings", TUTORIAL, "--csv", table.unpack(PERIOD)))
    local json = good("earnings", TUTORIAL, "--json", table.unpack(PERIOD))
    local rows = helper.lines_of_json(json)
    assert.are.equal("earning_date,amount,currency,cash_amount,count_trips,account", csv[1])
    assert.are.equal(195, #rows)
    assert.are.equal(#rows, #csv - 1)
    for at, row in ipairs(rows) do
      assert.are.same({ row.earning_date, row.amount, row.currency, row.cash_amount or "",
        ("%d"):format(row.count_trips), TUTORIAL }, cells_of(csv[at + 1]))
    end
    process.write_file(directory .. "/rows.jsonl", json)
    local from_file = good("income", "--rows", "rows.jsonl", "--as-of", "2025-03-14", "--since",
      "2024-09-01", "--json")
    local income = cjson.decode(from_file)
    assert.are.equal(195, income.days_observed)
    assert.are.equal(income.total, cjson.decode(good("income", TUTORIAL, "--as-of", "2025-03-14",
      "--since", "2024-09-01", "--json")).total)
  end)

  it("reads only the days that are meant", function()
    local rows = helper.lines_of_json(good("earnings", TUTORIAL, "--json", "--since", "2025-03-10",
      "--until", "2025-03-13"))
    assert.are.equal(4, #rows)
    assert.are.equal("2025-03-13", rows[1].earning_date)
    assert.are.equal("2025-03-10", rows[4].earning_date)
    assert.are.equal("no earnings\n", good("earnings", TUTORIAL, "--since", "1d"))
    assert.are.equal("", good("earnings", TUTORIAL, "--json", "--since", "1d"))
  end)

  it("merges the days of several accounts, each once", function()
    local other = post("/sandbox/logins", { platform = "uber", days = 30 }).account_id
    local rows = helper.lines_of_json(good("earnings", TUTORIAL, other, other, "--json",
      "--since", "2024-09-01"))
    local counts = {}
    for at, row in ipairs(rows) do
      counts[row.account] = (counts[row.account] or 0) + 1
      assert.is_true(at == 1 or row.earning_date <= rows[at - 1].earning_date)
    end
    assert.are.equal(195, counts[TUTORIAL])
    assert.is_true(counts[other] > 0 and counts[other] <= 30)
  end)

  it("masks identity numbers, unless --unmask says otherwise", function()
    for _, format in ipairs({ "--json", "--csv", false }) do
      local masked = good("profile", TUTORIAL, format or nil)
      assert.is_nil(masked:find("%d%d%d%d%d%dMXXXXX"), masked)
      assert.is_nil(masked:find("000001618839385083", 1, true), masked)
      assert.truthy(masked:find("[identity number]", 1, true))
      assert.truthy(masked:find("[account number]", 1, true))
      assert.truthy(masked:find("Rosa", 1, true))
      local arguments = { "profile", TUTORIAL, "--unmask", format or nil }
      local clear = good(table.unpack(arguments))
      assert.truthy(clear:find("XXXX860704MXXXXX47", 1, true), clear)
      assert.truthy(clear:find("000001618839385083", 1, true))
    end
    local accounts = helper.lines_of_json(good("accounts", "--json", "--since", "2024-01-01"))
    local clear = helper.lines_of_json(good("accounts", "--json", "--unmask", "--since",
      "2024-01-01"))
    local seen = 0
    for at, account in ipairs(accounts) do
      assert.is_true(account.gov_id == nil or account.gov_id == "[identity number]")
      assert.are.equal(account.account_id, clear[at].account_id)
      seen = seen + (clear[at].gov_id and clear[at].gov_id ~= account.gov_id and 1 or 0)
    end
    assert.is_true(seen > 3)
  end)

  it("masks the private keys of webhooks", function()
    http.request("POST", url .. "/sandbox/webhooks", cjson.encode({ url = "http://127.0.0.1:9/",
      name = "mine, all of it", is_sandbox = true, sign_request = true, events = { "login.success",
      "login.error" }, widget_id = "b679c2fb-a096-4c26-a902-245f9bce66d9" }),
      { ["content-type"] = "application/json" })
    local masked = helper.lines_of_json(good("webhooks", "--json"))[1]
    assert.are.equal("[key]", masked.private_key)
    local clear = helper.lines_of_json(good("webhooks", "--json", "--unmask"))[1]
    assert.are.equal(64, #clear.private_key)
    local csv = lines_of(good("webhooks", "--csv"))
    local cells = cells_of(csv[2])
    assert.are.equal("true", cells[2])
    assert.are.equal("http://127.0.0.1:9/", cells[3])
    assert.are.equal("login.success login.error", cells[4])
    assert.are.equal("mine, all of it", cells[5])
  end)

  it("shows users in time, and the one of an id of one's own", function()
    local all = helper.lines_of_json(good("users", "--json", "--since", "2024-01-01"))
    assert.is_true(#all >= 13)
    local one = helper.lines_of_json(good("users", "--json", "--since", "2024-01-01",
      "--external-id", "worker-000003"))
    assert.are.equal(1, #one)
    assert.are.equal("worker-000003", one[1].external_id)
  end)

  it("filters logins and accounts, newest first, and suggests a platform", function()
    for _, name in ipairs({ "logins", "accounts" }) do
      local all = helper.lines_of_json(good(name, "--json", "--since", "2024-01-01"))
      local platforms, failed = {}, 0
      for at, row in ipairs(all) do
        platforms[row.platform] = (platforms[row.platform] or 0) + 1
        failed = failed + (row.status ~= "success" and 1 or 0)
        assert.is_true(at == 1 or row.created_at <= all[at - 1].created_at)
      end
      for platform, count in pairs(platforms) do
        local rows = helper.lines_of_json(good(name, "--json", "--since", "2024-01-01",
          "--platform", platform))
        assert.are.equal(count, #rows)
      end
      local good_ones = helper.lines_of_json(good(name, "--json", "--since", "2024-01-01",
        "--status", "success"))
      assert.are.equal(#all - failed, #good_ones)
      local status, out, err = call({ name, "--platform", "ubr" })
      assert.are.same({ 2, "" }, { status, out })
      assert.truthy(err:find("--platform: 'ubr' is not a known platform; did you mean 'uber'?", 1,
        true), err)
      _, _, err = call({ name, "--status", "sucess" })
      assert.truthy(err:find("'sucess' is not a known status; did you mean 'success'?", 1, true))
      local names = {}
      for platform in pairs(platforms) do
        names[#names + 1] = platform
      end
      table.sort(names)
      assert.are.equal("no " .. name .. " of the platform 'motoboy' (there are "
        .. table.concat(names, ", ") .. ")\n",
        good(name, "--since", "2024-01-01", "--platform", "motoboy"))
      _, out, err = call({ name, "--since", "2024-01-01", "--platform", "motoboy", "--json" })
      assert.are.equal("", out)
      assert.are.equal("no_rows", helper.lines_of_json(err)[1].event)
    end
  end)

  it("says since when the rows are, unless that was asked for", function()
    local before = os.time() - 30 * 86400
    local day, here = os.date("!%Y-%m-%d", before), os.date("%Y-%m-%d", before)
    day = here > day and here or day
    for name, noun in pairs({ users = "users created", accounts = "accounts of users created",
      logins = "logins" }) do
      local _, _, err = call({ name, "--csv" })
      assert.are.equal(("palenca: %s since %s; --since for earlier\n"):format(noun, day), err)
      _, _, err = call({ name, "--json" })
      local line = helper.json.decode(err)
      assert.are.same({ "period", day }, { line.event, line.since })
      good(name, "--since", "30d")
    end
    local _, _, err = call({ "earnings", TUTORIAL, "--until", "2026-03-01" })
    assert.are.equal("palenca: earnings since 2024-03-01; --since for earlier\n", err)
    good("logins", TUTORIAL)
  end)

  it("names the user of an account that stands where users do", function()
    local status, out, err = call({ "accounts", TUTORIAL })
    assert.are.same({ 1, "" }, { status, out })
    assert.are.equal("palenca: " .. TUTORIAL .. " is an account, and accounts are listed of users: "
      .. "'palenca accounts d1c9b98b-3190-479e-99db-04060ff3997f', which is its user\n", err)
    err = select(3, call({ "accounts", NOBODY }))
    assert.truthy(err:find("^palenca: user " .. NOBODY:gsub("%-", "%%-") .. ": not_found: "), err)
  end)

  it("says how many users it has read, if there are many", function()
    local many, address, its_key = process.sandbox({ "--accounts", "24", "--rate-limit", "0" })
    finally(function()
      many:stop()
    end)
    local env = { PALENCA_API_KEY = its_key, PALENCA_BASE_URL = address }
    local status, out, err = call({ "accounts", "--since", "2024-01-01", "--csv" }, env)
    assert.are.equal(0, status, err)
    assert.are.equal(26, #lines_of(out))
    local lines = lines_of(err)
    assert.are.equal(10, #lines, err)
    assert.are.equal("palenca: 3 of 25 users", lines[1])
    assert.are.equal("palenca: 25 of 25 users", lines[10])
  end)

  it("shows the logins of an account, whenever they were", function()
    local rows = helper.lines_of_json(good("logins", TUTORIAL, "--json"))
    assert.are.equal(1, #rows)
    assert.are.equal(TUTORIAL, rows[1].account_id)
    assert.are.equal("no logins\n", good("logins", TUTORIAL, "--since", "7d"))
  end)

  it("says what it waits for, and until when", function()
    for name, arguments in pairs({
      accounts = { "accounts", "--since", "2024-01-01" },
      income = { "income", TUTORIAL, "--as-of", "2026-03-01" },
    }) do
      local waiting = process.palenca(arguments, { env = environment({
        PALENCA_RATE_LIMIT = "2" }) })
      waiting:wait_output("stderr",
        "^palenca: (waiting for the rate limit until %d%d:%d%d:%d%d)\n$")
      waiting:kill("sigterm")
      assert.are_not.equal(0, waiting:wait_exit(), name)
      assert.are.equal("", waiting.stdout)
    end
    with_fault({ kind = "error", status = 503, retry_after = 60, path = "/v1/users" }, function()
      local waiting = process.palenca({ "users", "--json" }, { env = environment() })
      local line = helper.json.decode(waiting:wait_output("stderr", "({[^\n]*})\n"))
      assert.are.equal("waiting", line.event)
      assert.truthy(line.message:find("^waiting to try again after HTTP 503 until "), line.message)
      waiting:kill("sigterm")
      waiting:wait_exit()
    end)
  end)

  it("says what it waits for, although another call ended last", function()
    with_fault({ kind = "error", status = 503, retry_after = 60,
      path = "/v1/accounts/" .. TUTORIAL .. "/earnings" }, function()
      with_fault({ kind = "latency", seconds = 0.5, method = "GET",
        path = "/v1/accounts/" .. TUTORIAL }, function()
        local waiting = process.palenca({ "report", TUTORIAL, "--as-of", "2026-03-01" },
          { env = environment() })
        assert.truthy(waiting:wait_output("stderr", "^palenca: waiting (.-) until "))
        assert.truthy(waiting.stderr:find("to try again after HTTP 503", 1, true), waiting.stderr)
        waiting:kill("sigterm")
        waiting:wait_exit()
      end)
    end)
  end)

  it("finds the user of an external id whenever it was created, and the accounts", function()
    local recent = {}
    for _, user in ipairs(helper.lines_of_json(good_with_period("users", "--json"))) do
      recent[user.user_id] = true
    end
    local old
    for _, user in ipairs(helper.lines_of_json(good("users", "--json", "--since", "2024-01-01"))) do
      old = not recent[user.user_id] and user.external_id and user or old
    end
    local found = helper.lines_of_json(good("users", "--external-id", old.external_id, "--json"))
    assert.are.same({ old.user_id }, { found[1].user_id, found[2] and found[2].user_id })
    local accounts = good("accounts", "--external-id", old.external_id, "--json")
    assert.are.equal(good("accounts", old.user_id, "--json"), accounts)
    assert.are.equal(old.user_id, helper.lines_of_json(accounts)[1].user_id)
    assert.are.equal("", good("accounts", "--external-id", "nobody", "--json"))
    local status, _, err = call({ "accounts", old.user_id, "--external-id", old.external_id })
    assert.are.equal(2, status)
    assert.truthy(err:find("users and --external-id: only one can be meant", 1, true), err)
  end)

  it("names the variable or option that a client does not take, and the form", function()
    for _, case in ipairs({
      { "PALENCA_BASE_URL", "127.0.0.1:8402", "$PALENCA_BASE_URL (or --base-url): '127.0.0.1:8402' "
        .. "is not a URL; write http://127.0.0.1:8402" },
      { "PALENCA_BASE_URL", "localhost", "'localhost' is not a URL; write http://localhost" },
      { "PALENCA_BASE_URL", "api.palenca.com/v1", "; write https://api.palenca.com/v1" },
      { "PALENCA_BASE_URL", "u:secret@h", "$PALENCA_BASE_URL (or --base-url): this is not a URL" },
      { "PALENCA_BASE_URL", "ftp://x", "'ftp://x' is not a URL, such as https://api.palenca.com" },
      { "PALENCA_BASE_URL", "http://10.0.0.1", "$PALENCA_BASE_URL (or --base-url): base URL must "
        .. "be https" },
      { "PALENCA_ENVIRONMENT", "prod", "$PALENCA_ENVIRONMENT (or --environment): must be " },
      { "PALENCA_API_KEY", "a b", "$PALENCA_API_KEY (or the file of --api-key-file): the API "
        .. "key contains " },
      { "PALENCA_TIMEOUT", "-1", "$PALENCA_TIMEOUT must be " },
    }) do
      local status, out, err = call({ "webhooks" }, { PALENCA_API_KEY = "k", PALENCA_BASE_URL = "",
        [case[1]] = case[2] })
      assert.are.same({ 1, "" }, { status, out })
      assert.truthy(err:find("^palenca: [^\n]*\n$"), err)
      assert.truthy(err:find(case[3], 1, true), err)
      assert.is_nil(err:find("palenca.new", 1, true) or err:find("secret", 1, true), err)
    end
    local status, _, err = call({ "webhooks", "--base-url", "[::1]:8402" })
    assert.are.equal(2, status)
    assert.truthy(err:find("--base-url: '[::1]:8402' is not a URL; write http://[::1]:8402", 1,
      true), err)
  end)

  it("shows the accounts of a user", function()
    local rows = helper.lines_of_json(good("accounts", "d1c9b98b-3190-479e-99db-04060ff3997f",
      "--json"))
    assert.are.equal(1, #rows)
    assert.are.equal(TUTORIAL, rows[1].account_id)
  end)

  it("fits tables to the terminal, and names what is not shown", function()
    local all = lines_of(good("accounts", "--since", "2024-01-01"))
    for _, columns in ipairs({ 40, 60, 80, 120, 200 }) do
      for _, command in ipairs({ "accounts --since 2024-01-01", "logins --since 2024-01-01",
        "users --since 2024-01-01", "webhooks", "earnings --since 2024-01-01 " .. TUTORIAL,
        "profile " .. TUTORIAL }) do
        local lines = lines_of(in_terminal(columns, command))
        local is_cut = lines[#lines]:find("^not shown in this width: ")
        for at = 1, #lines - (is_cut and 1 or 0) do
          assert.is_true(utf8.len(lines[at]) <= columns, columns .. ": " .. lines[at])
        end
      end
    end
    local narrow = lines_of(in_terminal(80, "accounts --since 2024-01-01"))
    assert.are.equal(#all + 1, #narrow)
    assert.truthy(narrow[1]:find("^account_id +platform +status"))
    assert.are.equal(all[2]:sub(1, 36), narrow[2]:sub(1, 36))
    assert.truthy(narrow[#narrow]:find("created_at, .*worker_id, user_id$"), narrow[#narrow])
    assert.is_nil(all[#all]:find("not shown", 1, true))
  end)

  it("fails without a line of output if a history changes again and again", function()
    with_fault({ kind = "earning_added", path = "/v1/accounts/" .. TUTORIAL }, function()
      for _, format in ipairs({ "--json", "--csv", false }) do
        local status, out, err = call({ "earnings", TUTORIAL, format or nil })
        assert.are.equal(1, status, out)
        assert.are.equal("", out)
        assert.truthy(err:find("account " .. TUTORIAL .. ": the history is incomplete: ", 1, true),
          err)
      end
    end)
  end)

  it("fails if a page cannot be read", function()
    with_fault({ kind = "error", status = 422, code = "platform_error", path = "/v1/accounts/"
      .. TUTORIAL }, function()
      local status, out, err = call({ "earnings", TUTORIAL })
      assert.are.equal(1, status)
      assert.are.equal("", out)
      assert.truthy(err:find("^palenca: account [%x%-]+: platform: platform_error"), err)
    end)
  end)

  it("fails with a sentence at an unknown account, a wrong key, none, and no network", function()
    for _, name in ipairs({ "earnings", "profile", "logins" }) do
      local status, out, err = call({ name, NOBODY })
      assert.are.same({ 1, "" }, { status, out })
      assert.truthy(err:find("^palenca: account " .. NOBODY:gsub("%-", "%%-")
        .. ": not_found: [^\n]+\n$"), err)
    end
    for _, arguments in ipairs(COMMANDS) do
      for pattern, env in pairs({
        ["auth: [^\n]+; 'palenca check %-%-online' finds out why\n$"] = { PALENCA_API_KEY = "no" },
        ["no API key: [^\n]*%-%-api%-key%-file[^\n]*\n$"] = { PALENCA_API_KEY = "" },
        ["network: [^\n]+; 'palenca check %-%-online' finds out why\n$"] = {
          PALENCA_BASE_URL = "http://127.0.0.1:" .. helper.free_port(), PALENCA_MAX_RETRIES = "0" },
      }) do
        local status, out, err = call(arguments, env)
        assert.are.same({ 1, "" }, { status, out })
        assert.truthy(err:find("^palenca: [^\n]*" .. pattern), err)
      end
    end
  end)

  local function without_period(line)
    return (line:gsub("palenca: [%a ]+ since [%d-]+; %-%-since for earlier ?", ""))
  end

  it("ends with its reader, and fails at a full disk", function()
    local lines = {}
    for _, arguments in ipairs(COMMANDS) do
      local command = table.concat(arguments, " ")
      lines[#lines + 1] = ("$p %s >/dev/full 2>err; echo $? $(cat err)"):format(command)
    end
    lines[#lines + 1] = "mkfifo fifo; : <fifo & exec 3>fifo; wait"
    lines[#lines + 1] = "$p earnings " .. TUTORIAL .. " --csv >&3 2>err; echo $? $(cat err)"
    local _, out = process.run("/bin/bash", { "-c", table.concat(lines, "\n") },
      { env = environment(), cwd = directory })
    lines = lines_of(out)
    for at = 1, #COMMANDS do
      assert.are.equal("1 palenca: cannot write to standard output: No space left on device",
        without_period(lines[at]))
    end
    assert.are.equal("141 ", without_period(lines[#COMMANDS + 1]))
  end)

  helper.it_rejects({
    { { "earnings" }, "missing argument 'accounts'" },
    { { "earnings", "an-account" }, "'an%-account' is not an id" },
    { { "profile", "" }, "'' is not an id" },
    { { "logins", "--since", "yesterday" }, "'yesterday' is not a date" },
    { { "users", "--since", "2026-02-30" }, "'2026%-02%-30' is not a date" },
    { { "users", "--since", "2026-03-02", "--until", "2026-03-01" },
      "%-%-since %(2026%-03%-02%) is after" },
    { { "logins", "--json", "--csv" }, "only one can be meant" },
    { { "webhooks", "--since", "7d" }, "unknown option '%-%-since'" },
    { { "earnings", TUTORIAL, "--api-key-file", " " }, "is not the name of a file" },
  })
end)

--- Runs `palenca income`, `decide` and `report` on accounts whose last login was some time ago: the
-- days since then were not read, and are no days without income.
local cjson = require("cjson")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local DAY = 86400
local OLD, NEW, NEVER = "00000000-0000-4000-8000-000000000001",
  "00000000-0000-4000-8000-000000000002", "00000000-0000-4000-8000-000000000003"

describe("the last day that counts", function()
  local stage, directory, clear, rule, env, connected, now

  local function day(back)
    return os.date("!%Y-%m-%d", now - back * DAY)
  end

  -- 500 a day up to the day of the login, which is read in part
  local function earnings(account)
    local rows = cjson.decode("[]")
    local first = connected[account] and connected[account].back
    for back = first or 1, first and first + 89 or 0 do
      rows[#rows + 1] = { earning_date = day(back), amount = back == first and 7 or 500,
        currency = "mxn" }
    end
    return rows
  end

  local function respond(request)
    local account = request.path:match("^/v1/accounts/([%x-]+)")
    local data, pagination
    if request.path:find("/earnings/search", 1, true) then
      local rows = earnings(account)
      data = { earnings = #rows > 0 and rows or cjson.empty_array }
      pagination = { page = 1, items_per_page = 200, total_items = #rows, total_pages = 1 }
    elseif request.path:find("/logins", 1, true) then
      data = { logins = cjson.empty_array }
    elseif request.path:find("/profile", 1, true) then
      data = { account_id = account, profile = { first_name = "Ana" } }
    elseif request.path:find("/platforms", 1, true) then
      data = cjson.empty_array
    else
      local login = connected[account]
      data = { account_id = account, user_id = OLD, platform = "uber",
        status = login and (login.status or "success") or "incomplete",
        last_successful_connection = login and day(login.back) .. login.time or nil }
    end
    request.respond(200, cjson.encode({ success = true, data = data, pagination = pagination }))
  end

  setup(function()
    stage = helper.stage()
    directory, clear = process.directory()
    rule = process.write_file(directory .. "/rule.lua", 'return { version = "spec-1" }\n')
    env = { PALENCA_API_KEY = "k", PALENCA_BASE_URL = stage:server(respond).url, TZ = "UTC" }
  end)

  teardown(function()
    stage:clear()
    clear()
  end)

  before_each(function()
    now = os.time()
    connected = { [OLD] = { back = 57, time = "T18:00:00Z" },
      [NEW] = { back = 2, time = "T18:00:00Z" } }
  end)

  local function palenca(...)
    local ended = stage:palenca({ ... }, { env = env })
    return ended:wait_exit(), ended.stdout, ended.stderr
  end

  local function warning_of(err)
    local line = cjson.decode(err)
    return { line.level, line.account_id, line.message }
  end

  local function decide(...)
    return palenca("decide", "--rule", rule, "--installment", "3000.00", ...)
  end

  it("is the one before the last login, and the age of the data is said", function()
    local status, out, err = decide(OLD, "--json")
    assert.are.equal(0, status, err .. out)
    local found = cjson.decode(out).income
    assert.are.same({ day(58), "last_login", "15208.33", 0 }, { found.as_of, found.as_of_reason,
      found.monthly_income, found.days_since_last_income })
    assert.are.same({}, found.problems)
    assert.are.same({ "warning", OLD, "account " .. OLD .. ": the data are of " .. day(57)
      .. ": 57 days old; ask the worker to connect again" }, warning_of(err))
    for language, texts in pairs({
      en = { "As of %s, the day before the last login\n", "the data are of %s: 57 days old; ask " },
      es = { "Al %s, el día antes del último inicio de sesión\n",
        "los datos son del %s: tienen 57 días; pide a " },
      pt = { "Até %s, o dia antes do último login\n", "os dados são de %s: têm 57 dias; peça à " },
    }) do
      for _, text in ipairs({ select(2, decide(OLD, "--lang", language)),
        (select(2, palenca("income", OLD, "--lang", language))) }) do
        assert.truthy(text:find(texts[1]:format(day(58)), 1, true), text)
        assert.truthy(text:find(texts[2]:format(day(57)), 1, true), text)
      end
      local _, page, warning = palenca("report", OLD, "--lang", language)
      assert.truthy(page:find(texts[1]:match("^.*%%s(.*)\n"), 1, true), page)
      assert.truthy(page:find("<li>uber, " .. OLD .. ": " .. texts[2]:format(day(57)), 1, true),
        page)
      assert.truthy(warning:find("57 days old", 1, true), warning)
    end
  end)

  it("is no day that a calendar west of UTC had not ended, and none after yesterday", function()
    connected[OLD].time = "T05:59:00Z"
    assert.are.equal(day(59), cjson.decode((select(2, palenca("income", OLD, "--json")))).as_of)
    connected[OLD] = { back = -1, time = "T18:00:00Z" } -- a clock that is ahead
    local found = cjson.decode((select(2, palenca("income", OLD, "--json"))))
    assert.are.same({ day(1), "yesterday" },
      { found.as_of, found.as_of_reason })
  end)

  it("is the earliest of several accounts', and says nothing of data that are new", function()
    local status, out, err = palenca("income", NEW)
    assert.are.same({ 0, "" }, { status, err })
    assert.truthy(out:find("As of " .. day(3) .. ", the day before the last login\n", 1, true), out)
    out, err = select(2, palenca("income", NEW, OLD, "--json"))
    local found = cjson.decode(out)
    assert.are.same({ day(58), "last_logins" }, { found.as_of, found.as_of_reason })
    assert.are.same({}, found.problems)
    assert.is_nil(err:find(NEW, 1, true))
    out = select(2, palenca("income", NEW, OLD, "--csv"))
    assert.truthy(out:find(("\n%s %s,uber,success,%s %s,mxn,%s,"):format(OLD, NEW, day(57), day(2),
      day(58)), 1, true), out)
  end)

  it("may be set later: then the days that were not read are said to count", function()
    local status, out, err = decide(OLD, "--as-of", day(1), "--lang", "es")
    assert.are.equal(4, status)
    assert.are.equal("palenca: warning: account " .. OLD .. ": the data are of " .. day(57)
      .. "; the days after it, up to " .. day(1) .. ", were not read and count as days without "
      .. "income\n", err)
    local note = ("uber, %s: los datos son del %s; los días posteriores, hasta el %s, no se "
      .. "leyeron y cuentan como días sin ingresos."):format(OLD, day(57), day(1))
    assert.truthy(out:find(note, 1, true), out)
    local _, page = palenca("report", OLD, "--as-of", day(1), "--lang", "es")
    assert.truthy(page:find("<li>" .. note .. "</li>", 1, true), page)
    assert.are.equal("", (select(3, decide(OLD, "--as-of", day(57)))))
  end)

  it("is each account's own in a directory, also when the command is run again", function()
    local file = process.write_file(directory .. "/all.txt", OLD .. "\n" .. NEW .. "\n")
    local function batch(...)
      return decide("--accounts-file", file, "--out", directory .. "/all", ...)
    end
    for turn = 1, 2 do
      local status, out, err = batch()
      assert.are.equal(0, status, err)
      assert.truthy(out:find(turn == 1 and "\nof those read now: 2 approve, 0 refer, 0 decline, 0 "
        .. "undecidable; 1 with data more than a week old: ask the workers to connect again\n"
        or "\nof those read now: 1 approve, ", 1, true), out)
      for account, back in pairs({ [OLD] = 58, [NEW] = 3 }) do
        local path = directory .. "/all/" .. account .. ".jsonl"
        local found = cjson.decode(helper.read_file(path))
        assert.are.same({ "approve", day(back), "last_login" },
          { found.outcome, found.as_of, found.as_of_reason })
      end
      os.remove(directory .. "/all/" .. OLD .. ".jsonl")
    end
    local status, _, err = batch("--as-of", day(1))
    assert.are.equal(1, status)
    assert.truthy(err:find("another --as-of: last_login then, " .. day(1) .. " now", 1, true), err)
  end)

  it("is seen in the summary of many accounts, with how many were never connected", function()
    connected["00000000-0000-4000-8000-000000000004"] = { back = 30, time = "T18:00:00Z",
      status = "error" }
    local file = process.write_file(directory .. "/some.txt", table.concat({ OLD, NEW, NEVER,
      "00000000-0000-4000-8000-000000000004" }, "\n") .. "\n")
    for name, more in pairs({ income = {}, report = {}, decide = { "--rule", rule, "--installment",
      "3000.00" } }) do
      local status, out, err = palenca(name, "--accounts-file", file, "--out",
        directory .. "/" .. name, table.unpack(more))
      assert.are.equal(0, status, err)
      assert.truthy(out:find("\nof those read now: "
        .. (name == "decide" and "3 approve, 0 refer, 0 decline, 1 undecidable; " or "")
        .. "1 never connected; 1 whose last login failed; 1 with data more than a week old: ", 1,
        true), out)
      assert.truthy(err:find("account " .. NEVER .. ": the worker did not finish the last login; "
        .. "the account was never connected\n", 1, true), err)
    end
    local _, out = decide("--accounts-file", file, "--out", directory .. "/later", "--as-of",
      day(1), "--json")
    local summary = cjson.decode(out)
    assert.are.same({ 1, 1, 0, 3, { approve = 1, refer = 0, decline = 2, undecidable = 1 } },
      { summary.never_connected, summary.last_login_failed, summary.old_data, summary.unread_days,
        summary.outcomes })
  end)

  it("is yesterday of an account that was never connected", function()
    local status, out = decide(NEVER, "--json")
    assert.are.equal(5, status)
    assert.are.equal("yesterday", cjson.decode(out).income.as_of_reason)
  end)
end)

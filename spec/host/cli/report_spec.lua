--- Writes reports, from the sandbox and from files of rows.
local cjson = require("cjson")
local uv = require("luv")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

describe("palenca report", function()
  local stage = helper.stage_for_each()
  local directory

  before_each(function()
    directory = stage:directory()
  end)

  local function report(arguments, env)
    return process.run(process.program(), { "report", table.unpack(arguments) },
      { env = env, cwd = directory })
  end

  -- Rows of 60 days up to the 1st of March, 2026.
  local function rows_file(fields)
    local lines = {}
    for day = 0, 59 do
      local row = { amount = 500, currency = "mxn", platform = "uber",
        earning_date = os.date("!%Y-%m-%d", 1767225600 + day * 86400) }
      for name, value in pairs(fields or {}) do
        row[name] = value
      end
      lines[#lines + 1] = cjson.encode(row)
    end
    return process.write_file(directory .. "/rows.jsonl", table.concat(lines, "\n"))
  end

  local function of_rows(fields, ...)
    return report({ "--rows", rows_file(fields), "--as-of", "2026-03-01", ... })
  end

  it("has the figures with their meaning, and asks nobody for anything", function()
    for language, texts in pairs({
      en = { "Income report", "Monthly income", "15,208.33 MXN", "daily average times 365" },
      es = { "Informe de ingresos", "Ingreso mensual", "15\u{202f}208.33 MXN" },
      pt = { "Relatório de renda", "Renda mensal", "15.208,33 MXN", ">15.000,00<" },
    }) do
      local status, page, err = of_rows(nil, "--lang", language)
      assert.are.same({ 0, "" }, { status, err })
      for _, text in ipairs(texts) do
        assert.truthy(page:find(text, 1, true), text)
      end
      assert.truthy(page:find('<html lang="' .. language .. '">', 1, true))
      local rest = page:gsub("<meta [^>]*>", "")
      for _, pattern in ipairs({ "<script", "http", "src=", "href=", "url%(", "@import", " style=",
        " on%a+=" }) do
        assert.is_nil(rest:find(pattern), pattern)
      end
    end
  end)

  it("allows its own style by its digest, and nothing else", function()
    local _, page = of_rows()
    local digest = page:match("default%-src 'none'; style%-src 'sha256%-([%w+/=]+)'\"")
    process.write_file(directory .. "/style", page:match("<style>(.-)</style>"))
    local _, expected = process.run("/bin/sh", { "-c",
      "openssl dgst -sha256 -binary <'" .. directory .. "/style' | base64" })
    assert.are.equal(expected, digest .. "\n")
  end)

  it("has the outcome and its reasons with a rule", function()
    local rule = process.write_file(directory .. "/rule.lua", "return { version = '2026-01' }")
    local status, page = of_rows(nil, "--rule", rule, "--installment", "3000")
    assert.are.equal(0, status)
    assert.truthy(page:find("Outcome: Approve", 1, true))
    assert.truthy(page:find("Maximum monthly installment: 4,562.50 MXN.", 1, true))
    status, page = of_rows(nil, "--rule", rule, "--installment", "9000", "--lang", "es")
    assert.are.equal(0, status)
    assert.truthy(page:find("Resultado: Rechazar", 1, true))
    assert.truthy(page:find("El pago mensual solicitado es de 9\u{202f}000.00 MXN", 1, true))
    for _, case in ipairs({ { "--rule", rule }, { "--installment", "3" } }) do
      local code, out, err = of_rows(nil, table.unpack(case))
      assert.are.same({ 2, "" }, { code, out })
      assert.truthy(err:find("missing option", 1, true), err)
    end
  end)

  it("has the total of several accounts of a platform apart from each", function()
    local lines = {}
    for _, account in ipairs({ "one", "two", "three" }) do
      lines[#lines + 1] = cjson.encode({ amount = 100, currency = "mxn", account = account,
        platform = account == "three" and "rappi" or "uber", earning_date = "2026-02-28" })
    end
    local rows = process.write_file(directory .. "/accounts.jsonl", table.concat(lines, "\n"))
    for language, total in pairs({ en = "Total of uber since 2026-02-28",
      es = "Total de uber desde el 2026-02-28", pt = "Total de uber desde 2026-02-28" }) do
      local _, page = report({ "--rows", rows, "--as-of", "2026-03-01", "--lang", language })
      local texts = {}
      for row in page:gmatch("<tr>(.-)</tr>") do
        texts[(row:gsub("<[^>]*>", "|"):gsub("|+", "|"))] = true
      end
      local function money(amount)
        return language == "pt" and amount:gsub("%.", ",") or amount
      end
      for _, text in ipairs({ "|uber|one|", "|uber|two|", "|" .. total .. "|" .. money("200.00")
        .. " MXN|", "|rappi|three|" .. money("100.00") .. " MXN|" }) do
        assert.is_true(texts[text], text .. page)
      end
    end
  end)

  it("marks the window and partial months", function()
    local _, page = of_rows()
    assert.are.equal(2, select(2, page:gsub('class="window"', "")))
    assert.are.equal(1, select(2, page:gsub('class="bar partial"', "")))
    assert.truthy(page:find("2026-03-01 – 2026-03-01: 500.00", 1, true))
    assert.truthy(page:find("2026-02-01 – 2026-02-28: 14,000.00", 1, true))
    for language, text in pairs({ en = "pale: part of the month, not comparable with others",
      es = "claro: mes incompleto, no comparable con otros",
      pt = "claro: mês incompleto, não comparável com outros" }) do
      assert.truthy(select(2, of_rows(nil, "--lang", language)):find(text, 1, true))
    end
  end)

  it("has one figure a line for each currency where the screen is narrow", function()
    local _, page = of_rows()
    local narrow = page:match("@media %(max%-width: 640px%)(.-)@page")
    assert.truthy(narrow:find(".currencies tr { display: grid; grid-template-columns: 1fr auto; }",
      1, true), narrow)
  end)

  it("says what is not known, and why", function()
    rows_file()
    local few = process.write_file(directory .. "/few.jsonl",
      '{"amount":100,"currency":"mxn","earning_date":"2026-02-28"}')
    local status, page = report({ "--rows", few, "--as-of", "2026-03-01" })
    assert.are.equal(0, status)
    assert.truthy(page:find("not known: short history", 1, true))
    assert.truthy(page:find("There are no full weeks.", 1, true))
    local none = process.write_file(directory .. "/none.jsonl", "")
    status, page = report({ "--rows", none, "--as-of", "2026-03-01" })
    assert.are.equal(0, status)
    assert.truthy(page:find("There are no earnings on record in the period.", 1, true))
    assert.truthy(page:find("There are no months.", 1, true))
    page = select(2, of_rows({ amount = -5 }))
    assert.truthy(page:find("-300.00", 1, true))
    page = select(2, of_rows({ currency = "" }))
    assert.truthy(page:find("not known: unknown currency", 1, true))
  end)

  it("escapes what others have written", function()
    local status, page = of_rows({ platform = '<script>alert("1")</script>\27[31m\226\128\174' })
    assert.are.equal(0, status)
    assert.is_nil(page:find("<script", 1, true))
    assert.is_nil(page:find("[\27]"))
    assert.is_nil(page:find("\226\128\174", 1, true))
    assert.truthy(page:find("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;\\x1b[31m\\u{202e}",
      1, true))
  end)

  it("masks identity numbers unless asked for", function()
    local sandbox = stage:start(process.program(), { "sandbox", "--listen", "127.0.0.1:0",
      "--api-key", "key", "--accounts", "1", "--rate-limit", "0" })
    local url = sandbox:wait_output("stderr", "sandbox of the API at (http://%S+)")
    local env = { PALENCA_API_KEY = "key", PALENCA_BASE_URL = url }
    local script = process.write_file(directory .. "/id.lua", [[
      local client = require("palenca").new()
      local id = client.logins:search({ start_date = "2020-01-01",
        end_date = os.date("%Y-%m-%d") }):all()[1].account_id
      print(id)
      for _, one in ipairs(client.accounts:profile(id).ids_info) do print(one.value) end]])
    local status, out, err = process.run(process.program(), { "run", script }, { env = env })
    assert.are.same({ 0, "" }, { status, err })
    local account, numbers = out:match("^(%S+)\n(.*)$")
    local masked = select(2, report({ account }, env))
    local unmasked = select(2, report({ account, "--unmask" }, env))
    for number in numbers:gmatch("%S+") do
      assert.is_nil(masked:find(number, 1, true))
      assert.truthy(masked:find("••" .. number:sub(-2), 1, true), masked)
      assert.truthy(unmasked:find(number, 1, true))
    end
    assert.truthy(masked:find("Identity numbers are masked.", 1, true))
    assert.is_nil(unmasked:find("Identity numbers are masked.", 1, true))
    assert.truthy(masked:find("Palenca API, " .. url, 1, true))
    assert.is_nil(masked:find(">key<", 1, true))
    status, out, err = report({ "00000000-0000-4000-8000-000000000000" }, env)
    assert.are.same({ 1, "" }, { status, out })
    assert.truthy(err:find("^palenca: account 00000000%-[%x-]+: not_found: "), err)
    status, out, err = report({ account }, { PALENCA_API_KEY = "wrong", PALENCA_BASE_URL = url })
    assert.are.same({ 1, "" }, { status, out })
    assert.truthy(err:find("^palenca: account [%x-]+: auth: "), err)
  end)

  it("writes a file that is whole or not there, for its owner alone", function()
    local path = directory .. "/report.html"
    assert.are.same({ 0, "", "" }, { of_rows(nil, "-o", path) })
    assert.are.equal(6 * 64, uv.fs_stat(path).mode % 512)
    assert.truthy(helper.read_file(path):find("</html>\n$"))
    local before = helper.read_file(path)
    local status, out, err = report({ "--rows", directory .. "/none", "-o", path })
    assert.are.same({ 1, "" }, { status, out })
    assert.truthy(err:find("No such file", 1, true), err)
    assert.are.equal(before, helper.read_file(path))
    status, out, err = of_rows(nil, "--output", directory .. "/no/report.html")
    assert.are.same({ 1, "" }, { status, out })
    assert.truthy(err:find("no/report.html", 1, true) and err:find("No such file", 1, true), err)
    local pipe = directory .. "/pipe"
    process.run("/usr/bin/mkfifo", { pipe })
    status, out, err = of_rows(nil, "-o", pipe)
    assert.are.same({ 1, "" }, { status, out })
    assert.truthy(err:find("pipe: not a regular file", 1, true), err)
    assert.are.equal("fifo", uv.fs_stat(pipe).type)
    status, out, err = process.run("/bin/sh", { "-c", process.program() .. " report --rows "
      .. rows_file() .. " --as-of 2026-03-01 >/dev/full" })
    assert.are.same({ 1, "" }, { status, out })
    assert.truthy(err:find("No space left on device", 1, true), err)
  end)

  -- An account that was connected, of whom a later login had another outcome.
  it("says of what day the data are if the last login failed, or is going on", function()
    local id = "cb39ee15-f29f-427d-9119-0c627575610d"
    local account
    local server = stage:server(function(request)
      local path = request.path:match("^[^?]*")
      local data = {
        ["/v1/accounts/" .. id] = account,
        ["/v1/accounts/" .. id .. "/logins"] = { logins = {
          { created_at = "2026-01-01T10:00:00Z" }, { created_at = "2026-02-20T10:00:00Z" } } },
        ["/v1/accounts/" .. id .. "/profile"] = { account_id = id },
        ["/v1/accounts/" .. id .. "/earnings/search"] = { account_id = id, earnings = {} },
        ["/v1/platforms"] = { platforms = {} },
      }
      request.respond(data[path] and 200 or 404, cjson.encode({ success = true, data = data[path],
        pagination = { page = 1, items_per_page = 100, total_items = 0, total_pages = 0 } })
        :gsub('"earnings":{}', '"earnings":[]'):gsub('"platforms":{}', '"platforms":[]'),
        { ["content-type"] = "application/json" })
    end)
    local env = { PALENCA_API_KEY = "spec-key", PALENCA_BASE_URL = server.url }
    local rule = uv.cwd() .. "/examples/rule.lua"
    for status, texts in pairs({
      error = { en = "the last login failed on 2026-02-20: banned; the data are as of 2026-01-01",
        es = "el último inicio de sesión falló el 2026-02-20: la plataforma suspendió la cuenta; "
          .. "los datos son del 2026-01-01",
        pt = "o último login falhou em 2026-02-20: a plataforma suspendeu a conta; os dados são de "
          .. "2026-01-01" },
      pending = { en = "the last login on 2026-02-20 is still being read; the data are as of "
        .. "2026-01-01",
        es = "el último inicio de sesión el 2026-02-20 aún se está leyendo; los datos son del "
        .. "2026-01-01",
        pt = "o último login em 2026-02-20 ainda está sendo lido; os dados são de 2026-01-01" },
      success = {},
      retry = { en = "the last login on 2026-02-20 has the status retry: banned; the data are as "
        .. "of 2026-01-01", es = "el último inicio de sesión el 2026-02-20 se está repitiendo: la "
        .. "plataforma suspendió la cuenta; los datos son del 2026-01-01" },
    }) do
      account = { account_id = id, platform = "uber", status = status, status_details = "banned",
        last_successful_connection = "2026-01-01T10:00:00Z" }
      for language, text in pairs(texts) do
        local code, page, err = report({ id, "--lang", language }, env)
        assert.are.same({ 0, "" }, { code, err })
        assert.truthy(page:find("<li>uber, " .. id .. ": " .. text .. ".</li>", 1, true), page)
      end
      local warning = texts.en and "palenca: warning: account " .. id .. ": " .. texts.en .. "\n"
        or ""
      for _, arguments in ipairs({ { "earnings", id, "--since", "7d" }, { "profile", id },
        { "income", id }, { "decide", id, "--rule", rule, "--installment", "1" } }) do
        local _, _, err = process.run(process.program(), arguments, { env = env })
        local is_old = not texts.en and arguments[1] ~= "earnings" and arguments[1] ~= "profile"
        local age = "^palenca: warning: account [%x-]+: the data are of 2026%-01%-01: %d+ days "
          .. "old; ask the worker to connect again\n$"
        assert.truthy(is_old and err:find(age) or err == warning, err)
      end
    end
  end)

  describe("of many accounts", function()
    local url, env, accounts

    before_each(function()
      local _, key
      _, url, key = stage:sandbox({ "--accounts", "3", "--rate-limit", "0" })
      env = { PALENCA_API_KEY = key, PALENCA_BASE_URL = url }
      accounts = {}
      for at, login in ipairs(cjson.decode(http.request("GET", url
        .. "/sandbox/logins?items_per_page=3").body).data.logins) do
        accounts[at] = login.account_id
      end
      process.write_file(directory .. "/accounts.txt", table.concat(accounts, "\n") .. "\n")
    end)

    local function reports(...)
      return report({ "--accounts-file", "accounts.txt", "--out", "pages", ... }, env)
    end

    local function page_of(account)
      return helper.read_file(directory .. "/pages/" .. account .. ".html")
    end

    it("has the page of each alone; run again, it makes those that are missing", function()
      local status, out, err = reports("--lang", "es")
      assert.are.equal(0, status, err)
      assert.truthy(out:find("^3 of 3 accounts are in pages, [%d-]+ to [%d-]+: 3 read now, 0 "),
        out)
      local function without_time(page)
        return (page:gsub("%d%d%d%d%-%d%d%-%d%d %d%d:%d%d UTC", ""))
      end
      for _, account in ipairs(accounts) do
        local _, alone = report({ account, "--lang", "es" }, env)
        assert.are.equal(without_time(alone), without_time(page_of(account)))
        assert.are.equal(6 * 64,
          uv.fs_stat(directory .. "/pages/" .. account .. ".html").mode % 512)
      end
      os.remove(directory .. "/pages/" .. accounts[2] .. ".html")
      status, out, err = reports("--lang", "es")
      assert.are.equal(0, status, err)
      assert.truthy(out:find("1 read now, 2 before", 1, true), out)
      assert.truthy(page_of(accounts[2]):find("</html>\n$"))
    end)

    it("notices other options than those of the pages that are there", function()
      assert.are.equal(0, (reports("--lang", "es")))
      for text, arguments in pairs({
        ["pages holds reports with another --lang: es then, en now"] = {},
        ["another --unmask: no then, yes now"] = { "--lang", "es", "--unmask" },
        ["another version of the rule: none then, 2026-11 now"] = { "--lang", "es", "--rule",
          uv.cwd() .. "/examples/rule.lua", "--installment", "3000" },
      }) do
        local status, out, err = reports(table.unpack(arguments))
        assert.are.same({ 1, "" }, { status, out })
        assert.truthy(err:find(text, 1, true), err)
      end
    end)

    it("continues after an account that there is not, and ends at a wrong key", function()
      process.write_file(directory .. "/accounts.txt",
        "00000000-0000-4000-8000-000000000000\n" .. accounts[1] .. "\n")
      local status, out, err = reports()
      assert.are.equal(1, status)
      assert.truthy(out:find("^1 of 2 accounts are in pages"), out)
      assert.truthy(err:find("palenca: account 00000000%-[^\n]*: not_found: "), err)
      env.PALENCA_API_KEY = "wrong"
      status, out, err = reports()
      assert.are.same({ 1, "" }, { status, out })
      assert.truthy(err:find("auth: [^\n]*; 1 of 2 reports are written: run it again"), err)
    end)

    it("counts several people as a problem of the data, without a word for them", function()
      local several = {}
      for at, name in ipairs({ "one", "other" }) do
        local login = http.request("POST", url .. "/sandbox/logins",
          cjson.encode({ external_id = name, platform = "uber" }),
          { ["content-type"] = "application/json" })
        several[at] = cjson.decode(login.body).data.account_id
      end
      local function page_with_rule(...)
        local status, page, err = report({ "--lang", "es", "--one-person", "--rule",
          uv.cwd() .. "/examples/rule.lua", "--installment", "3000", ... }, env)
        assert.are.equal(0, status, err)
        return page
      end
      local page = page_with_rule(table.unpack(several))
      local problems = page:match("<h2>Problemas de los datos</h2>(.-)</section>")
      assert.truthy(problems:find("<li>Las cuentas nombran a 2 personas</li>", 1, true), problems)
      assert.truthy(page:find("Resultado: ", 1, true))
      assert.is_nil(page:find("Para la persona", 1, true))
      page = page_with_rule(several[1])
      problems = page:match("<h2>Problemas de los datos</h2>(.-)</section>")
      assert.is_nil(problems:find("nombran", 1, true), problems)
      assert.truthy(page:find("Para la persona", 1, true))
    end)

    -- Connects an account; what it fails with is the case of a test identifier.
    local function connect(fields)
      local response = http.request("POST", url .. "/sandbox/logins", cjson.encode(fields),
        { ["content-type"] = "application/json" })
      return cjson.decode(response.body).data.account_id
    end

    local function get(path)
      local headers = { ["x-api-key"] = env.PALENCA_API_KEY }
      return cjson.decode(http.request("GET", url .. path, nil, headers).body).data
    end

    -- The rows of the accounts' table: cells by their labels.
    local function accounts_of(page)
      local rows = {}
      for row in page:match('<table class="accounts">(.-)</table>'):gmatch("<tr>(.-)</tr>") do
        local cells = { platform = row:match('<th scope="row">(.-)</th>') }
        for label, value in row:gmatch('data%-label="(.-): ">(.-)</td>') do
          cells[label] = value
        end
        rows[cells.Cuenta or cells.platform] = cells
      end
      return rows
    end

    it("has what holds of an account beside that account, in whatever order they are named",
      function()
        local uber = connect({ external_id = "ana", platform = "uber", country = "mx" })
        local rappi = connect({ external_id = "ana", platform = "rappi", country = "mx" })
        local _, page = report({ uber, rappi, "--lang", "es" }, env)
        local _, other = report({ rappi, uber, rappi, "--lang", "es" }, env)
        local function without_time(text)
          return (text:gsub("%d%d:%d%d UTC", ""))
        end
        assert.are.equal(without_time(page), without_time(other))
        local rows = accounts_of(page)
        for id, names in pairs({ [uber] = { "Uber", "conductor" }, [rappi] = { "Rappi",
          "repartidor" } }) do
          local profile, row = get("/v1/accounts/" .. id .. "/profile"), rows[id]
          local trips = ("%d"):format(profile.metrics_info.lifetime_trips)
          assert.are.equal(trips, (row.Viajes:gsub("\u{202f}", "")))
          assert.are.equal(("%.14g"):format(profile.metrics_info.rating), row["Calificación"])
          assert.are.same(names, { row.platform, row["Trabaja como"] })
          assert.are.equal(profile.profile.city_name, row.Ciudad)
          local account = get("/v1/accounts/" .. id)
          assert.are.same({ account.created_at:sub(1, 10),
            account.last_successful_connection:sub(1, 10) }, { row["Conectada a Palenca el"],
            row["Datos del"] })
        end
        assert.are_not.equal(rows[uber].Viajes, rows[rappi].Viajes)
        local status, _, err = report({ accounts[1], uber }, env)
        assert.are.equal(1, status)
        assert.are.equal(err, select(3, report({ uber, accounts[1] }, env)))
      end)

    it("says of an account whose last login was no success that it was none", function()
      local failed = connect({ external_id = "ana",
        identifier = "uber+invalid_credentials@palenca-tests.com" })
      local day = get("/v1/accounts/" .. failed .. "/logins").logins[1].created_at:sub(1, 10)
      for language, texts in pairs({
        es = { "No hay ganancias registradas en el periodo.", "el último inicio de sesión "
          .. "falló el " .. day .. ": usuario o contraseña incorrectos; la cuenta nunca se "
          .. "conectó. Pide a la persona que conecte la cuenta de nuevo.",
          "porque el último inicio de sesión en tu cuenta falló y no pudimos leer tus ganancias. "
          .. "No es un rechazo. El usuario o la "
          .. "contraseña no son correctos. Revísalos e inténtalo de nuevo." },
        pt = { "a conta nunca foi conectada. Peça à pessoa que conecte a conta de novo.",
          "porque o último login na sua conta falhou", "O usuário ou a senha não estão corretos." },
        en = { "the account was never connected. Ask the worker to connect the account again.",
          "because the last login to your account failed", "the password is wrong. Please check" },
      }) do
        for _, arguments in ipairs({ { "decide", failed }, { "report", failed } }) do
          local _, out = process.run(process.program(), table.move({ "--rule",
            uv.cwd() .. "/examples/rule.lua", "--installment", "1", "--lang", language }, 1, 6, 3,
            arguments), { env = env })
          for _, text in ipairs(texts) do
            assert.truthy(out:find(text, 1, true), out)
          end
        end
        local _, out = process.run(process.program(), { "income", failed, "--lang", language },
          { env = env })
        assert.truthy(out:find(language == "es" and texts[2] or texts[1], 1, true), out)
      end
      -- the day of its creation is none of a connection
      assert.is_nil(select(2, report({ failed, "--lang", "es" }, env)):find("Conectada a", 1, true))
      local problem = ("<li>Uber, %s: the last login failed on %s: invalid_credentials; the "
        .. "account was never connected.</li>"):format(failed, day)
      assert.truthy(select(2, report({ failed }, env)):find(problem, 1, true))
      local unfinished = connect({ identifier = "didi+incomplete@palenca-tests.com" })
      assert.truthy(select(2, report({ unfinished }, env)):find(
        "the worker did not finish the last login on " .. day .. "; the account was", 1, true))
      assert.is_nil(select(2, report({ accounts[1] }, env)):find("the last login ", 1, true))
    end)

    it("says on the page of an account that was never connected that nothing is known", function()
      local login = http.request("POST", url .. "/sandbox/logins",
        '{"identifier":"rappi+incomplete@palenca-tests.com"}',
        { ["content-type"] = "application/json" })
      local account = cjson.decode(login.body).data.account_id
      for language, text in pairs({ en = "There are no data on the person.",
        es = "No hay datos de la persona.", pt = "Não há dados da pessoa." }) do
        local status, page, err = report({ account, "--lang", language }, env)
        assert.are.equal(0, status, err)
        assert.truthy(page:find(text, 1, true), page)
        local _, connected = report({ accounts[1], "--lang", language }, env)
        assert.is_nil(connected:find(text, 1, true))
      end
    end)

    it("is wrong usage with accounts, rows or a file for one page", function()
      for text, arguments in pairs({
        ["--accounts-file goes with neither accounts nor --rows"] = { accounts[1] },
        ["--output and --accounts-file: a page for each account goes into"] = { "-o", "page.html" },
      }) do
        local status, out, err = reports(table.unpack(arguments))
        assert.are.same({ 2, "" }, { status, out })
        assert.truthy(err:find(text, 1, true), err)
      end
      local status, _, err = report({ "--out", "pages" }, env)
      assert.are.equal(2, status)
      assert.truthy(err:find("missing option --accounts-file", 1, true), err)
    end)
  end)
end)

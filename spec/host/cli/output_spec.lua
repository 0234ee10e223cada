--- What the commands say and where: output that cannot be written, text of others on a terminal,
-- errors of those who write JSON, and names that were mistyped.
local uv = require("luv")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local ROWS = '[{"amount":1,"currency":"mxn","earning_date":"2026-01-05","count_trips":1}]'

describe("output", function()
  local stage, directory, db, served, receiver

  -- Runs a line of shell in which `$p` is the program. Returns its status and what it printed.
  local function shell(line)
    local status, out, err = process.run("/bin/bash", { "-c", line }, { cwd = directory,
      env = { p = process.program(), PALENCA_API_KEY = "spec-key", PALENCA_DB = db } })
    return status, out, err
  end

  setup(function()
    stage = helper.stage()
    served = stage:serve({ text = [[
      local palenca = require "palenca"
      palenca.on("login.sucess", function() end)
      palenca.on("*", function(event)
        if event.attempt == 1 and event.account_id == "bad" then
          error("\27[2J\226\128\174 said the platform", 0)
        end
      end)
    ]], arguments = { "--max-attempts", "1" } })
    directory, db = served.directory, served.db
    for i = 1, 30 do
      helper.post(served.url, { account_id = "a" .. i })
    end
    helper.post(served.url, { account_id = "bad\27[31m", webhook_action = "login.error" })
    helper.post(served.url, { account_id = "bad" })
    helper.wait_state(db, "bad", "dead")
    receiver = stage:server()
    process.write_file(directory .. "/rows.json", ROWS)
    process.write_file(directory .. "/prints.lua", 'print "x" io.write("y", 1, "\\n")')
    process.write_file(directory .. "/writes.lua", 'io.stdout:write "x"')
    process.write_file(directory .. "/exits.lua", 'io.write "x" os.exit(true)')
    process.write_file(directory .. "/prints_forever.lua", 'while true do print "y" end')
    process.write_file(directory .. "/writes_on.lua", 'while true do io.write "y\\n" end')
    process.write_file(directory .. "/quiet.lua", "")
    process.write_file(directory .. "/raises.lua", "error('\\27[2J', 0)")
  end)

  teardown(function()
    stage:clear()
  end)

  it("that cannot be written is a failure of every command, with its reason", function()
    local commands = { "--help", "--version", "--version --verbose", "events list --help",
      "events list", "events list --json", "events list --limit 1", "events stats",
      "events stats --json", "events show --json $id", "events show $id", "events purge --dry-run",
      "events purge --dry-run --json", "events retry-dead --action none.such", "check prints.lua",
      "income --rows rows.json", "run prints.lua", "run writes.lua", "run exits.lua",
      "trigger login.success --url " .. receiver.url }
    local id = string.format("%d", helper.events(db)[1].id)
    local lines, reasons = {}, {}
    local function add(command, to, reason)
      lines[#lines + 1] = string.format('$p %s >%s 2>err; echo $? $(cat err)',
        command:gsub("$id", id), to)
      reasons[#lines] = "cannot write to standard output: " .. reason
    end
    for _, command in ipairs(commands) do
      add(command, "/dev/full", "No space left on device")
    end
    for _, command in ipairs({ "--help", "events list", "run writes.lua" }) do
      add(command, "&-", "Bad file descriptor")
    end
    local _, out = shell(table.concat(lines, "\n"))
    local seen = 0
    for line in out:gmatch("[^\n]+") do
      seen = seen + 1
      assert.truthy(line:find("^1 .*" .. reasons[seen]), lines[seen] .. "\n" .. line)
    end
    assert.are.equal(#lines, seen)
  end)

  it("ends quietly with its reader", function()
    local _, out, err = shell([[
      for command in "events list" "events list --json" "--help" "events stats" "run prints.lua" \
        "run prints_forever.lua" "run writes_on.lua" "check prints.lua"
      do
        mkfifo fifo; : <fifo & exec 3>fifo; wait; rm fifo
        timeout 60 $p $command >&3; echo $?
        exec 3>&-
      done]])
    assert.are.same({ ("141\n"):rep(8), "" }, { out, err })
  end)

  it("that fails does not keep the status of another failure, nor the end, from anybody", function()
    local _, out = shell([[
      $p check nothing.lua 2>/dev/full; echo $?
      $p check nothing.lua 2>&-; echo $?
      $p events list --state retri >&- 2>&-; echo $?
      $p events list 2>&- | wc -l
      $p run prints.lua 2>/dev/full]])
    assert.are.equal("1\n1\n2\n33\nx\ny1\n", out)
  end)

  it("of a handler is lost with one line in the log", function()
    local _, _, err = shell([[
      echo 'require "palenca".on("*", print) print "loaded" print "again"' >loud.lua
      $p serve loud.lua --workers 1 --listen 127.0.0.1:0 --db loud.db --json >/dev/full 2>log &
      until grep -qs ready log; do :; done
      kill $!; wait $!; echo $? >&2; cat log >&2]])
    assert.truthy(err:find("^0\n"), err)
    local lost = 0
    for _, entry in ipairs(helper.lines_of_json(err:gsub("^0\n", ""))) do
      lost = lost + (entry.event == "output" and 1 or 0)
      assert.truthy(entry.event ~= "output"
        or entry.message:find("cannot be written: No space left on device", 1, true))
    end
    assert.are.equal(1, lost)
  end)

  it("shows what others have written, and a terminal interprets nothing of it", function()
    local _, out = shell("$p events list; $p events list --json --state dead; $p events stats")
    assert.is_nil(out:find("[\27\127]"))
    assert.is_nil(out:find("\226\128\174", 1, true))
    assert.truthy(out:find("login.error    uber      bad\\x1b[31m\n", 1, true), out)
    assert.truthy(out:find(" bad +\\x1b%[2J\\u{202e} said the platform\n"), out)
    local dead = helper.events(db, { "--state", "dead" })[1]
    assert.are.equal("\27[2J\226\128\174 said the platform", dead.error)
    local shown = select(2, shell("$p events show " .. string.format("%d", dead.id)))
    assert.truthy(shown:find(("\nto retry     palenca events replay %d, or 'palenca events "
      .. "retry-dead' for all dead ones\n"):format(dead.id), 1, true), shown)
    assert.truthy(shown:find("\nerror        \\x1b[2J\\u{202e} said", 1, true), shown)
    served:wait_output("stderr", "(FAILED [^\n]*: \\x1b%[2J\\u{202e} said the platform)\n")
    assert.is_nil(served.stderr:find("[\27\226]"))
    local steering = stage:server(function(request)
      request.respond(200, "\27]0;owned\7 \194\155 \255 ok")
    end)
    for _, case in ipairs({ { "", "response 200 \\x1b]0;owned\\x07 \\u{9b} \\xff ok\n" },
      { "--json", "\\u001b]0;owned\\u0007 \\u009b ? ok" } }) do
      local sent = stage:palenca({ "trigger", "login.success", "--url", steering.url,
        table.unpack(case[1] ~= "" and { case[1] } or {}) })
      assert.are.equal(0, sent:wait_exit(), sent.stderr)
      assert.truthy(sent.stdout:find(case[2], 1, true), sent.stdout)
    end
    _, _, out = shell([[$p check $'x\e[31m.lua'; $p events list --db $'y\e[31m'
      $p income --rows $'z\e[31m'; $p run raises.lua]])
    assert.is_nil(out:find("\27", 1, true))
    assert.are.equal(3, select(2, out:gsub("\\x1b%[31m", "")), out)
    assert.truthy(out:find("palenca: \\x1b[2J\n", 1, true), out)
  end)

  it("of a table has no platform's name that steers a terminal", function()
    local row = ROWS:gsub("}", ',"platform":"ub\\u001b[31mer\\n"}')
    process.write_file(directory .. "/steering.json", row)
    local status, out = shell("$p income --rows steering.json --as-of 2026-01-06")
    assert.are.equal(0, status)
    assert.truthy(out:find("\nub\\x1b[31mer\\n  ", 1, true), out)
    assert.is_nil(out:find("\27", 1, true))
  end)

  it("has the newest events of a limit, in the order of their arrival", function()
    local function accounts(...)
      local names = {}
      for i, event in ipairs(helper.events(db, { ... })) do
        names[i] = event.account_id
      end
      return table.concat(names, " ")
    end
    assert.are.equal("a30 bad\27[31m bad", accounts("--limit", "3"))
    assert.are.equal("bad", accounts("--limit", "1"))
    assert.are.equal("a29 a30", accounts("--limit", "2", "--action", "login.success", "--state",
      "done"))
    assert.are.equal("a7", accounts("--limit", "2", "--account", "a7"))
    assert.are.equal("", accounts("--limit", "2", "--since", "2999-01-01"))
    assert.are.equal(accounts(), accounts("--limit", "1000"))
    assert.are.equal(accounts(), accounts("--limit", "0"))
  end)

  it("of nothing that is stored says that no event of that name is documented", function()
    local unknown = "no documented event fits 'loan.paid'"
    local _, out, err = shell("$p events list --action loan.paid")
    assert.are.same({ "no events: " .. unknown .. "\n", "" }, { out, err })
    _, out, err = shell("$p events retry-dead --action loan.paid")
    assert.are.same({ "0 events run again: " .. unknown .. "\n", "" }, { out, err })
    _, out = shell("$p events retry-dead --action login.error")
    assert.are.equal("0 events run again\n", out)
    for command, said in pairs({ list = "", ["retry-dead"] = '{"replayed":0}\n' }) do
      _, out, err = shell("$p events " .. command .. " --json --action loan.paid")
      assert.are.equal(said, out)
      local warning = helper.json.decode(err)
      assert.are.same({ "warning", unknown }, { warning.event, warning.message })
    end
  end)

  it("is JSON alone for those who asked for JSON, whatever goes wrong", function()
    local address = served.url:match("//([^/]+)")
    local cases = {
      { "serve nothing.lua", 1 }, { "serve quiet.lua --listen " .. address, 1 },
      { "serve quiet.lua --db /", 1 }, { "serve quiet.lua --wrokers 2", 2 }, { "serve", 2 },
      { "serve quiet.lua --allow nobody", 2 }, { "serve quiet.lua --retention 0.001", 2 },
      { "serve raises.lua --listen 127.0.0.1:0 --db x.db", 1 },
      { "dev nothing.lua --listen 127.0.0.1:0 --sandbox-listen 127.0.0.1:0", 1 },
      { "dev quiet.lua --once", 2 }, { "dev quiet.lua --login ubr", 2 },
      { "dev quiet.lua --login rappi+incomplete@palenca-tests.com,warning=id_mismatch "
        .. "--listen 127.0.0.1:0 --sandbox-listen 127.0.0.1:0", 1 },
      { "sandbox --listen " .. address, 1 }, { "sandbox --listen 127.0.0.1:0 --data /", 1 },
      { "sandbox --fault fire", 2 }, { "events list --db nothing", 1 }, { "events show 1", 1 },
      { "events replay 1", 1 }, { "events lst", 2 }, { "events", 2 }, { "evnts list", 2 },
      { "income", 2 }, { "income --rows nothing", 1 }, { "decide --rows rows.json", 2 },
      { "decide --rows rows.json --rule nothing --installment 1", 1 },
      { "trigger login.success --sandbox http://" .. address, 1 }, { "trigger login.sucess", 2 },
      { "trigger login.success --platform ubr", 2 }, { "events list --action login.sucess", 2 },
      { "accounts --platform ubr", 2 },
    }
    local lines = {}
    for at, case in ipairs(cases) do
      lines[at] = string.format("timeout 60 $p %s --json >out 2>err; echo $?; cat err out; echo .",
        case[1])
    end
    local _, out = shell(table.concat(lines, "\n"))
    local at = 0
    for status, text in out:gmatch("(%d+)\n(.-)\n%.\n") do
      at = at + 1
      local errors = 0
      for line in text:gmatch("[^\n]+") do
        local ok, entry = pcall(helper.json.decode, line)
        assert.is_true(ok and type(entry) == "table", cases[at][1] .. ": " .. line)
        if entry.event == "error" or entry.result == "not_found" then
          errors = errors + 1
          assert.is_true(entry.result ~= nil
            or (type(entry.message) == "string" and entry.level == "error"), line)
        end
      end
      assert.are.same({ cases[at][2], 1 }, { tonumber(status), errors }, cases[at][1] .. text)
    end
    assert.are.equal(#cases, at)
  end)

  it("names what a mistyped name may have meant", function()
    local cases = {
      ["srve x.lua"] = "'serve'", ["serve x.lua --lisen 127.0.0.1:1"] = "'--listen'",
      ["serve x.lua --signature-digest sha265"] = "'sha256'", ["events shwo 1"] = "'show'",
      ["events list --limt 1"] = "'--limit'", ["events list --state runing"] = "'running'",
      ["events purge --state ded"] = "'dead'",
      ["sandbox --fault latncy"] = "'latency'",
      ["sandbox --fault latency,secnds=1"] = "'seconds'",
      ["sandbox --fault webhook_lose,action=login.sucess"] = "'login.success'",
      ["run --enviroment sandbox x"] = "'--environment'",
      ["run --environment sandbx x.lua"] = "'sandbox'",
      ["trigger login.sucess"] = "'login.success'",
      ["trigger login.success --platform ubr"] = "'uber'",
      ["trigger login.success --country MX"] = "'mx'", ["income --lang EN a"] = "'en'",
      ["trigger login.success --set acount_id=1"] = "'account_id'",
      ["dev x.lua --login uber,patern=x"] = "'pattern'",
      ["dev x.lua --login uber,pattern=declinig"] = "'declining'",
    }
    local lines = {}
    for command in pairs(cases) do
      lines[#lines + 1] = string.format("echo '%s:' $($p %s 2>&1) $?", command, command)
    end
    local _, out = shell(table.concat(lines, "\n"))
    for command, meant in pairs(cases) do
      local said = out:match(command:gsub("%p", "%%%0") .. ": ([^\n]+)")
      assert.truthy(said:find("did you mean " .. meant .. "?", 1, true), said)
      assert.truthy(said:find("%-%-help'%. 2$"), said)
      assert.are.equal(1, select(2, said:lower():gsub("did you mean", "")), said)
    end
    served:wait_output("stderr", "(warning: no documented event fits 'login.sucess'; did you mean "
      .. "'login.success'%?\n)")
    local _, _, warned = shell([[
      echo 'local on = require "palenca".on; on("logn.*", print) on("*", print)' >names.lua
      $p check names.lua]])
    assert.are.equal("names.lua: warning: no documented event fits 'logn.*'; did you mean "
      .. "'login.*'?\n", warned)
  end)

  it("of trigger may be of an event that is not documented, if that is said", function()
    local status, out, err = shell("$p trigger income.verified --undocumented --url "
      .. receiver.url)
    assert.are.equal(0, status, err)
    assert.truthy(out:find("^income.verified for account"), out)
    local _, at = stage:sandbox({})
    status, out = shell("$p trigger income.verified --undocumented --sandbox " .. at
      .. " 2>&1")
    assert.are.equal(1, status)
    assert.truthy(out:find("no webhook of the sandbox", 1, true), out)
    status, out = shell("$p trigger income.verified 2>&1")
    assert.are.equal(2, status)
    assert.truthy(out:find("no documented event fits 'income.verified' (see --undocumented)", 1,
      true), out)
  end)

  it("of a state is in one file, whatever name leads to it", function()
    assert(uv.fs_mkdir(directory .. "/there", 448))
    assert(uv.fs_symlink("there/state", directory .. "/link"))
    local box = stage:sandbox({ "--data", directory .. "/link" })
    assert.are.equal("link", uv.fs_lstat(directory .. "/link").type)
    local kept = assert(uv.fs_lstat(directory .. "/there/state"))
    assert.are.equal("file", kept.type)
    local _, _, err = shell([[for name in there/state link ./there/../link second; do
      if [ $name = second ]; then ln there/state second; fi
      timeout 60 $p sandbox --listen 127.0.0.1:0 --data $name; echo $? >&2; done]])
    local in_use = "state%-lock: in use by another process [^\n]+\n1\n"
    assert.are.equal(3, select(2, err:gsub(in_use, "")), err)
    assert.truthy(err:find("second: the file has several names (hard links) (see --data)\n1\n", 1,
      true), err)
    assert.are.equal(0, box:stop())
    assert(uv.fs_unlink(directory .. "/second"))
    -- after a truncated line the file is written anew: behind the link, with its mode
    assert(uv.fs_chmod(directory .. "/there/state", 416))
    shell("printf '[\"user' >>there/state")
    assert.are.equal(0, stage:sandbox({ "--data", directory .. "/link" }):stop())
    assert.are.equal("link", uv.fs_lstat(directory .. "/link").type)
    local anew = assert(uv.fs_stat(directory .. "/there/state"))
    assert.are.same({ true, 416 }, { anew.ino ~= kept.ino, anew.mode % 512 })
    assert.is_nil(uv.fs_stat(directory .. "/there/state.new"))
    assert.is_nil(uv.fs_stat(directory .. "/link-lock"))
  end)
end)

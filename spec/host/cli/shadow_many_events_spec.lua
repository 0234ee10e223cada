--- Records the API's responses for many events, and plays all of them with `palenca shadow`.
local cjson = require("cjson")
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")
local shadow_runs = require("spec.host.cli.shadow_runs")

local matrix_of, played = shadow_runs.matrix_of, shadow_runs.played

local MANY = helper.sanitized and 100 or 1000

describe("palenca shadow over many events", function()
  local stage = helper.stage_for_each()

  local SCRIPT = [[
    local palenca = require "palenca"
    local client = palenca.new{ rate_limit = 0, max_retries = 0 }
    local accounts = require "accounts"

    local function day(time)
      return os.date("!%%Y-%%m-%%d", time)
    end

    palenca.on("*", { max_attempts = 1 }, function(event)
      local number = event.external_id
      local yesterday = os.time() - 86400
      local rows, report = client.accounts:earnings(accounts[number %% #accounts + 1],
        { start_date = day(yesterday - 60 * 86400), end_date = day(yesterday) }):all()
      if not rows then
        error(report)
      end
      local stream = palenca.income.merge{ { rows = rows, report = report } }
      local income = palenca.income.analyze(stream, { as_of = day(yesterday) })
      local verdict = palenca.income.decide(income, { version = %q }, { installment = %q })
      palenca.decision.record(event, { stream = stream, income = income, verdict = verdict })
      if number %% 10 == 0 then
        assert(palenca.http{ url = os.getenv "SPEC_SINK", json = verdict }.status == 200)
      end
    end)
  ]]

  local function make_accounts(url, key)
    local list = {}
    for at, pattern in ipairs({ "steady", "declining", "irregular", "new" }) do
      local response = http.request("POST", url .. "/sandbox/logins",
        cjson.encode({ platform = "uber", pattern = pattern }), { ["x-api-key"] = key })
      list[at] = ("%q"):format(cjson.decode(response.body).data.account_id)
    end
    list[#list + 1] = '"00000000-0000-4000-8000-000000000000"' -- there is none
    return "return { " .. table.concat(list, ", ") .. " }"
  end

  it("plays all of them, and nothing reaches a socket", function()
    local directory = stage:directory()
    local _, url, key = stage:sandbox({ "--rate-limit", "0" })
    local server = stage:server()
    process.write_file(directory .. "/accounts.lua", make_accounts(url, key))
    local served = stage:serve({ text = SCRIPT:format("1", "900.00"), directory = directory,
      arguments = { "--record-responses" },
      env = { PALENCA_API_KEY = key, PALENCA_BASE_URL = url, SPEC_SINK = server.url } })
    assert.are.equal(MANY, faults.loaded(faults.load(stage, served.url,
      { connections = 16, accounts = 64, count = MANY })).acked)
    helper.ask_until(function()
      local _, stats = process.run(process.reader(), { "events", "stats", "--json", "--db",
        served.db })
      local states = cjson.decode(stats).states
      return states.done + states.dead == MANY
    end, "all events to have ended")
    assert.are.equal(0, served:stop())
    local sent, connections = #server.requests, #server.clients
    assert.truthy(sent > 0)

    local env = { PALENCA_API_KEY = key, PALENCA_BASE_URL = server.url, SPEC_SINK = server.url }
    local same = played(directory .. "/script.lua", served.db, { "--since", "1h" }, env)
    assert.are.same({ MANY, MANY, 0, 0, sent },
      { same.events, same.played, same.other_outcomes, same.other_verdicts, same.http_not_sent })
    local counts = {} -- on the diagonal: of all outcomes, and nowhere else
    for _, cell in ipairs(same.matrix) do
      assert.are.equal(cell.old, cell.new)
      counts[cell.old] = cell.count
    end
    assert.truthy(counts.approve and counts.refer and counts.decline and counts.undecidable
      and counts.failed)

    local other = process.write_file(directory .. "/other.lua", SCRIPT:format("2", "90000.00"))
    local part = MANY // 5
    local summary, changes, status = played(other, served.db, { "--limit", ("%d"):format(part) },
      env)
    local matrix, listed = matrix_of(summary), 0
    assert.are.same({ 0, part, part }, { status, summary.events, summary.played })
    for _, change in pairs(changes) do
      listed = listed + (change.old.outcome ~= change.new.outcome and 1 or 0)
    end
    assert.are.same({ decline = listed }, matrix.approve)
    assert.are.equal(0, matrix.refer.decline or 0)
    assert.are.equal(listed, summary.other_outcomes)
    assert.are.same({ sent, connections }, { #server.requests, #server.clients })
  end)
end)

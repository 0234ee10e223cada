--- palenca.decision: what is recorded of a decision, and computing it again, in any Lua.
local canonical = require("palenca.util.canonical_json").encode
local histories = require("spec.support.income_histories")
local palenca = require("palenca")
local recorder = require("palenca.decision.recorder")

local RULE = { version = "spec-1" }

-- A decision on so many days of 500.
local function decide(days, installment, change)
  local rows = histories.rows("2026-01-01", days, 500)
  local last = rows[#rows].earning_date
  if change then
    change(rows)
  end
  local stream = palenca.income.merge{
    { rows = rows, report = histories.report(rows), account = "a", platform = "uber" },
  }
  local income = palenca.income.analyze(stream, { as_of = last })
  local verdict = palenca.income.decide(income, RULE, { installment = installment or "3000.00" })
  return { stream = stream, income = income, verdict = verdict }
end

describe("palenca.decision.record", function()
  local event = { id = 1 }
  local texts

  before_each(function()
    texts = nil
    recorder.use(function(_, make)
      texts = { make({ script = "s", modules = "m" }, { "id 1" }) }
    end)
  end)

  after_each(function()
    recorder.use(nil)
  end)

  local function problem_of(given)
    local ok, problem = pcall(palenca.decision.record, event, given)
    assert.is_false(ok)
    assert.is_nil(texts)
    return problem
  end

  it("records what the decision follows from", function()
    local given = decide(60)
    palenca.decision.record(event, given)
    local facts = palenca.json.decode(texts[1])
    assert.are.equal("2026-03-01", facts.as_of)
    assert.are.equal("s", facts.script)
    assert.are.equal("m", facts.modules)
    assert.are.equal(palenca.version, facts.module_version)
    assert.are.equal("spec-1", facts.rule.version)
    assert.are.equal(21, facts.rule.max_gap)
    assert.are.same({ installment = "3000.00" }, facts.request)
    assert.are.equal(canonical(given.verdict), canonical(facts.verdict))
    assert.are.equal(canonical{ options = { as_of = "2026-03-01" }, stream = given.stream },
      texts[2])
    assert.are.equal(canonical{ figures = given.income, request_ids = { "id 1" } }, texts[3])
  end)

  it("records a rule and a request as they were when it was decided", function()
    local rule, request = { version = 1, max_gap = 5 }, { installment = "1.00" }
    local given = decide(60)
    given.verdict = palenca.income.decide(given.income, rule, request)
    rule.max_gap, request.installment = 50, "2.00"
    palenca.decision.record(event, given)
    local facts = palenca.json.decode(texts[1])
    assert.are.equal(5, facts.rule.max_gap)
    assert.are.equal("1.00", facts.request.installment)
  end)

  it("writes a stream without rows as one", function()
    local stream = {}
    local income = palenca.income.analyze(stream,
      { as_of = "2026-03-01", report = { complete = true, rows = 0 } })
    local verdict = palenca.income.decide(income, RULE, { installment = "1.00" })
    palenca.decision.record(event, { stream = stream, income = income, verdict = verdict })
    assert.truthy(texts[2]:find('"stream":[]', 1, true), texts[2])
    assert.is_nil(getmetatable(stream))
  end)

  it("rejects what does not belong together", function()
    local given, other = decide(60), decide(60)
    local function with(name, value)
      local changed = { stream = given.stream, income = given.income, verdict = given.verdict }
      changed[name] = value
      return problem_of(changed)
    end
    assert.are.equal("palenca.decision.record: stream must be the one that the income was computed "
      .. "from", with("stream", other.stream))
    assert.are.equal("palenca.decision.record: verdict must be one on this income",
      with("verdict", other.verdict))
    assert.are.equal("palenca.decision.record: income must be one that palenca.income.analyze has "
      .. "returned", with("income", palenca.json.decode(palenca.json.encode(given.income))))
    assert.are.equal("palenca.decision.record: verdict must be one that palenca.income.decide has "
      .. "returned", with("verdict", { outcome = "approve", reasons = {} }))
    assert.truthy(with("verdict"):find("field 'verdict' is missing", 1, true))
    assert.truthy(with("rows", {}):find("unknown field 'rows'", 1, true))
    given.verdict.note = "by hand"
    assert.are.equal("palenca.decision.record: verdict must be as palenca.income.decide returns it "
      .. "for this income", problem_of(given))
    given.verdict.reasons, given.verdict.note = nil, nil
    assert.truthy(problem_of(given):find("verdict must be as", 1, true))
    given = decide(60)
    given.income.problems[1] = "no_rows"
    assert.truthy(problem_of(given):find("verdict must be as", 1, true))
    given = decide(60)
    given.stream.accounts[1] = 5
    assert.are.equal("palenca.decision.record: stream must be as it was when the income was "
      .. "computed", problem_of(given))
    given = decide(60)
    given.verdict.note = print
    assert.are.equal("palenca.decision.record: verdict: JSON has no value for a function",
      problem_of(given))
  end)

  -- Two rows of a day that differ in a field.
  local function twins(one, other)
    return function(rows)
      local twin = {}
      for name, value in pairs(rows[1]) do
        twin[name] = value
      end
      rows[1].note, twin.note = one, other
      rows[#rows + 1] = twin
    end
  end

  it("rejects rows that JSON does not keep, if another income follows from what it does", function()
    local large = 2 ^ 54
    for _, change in ipairs({
      twins(math.tointeger and math.tointeger(large) or large, -- luacheck: ignore 143
        "18014398509481984"),
      twins(palenca.json.null),
      twins({ palenca.json.null }, palenca.json.array()),
      function(rows)
        for _, row in ipairs(rows) do
          row.currency = nil
          setmetatable(row, { __index = { currency = "mxn" } })
        end
      end,
    }) do
      local problem = problem_of(decide(60, nil, change))
      assert.truthy(problem:find("^palenca.decision.record: stream: read from the ledger, its rows "
        .. "have another result %(figures%.%w+"), problem)
    end
    for _, note in ipairs({ large, palenca.json.null, setmetatable({}, { __index = table }) }) do
      palenca.decision.record(event, decide(60, nil, function(rows)
        rows[1].note = note
      end))
      assert.truthy(texts)
    end
  end)

  it("keeps neither rows nor incomes that nobody else keeps", function()
    local kept = setmetatable({}, { __mode = "v" })
    for at = 1, 3 do
      kept[at] = decide(60)
      kept[at + 3], kept[at + 6] = kept[at].stream, kept[at].income
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(kept))
  end)

  it("raises where there is no ledger, and names nginx", function()
    recorder.use(nil)
    assert.truthy(problem_of(decide(60)):find("palenca.decision.record: there is no ledger here; "
      .. "decisions are recorded by handlers of palenca serve", 1, true))
  end)
end)

describe("palenca.decision.replay", function()
  local function entry_of(given)
    recorder.use(function(_, make)
      given.facts, given.rows, given.details = make({}, {})
    end)
    palenca.decision.record({}, { stream = given.stream, income = given.income,
      verdict = given.verdict })
    recorder.use(nil)
    local entry, details = palenca.json.decode(given.facts), palenca.json.decode(given.details)
    entry.rows, entry.figures = palenca.json.decode(given.rows), details.figures
    return entry
  end

  it("says match of what it computes to the same bytes", function()
    for _, days in ipairs({ 10, 45, 60, 400 }) do
      assert.are.same({ "match", {} }, { palenca.decision.replay(entry_of(decide(days))) })
    end
    local entry = entry_of(decide(60, nil, function(rows)
      rows[1].note, rows[2].note = 2 ^ 60, palenca.json.null
    end))
    assert.are.same({ "match", {} }, { palenca.decision.replay(entry) })
  end)

  it("names the fields that differ", function()
    local entry = entry_of(decide(60))
    entry.figures.monthly_income = "1.00"
    entry.verdict.reasons[1] = { code = "forged" }
    entry.verdict.currency = nil
    local result, fields = palenca.decision.replay(entry)
    assert.are.equal("differs", result)
    assert.are.same({
      { field = "figures.monthly_income", recorded = '"1.00"', computed = '"15208.33"' },
      { field = "verdict.currency", computed = '"mxn"' },
      { field = "verdict.reasons", computed = "[]" },
      { field = "verdict.reasons[1].code", recorded = '"forged"' },
    }, fields)
  end)

  it("says so when the rows are removed, or cannot be computed any more", function()
    local entry = entry_of(decide(60))
    entry.rows.stream.accounts[1].rows[1].amount = "no amount"
    local result, fields = palenca.decision.replay(entry)
    assert.are.equal("differs", result)
    assert.are.equal("error", fields[1].field)
    entry.rows = nil
    assert.are.same({ "rows removed", {} }, { palenca.decision.replay(entry) })
  end)
end)

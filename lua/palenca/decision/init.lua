--- The ledger of decisions: what `palenca serve` can prove of them later.
--
-- An entry is written in the transaction that ends the event: both are there, or neither. It has
-- the rows and everything else that the decision follows from, and the hash of the entry before.
-- `palenca decisions` shows entries, checks the chain, and computes decisions again.
-- @module palenca.decision
local argcheck = require("palenca.util.argcheck")
local canonical_json = require("palenca.util.canonical_json")
local core = require("palenca.core")
local income = require("palenca.income")
local json = require("palenca.util.json")
local origin = require("palenca.income.origin")
local recorder = require("palenca.decision.recorder")
local replay = require("palenca.decision.replay")

local decision = {}

local FIELDS = { stream = "table!", income = "table!", verdict = "table!" }

local function fail(text, ...)
  error("palenca.decision.record: " .. text:format(...), 0)
end

-- Returns the text, and whether what is read from it is the same.
local function encode(name, value)
  local ok, text, is_exact = pcall(canonical_json.encode_checked, value)
  if not ok then
    fail("%s: %s", name, text)
  end
  return text, is_exact
end

local function list(rows)
  return next(rows) ~= nil and rows or setmetatable({}, canonical_json.array_metatable)
end

-- A list without rows is one in JSON, too.
local function plain_stream(stream)
  if not stream.accounts then
    return list(stream)
  end
  local accounts = {}
  for at, account in ipairs(stream.accounts) do
    local copied = {}
    for name, value in pairs(account) do
      copied[name] = value
    end
    copied.rows = list(account.rows)
    accounts[at] = copied
  end
  return { accounts = list(accounts) }
end

local function inputs_of(given)
  local stream, options = origin.of_income(given.income)
  if not options then
    fail("income must be one that palenca.income.analyze has returned")
  elseif stream ~= given.stream then
    fail("stream must be the one that the income was computed from")
  end
  local of, inputs = origin.of_verdict(given.verdict)
  if not inputs then
    fail("verdict must be one that palenca.income.decide has returned")
  elseif of ~= given.income then
    fail("verdict must be one on this income")
  end
  return options, inputs
end

-- One that was changed since would be shown as the rule's.
local function check_verdict(given, inputs)
  local ok, verdict = pcall(income.decide, given.income, inputs.rule, inputs.request)
  if not ok or encode("verdict", given.verdict) ~= canonical_json.encode(verdict) then
    fail("verdict must be as palenca.income.decide returns it for this income")
  end
end

-- What is not the same once it is read again may have entered nothing.
local function check_rows(given, inputs, rows)
  local result, differences = replay({
    rows = json.decode(rows),
    rule = inputs.rule,
    request = inputs.request,
    figures = given.income,
    verdict = given.verdict,
  })
  if result ~= "match" then
    fail("stream: read from the ledger, its rows have another result (%s): JSON does not keep "
      .. "numbers beyond 2^53, null, and what a metatable adds", differences[1].field)
  end
end

-- The texts of an entry: facts, which stay, and rows and details, which can be removed.
local function texts_of(given, about, request_ids)
  local options, inputs = inputs_of(given)
  check_verdict(given, inputs)
  local ok, stream = pcall(plain_stream, given.stream)
  if not ok then
    fail("stream must be as it was when the income was computed")
  end
  local rows, is_exact = encode("stream", { options = options, stream = stream })
  if not is_exact then
    check_rows(given, inputs, rows)
  end
  local facts = {
    as_of = options.as_of,
    module_version = core.version,
    modules = about.modules,
    request = inputs.request,
    rule = inputs.rule,
    script = about.script,
    verdict = given.verdict,
  }
  local details = { figures = given.income, request_ids = list(request_ids) }
  return (encode("verdict", facts)), rows, (encode("income", details))
end

--- Records a decision in the ledger, when the event of this handler ends well: if the handler fails
-- after it, nothing is recorded.
--
-- For handlers of `palenca serve` and `dev`; elsewhere, as inside nginx, there is no ledger.
-- @tparam palenca.handlers.Event event the one that the handler was called with
-- @tparam table given
-- @tparam table given.stream what `palenca.income.analyze` got: rows, or a merged stream. As JSON
-- it may take 1 MiB
-- @tparam palenca.income.Income given.income what it returned
-- @tparam palenca.income.Verdict given.verdict what `palenca.income.decide` returned for that
-- income
-- @raise when the event is another, or a decision was recorded for it in this attempt; when stream,
-- income and verdict do not belong together, or the verdict was changed; when they are too large or
-- no JSON; when another result follows from what is read of that; where there is no ledger
function decision.record(event, given)
  local record = recorder.current()
  if not record then
    error("palenca.decision.record: there is no ledger "
      .. (rawget(_G, "ngx") and "inside nginx" or "here")
      .. "; decisions are recorded by handlers of palenca serve", 2)
  end
  local fields = argcheck.fields("palenca.decision.record", given, FIELDS, 2)
  record(event, function(about, request_ids)
    return texts_of(fields, about, request_ids)
  end, fail)
end

--- Computes a recorded decision again, from its rows.
--
-- It does so in any Lua, and needs no ledger.
-- @function replay
-- @tparam table entry what `palenca decisions show --raw --json` writes, decoded by
-- `palenca.json.decode`
-- @treturn string `match`, `differs`, or `rows removed`
-- @treturn {table,...} what differs: `{field=, recorded=, computed=}` each, as JSON texts; one that
-- is not there is nil
decision.replay = replay

return decision

--- Responses of the sandbox, changed at random: whatever a response is, what comes of it is data or
-- an error, and nothing is called complete that is not.
--
-- SPEC_SEED chooses the changes, SPEC_DOCUMENTS how many there are.
local json = require("palenca.util.json")
local errors = require("palenca.errors")
local helper = require("spec.lua.helper")
local mutations = require("spec.support.json_mutations")
local palenca = require("palenca")
local runtime = require("palenca.runtime")

local SEED = tonumber(os.getenv("SPEC_SEED")) or os.time()
local DOCUMENTS = tonumber(os.getenv("SPEC_DOCUMENTS")) or 100000
-- A search takes as much time as many other calls: so few of the documents are one's.
local SEARCHES = 20

local kinds = {
  network = true, timeout = true, rate_limited = true, auth = true, invalid = true,
  not_found = true, platform = true, server = true, protocol = true,
}

local statuses = { 200, 200, 200, 201, 204, 301, 400, 401, 403, 404, 412, 422, 429, 500, 503, 504 }

local ACCOUNT, USER = helper.ACCOUNT, helper.USER
local PERIOD = { start_date = "2000-01-01", end_date = "2100-01-01", items_per_page = 2 }
local EARNINGS = { start_date = "2025-03-10", end_date = "2025-03-14", items_per_page = 2 }
local TRIPS = { start_date = "2025-03-14", end_date = "2025-03-14", items_per_page = 2 }

local WEBHOOK = ([[{"webhook_url": "https://example.com/hook", "data": {"user_id": "%s",
  "account_id": "%s", "external_id": "None", "platform": "uber", "status_details": null,
  "webhook_action": "login.created", "webhook_id": "w"}}]]):format(USER, ACCOUNT)

local calls = {
  function(c) return c.users:create { external_id = "x" } end,
  function(c) return c.users:get(USER) end,
  function(c) return c.users:accounts(USER) end,
  function(c)
    return c.users:aggregated_earnings {
      start_date = "2025-03-10", end_date = "2025-03-14", user_id = USER, details = true,
    }
  end,
  function(c) return c.accounts:get(ACCOUNT) end,
  function(c) return c.accounts:user(ACCOUNT) end,
  function(c) return c.accounts:logins(ACCOUNT) end,
  function(c) return c.accounts:profile(ACCOUNT) end,
  function(c) return c.accounts:employment(ACCOUNT) end,
  function(c) return c.accounts:consignados(ACCOUNT) end,
  function(c) return c.accounts:earnings(ACCOUNT, EARNINGS):page(2) end,
  function(c) return c.users:search(PERIOD):page(1) end,
  function(c) return c.webhooks:list() end,
  function(c) return c.widgets:get(helper.WIDGET) end,
  function(c) return c.countries:list { only_active = true } end, -- as platforms:list, but shorter
  function(c) return c.consents:get("XAXX010101000") end,
  function(c) return c.accounts:get(helper.UNKNOWN) end,
  function(c) -- fails, in the other form
    return c:request("POST", "/v1/accounts/" .. ACCOUNT .. "/earnings/search", { start_date = 1 })
  end,
}

local searches = {
  function(c) return c.accounts:earnings(ACCOUNT, EARNINGS) end,
  function(c) return c.accounts:events(ACCOUNT, TRIPS) end,
  function(c) return c.users:search(PERIOD) end,
  function(c) return c.logins:search(PERIOD) end,
  function(c) return c.consents:search { items_per_page = 2 } end,
}

local function document_of(result)
  local spans = result.body and #result.body > 0 and mutations.spans(result.body)
  return { status = result.status, text = result.body, spans = spans }
end

-- The responses that the sandbox has to some calls: for each the list of them, as they came.
local function record(client, asks)
  local wait, all = runtime.wait, {}
  for at, ask in ipairs(asks) do
    local seen = {}
    runtime.wait = function(call)
      local result = wait(call)
      seen[#seen + 1] = document_of(result)
      return result
    end
    local ok, problem = pcall(ask, client)
    runtime.wait = wait
    assert(ok, problem)
    all[at] = seen
  end
  return all
end

local function check_error(err)
  assert(errors.is(err), "no error of the module")
  assert(kinds[err.kind], "its kind is " .. tostring(err.kind))
  assert(type(err.message) == "string" and err.message ~= "", "it has no message")
  assert(err.code == nil or type(err.code) == "string", "its code is no text")
  for at, detail in ipairs(err.errors or {}) do
    assert(type(detail.message or detail.location) == "string", "detail " .. at .. " is empty")
    assert(type(detail.message or "") == "string" and type(detail.location or "") == "string")
  end
  assert(type(tostring(err)) == "string")
  assert(type(err:advice("en")) == "string")
end

local function check_meta(meta)
  assert(meta.pagination == nil or type(meta.pagination) == "table", "pagination")
end

-- What is reported about all rows of a search, compared with what its first page says.
local function check_rows(rows, report, first)
  assert(type(report.complete) == "boolean" and report.rows == #rows)
  assert(report.complete or type(report.reason) == "string", "no reason")
  assert(report.total_items == nil or type(report.total_items) == "number")
  for _, row in ipairs(rows) do
    assert(type(row) == "table", "a row is no object")
  end
  if report.complete then
    local said = json.decode(first).pagination.total_items
    assert(#rows == report.total_items and #rows == said,
      ("complete with %d rows of %s"):format(#rows, tostring(said)))
  end
end

-- Reads a search row by row; how many there are, or the error.
local function count_rows(pager)
  local count = 0
  while count < 1000 do
    local row, err = pager:next()
    if not row then
      return not err and count or nil, err
    end
    count = count + 1
  end
end

describe("responses that are changed at random, seed " .. SEED .. ":", function()
  local random = mutations.random(SEED)
  local client, of_calls, of_searches

  setup(function()
    local sandbox = helper.sandbox()
    client = sandbox:client()
    assert(client.webhooks:create {
      url = "https://example.com/", name = "n", is_sandbox = true, widget_id = helper.WIDGET,
    })
    of_calls = record(client, calls)
    local all = {}
    for at, search in ipairs(searches) do
      all[at] = function(c)
        assert(search(c):all())
      end
    end
    of_searches = record(client, all)
    assert.equal(0, sandbox:stop())
  end)
  after_each(function() runtime.use(nil) end)

  -- Responds to every request with what `respond` makes of its page.
  local function serve(respond)
    runtime.use {
      submit = function(request)
        return request
      end,
      wait = function(request)
        local page = request.body and request.body:match('"page":(%d+)')
        local status, body = respond(tonumber(page or 1))
        return { status = status, body = body, attempts = 1, request_id = "r" }
      end,
      cancel = function() end,
    }
  end

  local function change(document)
    local status = random(4) == 1 and statuses[random(#statuses)] or document.status
    return status, mutations.change(random, document.text, document.spans)
  end

  -- Runs `body` and says the response if it fails.
  local function guarded(number, text, body)
    local ok, problem = xpcall(body, debug.traceback)
    if not ok then
      error(("document %d of seed %d: %s\n%s"):format(number, SEED, tostring(problem), text), 0)
    end
  end

  it("a call has data or an error", function()
    local data_count, error_count = 0, 0
    for number = 1, DOCUMENTS do
      local at = random(#calls)
      local status, body = change(of_calls[at][1])
      serve(function() return status, body end)
      guarded(number, body, function()
        local data, err = calls[at](client)
        if data ~= nil then
          assert(at == #calls or type(data) == "table", "data is a " .. type(data))
          check_meta(err)
          data_count = data_count + 1
        else
          check_error(err)
          error_count = error_count + 1
        end
      end)
    end
    -- both happen: what is said of either is not said of nothing
    assert.is_true(data_count > DOCUMENTS / 10 and error_count > DOCUMENTS / 10)
  end)

  it("a search is complete only with the rows that were counted", function()
    local complete, incomplete = 0, 0
    for number = 1, math.ceil(DOCUMENTS / SEARCHES) do
      local at = random(#searches)
      local documents = of_searches[at]
      local changed = random(#documents)
      local status, body = change(documents[changed])
      local function respond(page)
        if page == changed then
          return status, body
        end
        local document = documents[page] or documents[#documents]
        return document.status, document.text
      end
      serve(respond)
      guarded(number, body, function()
        if random(2) == 1 then
          local rows, report = searches[at](client):all()
          if rows then
            check_rows(rows, report, select(2, respond(1)))
            complete = complete + (report.complete and 1 or 0)
            incomplete = incomplete + (report.complete and 0 or 1)
          else
            check_error(report)
          end
        else
          local count, err = count_rows(searches[at](client))
          if err then
            check_error(err)
          else
            assert(count, "it does not end")
          end
        end
      end)
    end
    assert.is_true(complete > 0 and incomplete > 0)
  end)

  it("a webhook is an event or an error", function()
    local text = WEBHOOK
    local spans, events = mutations.spans(text), 0
    for number = 1, math.ceil(DOCUMENTS / 10) do
      local body = mutations.change(random, text, spans)
      guarded(number, body, function()
        local event, err = palenca.webhook.parse(body)
        if not event then
          return check_error(err)
        end
        events = events + 1
        assert(type(event.action) == "string" and type(event.data) == "table")
        for _, name in ipairs { "account_id", "user_id", "external_id", "platform" } do
          assert(event[name] == nil or type(event[name]) == "string", name)
        end
      end)
    end
    assert.is_true(events > 0)
  end)
end)

it("spans of a text end at the quotes that are not escaped", function()
  local text = [[{"a\"b": "x\"y\\", "c\\": ["\\\"", 1]}]]
  local found = {}
  for _, span in ipairs(mutations.spans(text)) do
    found[#found + 1] = text:sub(span.first, span.last)
  end
  assert.are.same({ text, [["x\"y\\"]], [=[["\\\"", 1]]=], [["\\\""]], "1" }, found)
end)

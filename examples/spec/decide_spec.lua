-- Tests decide.lua without a network. In the directory examples:
--
--   busted
local testing = require "palenca.testing"

local LENDER = "https://lender.example"

describe("decide.lua", function()
  local test

  before_each(function()
    test = testing.start{ env = { LENDER_URL = LENDER, INSTALLMENT = "3000.00" } }
    test:load("decide.lua")
    test:http{ url = LENDER .. "/*", method = "POST", status = 201, optional = true }
  end)

  after_each(function() test:stop() end)

  it("approves a worker with a steady income, and posts it once", function()
    local worker = test:worker{ amount = 500, external_id = "applicant-7" }
    local run = test:event("login.success", worker)
    assert.is_nil(run.error)
    assert.equal("approve", run.decision.verdict.outcome)
    assert.equal(1, #run.http)
    assert.equal(LENDER .. "/approvals", run.http[1].url)
    assert.equal("applicant-7", run.http[1].json.external_id)
    assert.equal("palenca-" .. run.event.id, run.http[1].headers["Idempotency-Key"])
  end)

  it("declines if the installment is too high, with a reason for the worker", function()
    local run = test:event("login.success", test:worker{ amount = 50 })
    assert.equal("decline", run.decision.verdict.outcome)
    assert.equal(LENDER .. "/declines", run.http[1].url)
    assert.is_string(run.http[1].json.for_worker)
  end)

  it("has a person look at a history that cannot be trusted", function()
    for _, worker in ipairs{
      test:worker{ days = 10 },
      test:worker{ warning = "rider_account" },
      test:worker{ days = 250, changes = 3 }, -- it changes each time that it is read
      test:worker{ country = "co", amount = 80000 }, -- the installment is in another currency
    } do
      local run = test:event("login.success", worker)
      assert.equal("undecidable", run.decision.verdict.outcome)
      assert.equal(LENDER .. "/reviews", run.http[1].url)
    end
  end)

  it("fails if the API does, so that the event runs again", function()
    local worker = test:worker()
    test:fault{ path = "/v1/accounts/*", status = 503 }
    local run = test:event("login.success", worker)
    assert.is_false(run.ok)
    assert.equal("server", run.error.kind)
    assert.same({}, run.http)
    test:heal()
    assert.is_true(test:event("login.success", worker, { attempt = 2 }).ok)
  end)

  it("fails if the lender's system does, and records no decision", function()
    test:http{ url = LENDER .. "/approvals", status = 500, times = 1 }
    local run = test:event("login.success", test:worker())
    assert.truthy(run.error:find("responded with 500", 1, true))
    assert.is_nil(run.decision)
  end)

  it("logs who must act after a login that failed", function()
    local worker = { account_id = "a", status_details = "invalid_credentials" }
    local run = test:event("login.error", worker)
    assert.equal("worker", run.logged[1].actor)
  end)
end)

--- Who must act on a failure, when a repeat can help, and the sentence for the worker.
local advice = require("palenca.advice")
local errors = require("palenca.errors")
local helper = require("spec.lua.helper")
local palenca = require("palenca")

-- As the API's documentation has them.
local documented = [[
  missing_api_key invalid_api_key bad_request invalid_credentials platform_unavailable
  too_many_requests service_unavailable request_timeout platform_error invalid_otp expired_otp
  email_not_validated invalid_phone_number invalid_email lambda_error login_refused
  invalid_otp_auth_key could_not_send_otp unable_to_get_performance recent_login_successful
  invalid_otp_session
]]

local actors = { worker = true, integrator = true, platform = true }

local function is_whole(known)
  assert.is_true(actors[known.actor])
  assert.is_boolean(known.can_repeat)
  local seen = {}
  for _, lang in ipairs { "es", "pt", "en" } do
    local text = known.text[lang]
    assert.truthy(text:find("%.$"), text)
    assert.is_nil(seen[text], "the same in two languages: " .. text)
    seen[text] = true
  end
end

describe("advice", function()
  for code in documented:gmatch("%S+") do
    it("is there for " .. code, function()
      is_whole(advice.of_call(code, "invalid"))
      is_whole(advice.of_login(code))
    end)
  end

  it("is there for what is not known, too", function()
    for _, kind in ipairs {
      "network", "timeout", "rate_limited", "auth", "invalid", "not_found", "platform", "server",
      "protocol",
    } do
      is_whole(advice.of_call(nil, kind))
      is_whole(advice.of_call("brand_new", kind))
    end
    is_whole(advice.of_login(nil))
    is_whole(advice.of_login("brand_new"))
  end)

  it("knows the waits that are documented", function()
    assert.equal(1800, advice.of_login("login_refused").repeat_after)
    assert.equal(86400, advice.of_login("too_many_requests").repeat_after)
    assert.equal(43200, advice.of_login("recent_login_successful").repeat_after)
    assert.is_nil(advice.of_login("invalid_credentials").repeat_after)
    assert.is_nil(advice.of_call("too_many_requests", "rate_limited").repeat_after)
  end)

  it("names who must act", function()
    local who = {
      invalid_credentials = "worker", invalid_otp = "worker", banned = "worker",
      invalid_api_key = "integrator", bad_request = "integrator", login_refused = "platform",
      lambda_error = "platform",
    }
    for code, actor in pairs(who) do
      assert.equal(actor, advice.of_call(code, "platform").actor, code)
    end
    assert.is_false(advice.of_call("invalid_api_key", "auth").can_repeat)
    assert.is_true(advice.of_call("invalid_credentials", "platform").can_repeat)
  end)

  it("is handed out by the module, for an event's outcome", function()
    assert.equal(advice, palenca.advice)
  end)

  it("comes with each error", function()
    local sandbox = helper.sandbox()
    sandbox:fault { kind = "error", status = 401, code = "invalid_credentials" }
    local _, err = sandbox:client().users:get(helper.USER)
    assert.equal("worker", err.actor)
    assert.is_true(err.can_repeat)
    assert.equal(advice.of_call("invalid_credentials").text.es, err:advice())
    for _, lang in ipairs { "es", "pt", "en" } do
      assert.equal(advice.of_call("invalid_credentials").text[lang], err:advice(lang))
    end
    helper.blames_caller(function() err:advice("fr") end, "'es', 'pt' or 'en'")
    for _, dotted in ipairs { function() err.advice("en") end, function() err.advice() end } do
      helper.blames_caller(dotted, 'err:advice: call it with a colon, as in err:advice("en")')
    end
    sandbox:fault { kind = "error", status = 429, code = "too_many_requests", retry_after = 41 }
    _, err = sandbox:client().users:get(helper.USER)
    assert.same({ "integrator", true, 41 }, { err.actor, err.can_repeat, err.repeat_after })
    assert.equal(0, sandbox:stop())
    _, err = sandbox:client().users:get(helper.USER)
    assert.same({ "network", "platform", true }, { err.kind, err.actor, err.can_repeat })
    assert.is_nil(err.repeat_after)
  end)

  it("does not get in the way of an error's own fields", function()
    local err = errors.new { kind = "invalid", code = "bad_request", message = "m" }
    assert.equal("invalid: bad_request: m", tostring(err))
    assert.equal("integrator", err.actor)
  end)
end)

--- The sandbox's webhooks: creating, listing, reading, changing, deleting.
local helper = require("spec.sandbox.helper")

local function fields(over)
  local body = {
    url = "https://example.com/hook", name = "mine", widget_id = helper.WIDGET,
    is_sandbox = true,
  }
  for name, value in pairs(over or {}) do
    body[name] = value ~= "absent" and value or nil
    if value == false then
      body[name] = false
    end
  end
  return body
end

describe("sandbox webhook creation", function()
  local api
  before_each(function() api = helper.new() end)

  it("responds with all there is", function()
    local status, response, _, text = api:call("POST", "/v1/webhooks", fields { color = "red" })
    assert.equal(201, status)
    local webhook = response.data
    assert.equal("https://example.com/hook", webhook.url)
    assert.equal("mine", webhook.name)
    assert.equal(helper.WIDGET, webhook.widget_id)
    assert.equal(helper.WIDGET, webhook.connect_flow_id)
    assert.is_true(webhook.is_sandbox)
    assert.is_true(webhook.is_active)
    assert.is_false(webhook.sign_request)
    assert.same({ "*" }, webhook.events)
    assert.is_nil(webhook.color)
    assert.truthy(text:find('"private_key":null', 1, true))
    assert.truthy(text:find('"url":"https://example.com/hook"', 1, true))
  end)

  it("takes connect_flow_id for widget_id", function()
    local status, response = api:call("POST", "/v1/webhooks",
      fields { widget_id = "absent", connect_flow_id = helper.UNKNOWN })
    assert.equal(201, status)
    assert.equal(helper.UNKNOWN, response.data.widget_id)
    assert.equal(helper.UNKNOWN, response.data.connect_flow_id)
  end)

  it("makes a key of its own for each that signs", function()
    local one = api:webhook { sign_request = true }
    local other = api:webhook { sign_request = true }
    assert.truthy(one.private_key:match("^%x+$"))
    assert.equal(64, #one.private_key)
    assert.not_equal(one.private_key, other.private_key)
  end)

  it("takes every known action", function()
    for _, action in ipairs {
      "*", "login.created", "login.success", "login.error", "login.incomplete", "login.retry",
      "login.failed_refresh", "user.created", "clean_save.finished", "earnings.updated",
    } do
      assert.same({ action }, api:webhook({ events = { action } }).events)
    end
    local _, response = api:call("POST", "/v1/webhooks",
      '{"url":"http://a.b","name":"n","widget_id":"' .. helper.WIDGET
      .. '","is_sandbox":true,"events":[]}')
    assert.same({}, response.data.events)
  end)

  for name, case in pairs {
    ["no url"] = { { url = "absent" }, "url", "value_error.missing" },
    ["no name"] = { { name = "absent" }, "name", "value_error.missing" },
    ["no is_sandbox"] = { { is_sandbox = "absent" }, "is_sandbox", "value_error.missing" },
    ["no widget"] = { { widget_id = "absent" }, "connect_flow_id", "value_error.missing" },
    ["a number as url"] = { { url = 7 }, "url", "type_error.str" },
    ["a relative url"] = { { url = "/hook" }, "url", "value_error.url" },
    ["a url without host"] = { { url = "https:///hook" }, "url", "value_error.url" },
    ["a url with a space"] = { { url = "https://a b/" }, "url", "value_error.url" },
    ["a url with two hosts"] = { { url = "https://a@b@c/" }, "url", "value_error.url" },
    ["a url with a disguised host"] = { { url = "http://0x7f.1/" }, "url", "value_error.url" },
    ["an ftp url"] = { { url = "ftp://example.com" }, "url", "value_error.url.scheme" },
    ["a number as name"] = { { name = 7 }, "name", "type_error.str" },
    ["a widget that is no UUID"] = { { widget_id = "w" }, "widget_id", "type_error.uuid" },
    ["is_sandbox as a string"] = { { is_sandbox = "yes" }, "is_sandbox", "value_error.boolean" },
    ["sign_request as a number"] = { { sign_request = 1 }, "sign_request", "value_error.boolean" },
    ["events as a string"] = { { events = "*" }, "events", "type_error.list" },
    ["events as an object"] = { { events = { a = "*" } }, "events", "type_error.list" },
    ["an unknown event"] = { { events = { "*", "login.maybe" } }, "events.1", "type_error.enum" },
    ["a number as event"] = { { events = { 7 } }, "events.0", "type_error.enum" },
  } do
    it("responds with 422 to " .. name, function()
      local status, response = api:call("POST", "/v1/webhooks", fields(case[1]))
      assert.equal(422, status)
      assert.equal(1, #response.detail)
      assert.equal(case[3], helper.blames(response, "body." .. case[2]))
      local _, listed = api:call("GET", "/v1/webhooks")
      assert.equal(0, #listed.data.webhooks)
    end)
  end

  it("names every fault of an empty object", function()
    local _, response = api:call("POST", "/v1/webhooks", {})
    assert.equal(3, #response.detail)
  end)
end)

describe("sandbox webhook upkeep", function()
  local api, webhook, target
  before_each(function()
    api = helper.new()
    webhook = api:webhook()
    target = "/v1/webhooks/" .. webhook.webhook_id
  end)

  it("lists them in order of creation", function()
    local second = api:webhook { name = "second" }
    local status, response = api:call("GET", "/v1/webhooks")
    assert.equal(200, status)
    assert.same({ webhook, second }, response.data.webhooks)
  end)

  it("lists none as an empty list", function()
    local _, _, _, text = helper.new():call("GET", "/v1/webhooks")
    assert.truthy(text:find('"data":{"webhooks":[]}', 1, true))
  end)

  it("reads one", function()
    local status, response = api:call("GET", target)
    assert.equal(200, status)
    assert.same(webhook, response.data)
  end)

  it("changes only what is given", function()
    for _, change in ipairs {
      { url = "http://localhost:9/x" }, { name = "renamed" }, { is_sandbox = false },
      { is_active = false }, { events = { "login.error" } }, { is_active = true },
    } do
      local status, response = api:call("PUT", target, change)
      assert.equal(200, status)
      for name, value in pairs(change) do
        webhook[name] = value
      end
      assert.same(webhook, response.data)
      assert.same(webhook, select(2, api:call("GET", target)).data)
    end
  end)

  it("changes the widget under either name", function()
    local _, response = api:call("PUT", target, { connect_flow_id = helper.UNKNOWN })
    assert.equal(helper.UNKNOWN, response.data.widget_id)
    _, response = api:call("PUT", target, { widget_id = helper.WIDGET })
    assert.equal(helper.WIDGET, response.data.connect_flow_id)
  end)

  it("keeps the key while signing is switched off and on", function()
    local _, signed = api:call("PUT", target, { sign_request = true })
    assert.equal(64, #signed.data.private_key)
    local _, plain = api:call("PUT", target, { sign_request = false })
    assert.is_nil(plain.data.private_key)
    local _, again = api:call("PUT", target, { sign_request = true })
    assert.equal(signed.data.private_key, again.data.private_key)
  end)

  for name, case in pairs {
    ["a bad url"] = { { url = "x" }, "url" },
    ["a bad flag"] = { { is_active = "no" }, "is_active" },
    ["a bad event"] = { { events = { "x" } }, "events.0" },
    ["a bad widget"] = { { connect_flow_id = "x" }, "connect_flow_id" },
  } do
    it("responds with 422 to a change with " .. name .. " and changes nothing", function()
      case[1].name = "renamed"
      local status, response = api:call("PUT", target, case[1])
      assert.equal(422, status)
      assert.truthy(helper.blames(response, "body." .. case[2]))
      assert.same(webhook, select(2, api:call("GET", target)).data)
    end)
  end

  it("deletes one for good", function()
    local other = api:webhook()
    local status, response = api:call("DELETE", target)
    assert.equal(200, status)
    assert.same(webhook, response.data)
    assert.equal(404, (api:call("GET", target)))
    assert.equal(404, (api:call("DELETE", target)))
    local _, listed = api:call("GET", "/v1/webhooks")
    assert.same({ other }, listed.data.webhooks)
  end)
end)

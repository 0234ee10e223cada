--- A script's log: one line of JSON for each entry, on standard error.
local helper = require("spec.lua.helper")
local json = require("palenca.util.json")
local palenca = require("palenca")

-- Runs a script and returns the entries it logged.
local function logged(text)
  local status, output, complaints = helper.run(
    'local palenca = require("palenca")\nlocal log = palenca.log\n' .. text)
  assert.equal(0, status, complaints)
  assert.equal("", output)
  local entries = {}
  for line in complaints:gmatch("([^\n]*)\n") do
    entries[#entries + 1] = assert(json.decode(line))
  end
  assert.equal(complaints:sub(-1), "\n")
  return entries
end

describe("palenca.log", function()
  it("writes a line of JSON with the time and the level", function()
    local entries = logged([[
      log.info { message = "read", rows = 195, share = 0.5, whole = true, list = { 1, 2 } }
      log.warn { message = "slow" }
      log.error { message = "lost" }
    ]])
    assert.equal(3, #entries)
    assert.truthy(entries[1].time:find("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$"))
    entries[1].time = nil
    assert.same({
      level = "info", event = "script", message = "read", rows = 195, share = 0.5, whole = true,
      list = { 1, 2 },
    }, entries[1])
    assert.equal("warning", entries[2].level)
    assert.equal("error", entries[3].level)
  end)

  it("has its fields in the order of their names, and so has what is in them", function()
    local _, _, line = helper.run([[
      local palenca = require "palenca"
      palenca.log.info { zone = "a", amount = 1, message = "m", platform = "uber", rows = 3,
        inner = { z = 1, a = 2, m = 3, b = "/" }, account = "b" }
    ]])
    assert.equal('"level":"info","event":"script","account":"b","amount":1,"inner":{"a":2,'
      .. '"b":"\\/","m":3,"z":1},"message":"m","platform":"uber","rows":3,"zone":"a"}\n',
      (line:gsub('^{"time":"[^"]*",', "")))
  end)

  it("writes null where it is given", function()
    local _, _, line = helper.run(
      'local palenca = require("palenca")\npalenca.log.info { amount = palenca.json.null }')
    assert.truthy(line:find('"amount":null', 1, true), line)
  end)

  it("takes a text as the message", function()
    assert.equal("plain", logged('log.info("plain")')[1].message)
  end)

  it("keeps one entry on one line, whatever is in it", function()
    local entries = logged([[log.info { message = "a\nb\r\n{}", ["na\nme"] = '"' }]])
    assert.equal(1, #entries)
    assert.equal("a\nb\r\n{}", entries[1].message)
    assert.equal('"', entries[1]["na\nme"])
  end)

  it("writes the fields of a table whose metatable has no text for it", function()
    local entries = logged([[
      log.info { account = setmetatable({ platform = "uber" }, { __index = error }) }
    ]])
    assert.same({ platform = "uber" }, entries[1].account)
  end)

  it("rejects a call with a colon, which would log the functions of the log", function()
    local entries = logged([[
      log.info(select(2, pcall(function() log:warn { message = "m" } end)))
    ]])
    assert.matches("palenca.log.warn: call it with a dot, as in palenca.log.warn%(%.%.%.%)$",
      entries[1].message)
  end)

  it("puts errors and other objects in words", function()
    local entries = logged([[
      local client = palenca.new {
        api_key = "a-secret-key", base_url = "http://127.0.0.1:1", max_retries = 0,
      }
      local _, err = client.users:get("u1")
      log.error { err = err, client = client, call = print }
    ]])
    assert.truthy(entries[1].err:find("^network: "))
    assert.equal("palenca client of http://127.0.0.1:1", entries[1].client)
    assert.truthy(entries[1].call:find("^function"))
    assert.is_nil(json.encode(entries[1]):find("a-secret-key", 1, true))
  end)

  it("does not fail for what JSON cannot say", function()
    local entries = logged([[
      local circle = {}
      circle.circle = circle
      log.info { message = "kept", ratio = 0 / 0, most = math.huge, inner = { f = print },
        circle = circle, rows = 3 }
    ]])
    assert.equal("kept", entries[1].message)
    assert.equal(3, entries[1].rows)
    assert.truthy(entries[1].ratio:find("nan"))
    assert.equal("inf", entries[1].most)
    assert.is_string(entries[1].inner)
    assert.is_string(entries[1].circle)
  end)

  it("cuts what is too long, and says so", function()
    local entries = logged([[
      log.info { message = "kept", body = ("ñ"):rep(2^20), list = { ("x"):rep(2^20) }, rows = 3 }
      log.warn(("m"):rep(2^21))
      local many = {}
      for i = 1, 20000 do many["field" .. i] = ("v"):rep(20) end
      log.error(many)
      log.info { message = ("y"):rep(2^17) }
    ]])
    local cut = entries[1]
    assert.same({ "kept", 3 }, { cut.message, cut.rows })
    assert.is_true(cut.truncated > 3 * 2^20)
    assert.truthy(cut.body:find("^ñññ.*ñ %[…%] %(truncated: 2097152 bytes%)$"), cut.body:sub(-60))
    assert.truthy(cut.list:find('^%["x+ %[…%] %(truncated: 1048580 bytes%)$'), cut.list:sub(-60))
    assert.is_true(#cut.body < 2^16)
    assert.truthy(entries[2].message:find("^m+ %[…%] %(truncated: 2097152 bytes%)$"))
    assert.same({ "error", true }, { entries[3].level, entries[3].truncated > 20000 * 20 })
    assert.truthy(entries[3].message:find("(truncated: ", 1, true))
    assert.same({ ("y"):rep(2^17) }, { entries[4].message })
    assert.is_nil(entries[4].truncated)
  end)

  it("has nothing in it that steers a terminal", function()
    local _, _, line = helper.run([[require("palenca").log.info("\194\155 \226\128\174")]])
    assert.truthy(line:find("\\u009b \\u202e", 1, true), line)
    assert.equal("\194\155 \226\128\174", json.decode(line).message)
  end)

  it("rejects what is neither a table nor a text", function()
    for _, level in ipairs { "info", "warn", "error" } do
      for _, value in ipairs { 5, true, print } do
        helper.blames_caller(function() palenca.log[level](value) end, "palenca.log",
          type(value) == "function" and "a function" or tostring(value))
      end
      helper.blames_caller(function() palenca.log[level]() end, "palenca.log", "nil")
    end
  end)
end)

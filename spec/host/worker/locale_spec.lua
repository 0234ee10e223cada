--- Drives scripts that set a locale with a decimal comma: no script's numbers may look otherwise.
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local locale = require("spec.support.locale")
local process = require("spec.support.process")

-- Prints what numbers look like; with lua-cjson as a script has it, too.
local SHOW = [[
  local palenca, cjson = require "palenca", require "cjson"
  local function show(...)
    print(..., 1.5, 2.5 .. "", string.format("%.2f", 0.25), tonumber "0.5", tonumber "0,5",
      palenca.json.encode { 1.5, 2.5 }, cjson.encode { 0.5 }, cjson.decode("[1234.5]")[1])
  end
]]
local SHOWN = '1.5\t2.5\t0.25\t0.5\tnil\t[1.5,2.5]\t[0.5]\t1234.5\n'

-- A pattern that fits this text only.
local function literal(text)
  return (text:gsub("%p", "%%%0"))
end

describe("a script's locale", function()
  local stage = helper.stage_for_each()

  local function serve(text, arguments)
    return stage:serve {
      text = SHOW .. text, env = locale.environment, arguments = arguments,
    }
  end

  local function post(served, fields)
    local response = http.request("POST", served.url, '{"data":{"webhook_action":"login.success",'
      .. fields .. "}}")
    assert.are.equal(200, response.status, response.body)
  end

  it("is C, and no other can be had", function()
    local served = serve([[
      palenca.on("*", function(event)
        local name = "]] .. locale.NAME .. [["
        print(tostring(os.setlocale(name)), tostring(os.setlocale(name, "numeric")),
          os.setlocale(), os.setlocale(nil, "time"), os.setlocale(""), os.setlocale("C"),
          os.setlocale("POSIX", "monetary"), (pcall(os.setlocale, "C", "none")),
          (pcall(os.setlocale, {})))
        show(event.data.amount)
      end)
    ]])
    post(served, '"amount":1234.5')
    served:wait_output("stdout", "nil\tnil\tC\tC\tC\tC\tC\tfalse\tfalse\n1234%.5\t"
      .. literal(SHOWN))
  end)

  it("stays C whatever a library in C sets, in every worker", function()
    local served = serve([[
      local comma = function() ]] .. locale.SET_FROM_C .. [[ end
      palenca.on("*", function(event)
        if event.data.comma then comma() end
        cjson.new()
        show(event.data.amount)
        palenca.log.info { amount = event.data.amount }
      end)
    ]], { "--workers", "3" })
    post(served, '"comma":true,"amount":0.5')
    served:wait_output("stdout", "0%.5\t" .. literal(SHOWN))
    for account = 1, 30 do
      post(served, ('"account_id":"%d","amount":1234.5'):format(account))
    end
    helper.wait_lines(served, "stdout", "1234%.5\t" .. literal(SHOWN), 30)
    helper.wait_lines(served, "stderr", '"amount":1234%.5', 30)
    helper.wait_lines(served, "stderr", "done in %d%.%d%d s\n", 31)
  end)

  it("stays C in the command line's own thread", function()
    local path = process.write_file(stage:directory() .. "/script.lua", SHOW
      .. locale.SET_FROM_C .. "\nshow(require('palenca').new{ api_key = 'k' }.timeout)")
    local env = { PALENCA_TIMEOUT = "2.5" }
    for name, value in pairs(locale.environment) do env[name] = value end
    local status, out, err = process.run(process.program(), { "run", path }, { env = env })
    assert.are.same({ 0, "2.5\t" .. SHOWN, "" }, { status, out, err })
  end)
end)

describe("numbers that a double does not hold", function()
  it("reach a handler as text, with the body as it came, in a replay, too", function()
    local stage = helper.stage()
    finally(function() stage:clear() end)
    local served = stage:serve { text = [[
      local palenca = require "palenca"
      palenca.on("*", function(event)
        io.write(event.data.id, " ", palenca.json.encode(event.data.list), " ",
          tostring(event.replay), "\n", event.body, "\n")
        io.flush()
      end)
    ]], arguments = { "--redelivery-window", "0" } }
    local body = '{"data": {"webhook_action":"login.success","id":9007199254740993,\n"list":[ ],'
      .. '"account_id":"a"}, "more":1.50}'
    assert.are.equal(200, http.request("POST", served.url, body).status)
    served:wait_output("stdout", "^9007199254740993 %[%] nil\n" .. literal(body) .. "\n")
    local event = helper.wait_state(served.db, "a", "done")
    assert.are.equal(0, (process.run(process.program(),
      { "events", "replay", tostring(event.id), "--db", served.db })))
    served:wait_output("stdout", "\n9007199254740993 %[%] 1\n" .. literal(body) .. "\n$")
    assert.is_nil(served.stderr:find("9007199254740993", 1, true))
  end)
end)

--- What the specs of faults share: the sender of webhooks, and a record of what was handled.
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local faults = {}

--- The path of a program or library that is built beside the tests.
function faults.built(name)
  return (process.program():gsub("/bin/[^/]*$", "/spec/" .. name))
end

--- The size of a line of @{RECORDING}.
faults.RECORD_SIZE = 36 + 1 + 10 + 1 + 16 + 1 + 2 + 1

-- Lines of one size, so that the size of the file is known from their number.
local RECORD = [[
  local palenca = require "palenca"
  local file = assert(io.open(os.getenv "SPEC_HANDLED", "a"))
  file:setvbuf("no")
  local function record(event)
    file:write(("%-36s %010d %016d %02d\n"):format(event.account_id, event.external_id, event.id,
      event.attempt))
  end
]]

--- A script that appends a line to a file for each event it handles: account, sequence, id,
-- attempt.
faults.RECORDING = RECORD .. [[
  palenca.on("*", function(event)
    if event.id % 5 == 0 then
      palenca.sleep(0.002)
    end
    record(event)
  end)
]]

--- The same; its handlers wait before it as long as another file is there.
faults.PAUSED_RECORDING = RECORD .. [[
  local is_paused = true
  palenca.on("*", function(event)
    while is_paused do
      local pause = io.open(os.getenv "SPEC_PAUSE")
      if pause then
        pause:close()
        palenca.sleep(0.1)
      else
        is_paused = false
      end
    end
    record(event)
  end)
]]

--- Starts spec/support/load.c.
-- @tparam table stage
-- @tparam string url of the receiver
-- @tparam table options name → value, `true` for one without
function faults.load(stage, url, options)
  local arguments = { "--port", url:match(":(%d+)"), "--path", url:match("^http://[^/]+(/.*)$") }
  for name, value in pairs(options) do
    arguments[#arguments + 1] = "--" .. name
    if value ~= true then
      arguments[#arguments + 1] = tostring(value)
    end
  end
  return stage:start(faults.built("load"), arguments)
end

--- Waits for its end; returns what it counted.
function faults.loaded(load)
  assert(load:wait_exit() == 0, load:describe())
  return helper.json.decode(load.stdout)
end

--- The lines of a file that was written while events were acked or handled, a table each with
-- `key` ("ACCOUNT SEQUENCE"), `account`, `sequence`, `id` and `attempt`.
function faults.records(path)
  local list = {}
  for line in (helper.read_file(path) or ""):gmatch("[^\n]+") do
    local account, sequence, rest = line:match("^(%S+) +(%d+)(.*)$")
    local id, attempt = rest:match("^ (%d+) (%d+)$")
    list[#list + 1] = {
      key = account .. " " .. tonumber(sequence),
      account = account,
      sequence = tonumber(sequence),
      id = tonumber(id),
      attempt = tonumber(attempt),
    }
  end
  return list
end

--- Events that a sender with `number-actions` has made, as `palenca events list --json` has them,
-- in lists by the same keys.
function faults.by_key(events)
  local found = {}
  for _, event in ipairs(events) do
    local key = event.account_id .. " " .. tonumber(event.action:match("^numbered%.(%d+)$"))
    found[key] = found[key] or {}
    table.insert(found[key], event)
  end
  return found
end

--- Demands that an account's events were handled in the order in which they were sent: one that is
-- handled again, because it was interrupted, is the one that was handled last.
function faults.assert_order(handled)
  local last = {}
  for _, record in ipairs(handled) do
    local before = last[record.account] or 0
    assert(record.sequence >= before, string.format("account %s: event %d was handled after %d",
      record.account, record.sequence, before))
    last[record.account] = record.sequence
  end
end

--- Demands that no event was handled twice.
function faults.assert_once(handled)
  local seen = {}
  for _, record in ipairs(handled) do
    assert(not seen[record.key] and record.attempt == 1, "handled twice: " .. record.key)
    seen[record.key] = true
  end
end

return faults

--- Events that pile up while the handlers of `palenca serve` wait, and drain afterwards.
local uv = require("luv")
local faults = require("spec.faults.helper")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

describe("palenca serve", function()
  local stage = helper.stage_for_each()

  it("drains what has piled up in the order of each account, and each event once", function()
    local count = helper.sanitized and 1000 or 4000
    local directory = stage:directory()
    local handled = directory .. "/handled"
    local pause = process.write_file(directory .. "/pause", "")
    local served = stage:serve({ text = faults.PAUSED_RECORDING, directory = directory,
      arguments = { "--workers", "3", "--concurrency", "16" },
      env = { SPEC_HANDLED = handled, SPEC_PAUSE = pause } })
    local counts = faults.loaded(faults.load(stage, served.url, { connections = 32,
      accounts = 128, count = count }))
    assert.are.equal(count, counts.acked)
    assert.are.equal("", helper.read_file(handled))
    assert(os.remove(pause))
    process.poll_for(function()
      return uv.fs_stat(handled).size >= count * faults.RECORD_SIZE
    end, "all events to be handled")
    assert.are.equal(0, served:stop())
    local records = faults.records(handled)
    assert.are.equal(count, #records)
    faults.assert_order(records)
    faults.assert_once(records)
    for _, event in ipairs(helper.events(served.db)) do
      assert.are.same({ "done", 1 }, { event.state, event.attempts })
    end
  end)
end)

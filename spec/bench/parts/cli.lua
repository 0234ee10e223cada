--- Measures what spec/bench/cli prints: cli.lua [ROUNDS].
local uv = require("luv")
local bench = require("spec.bench.parts.bench")
local process = require("spec.support.process")

local ROUNDS = tonumber(arg[1] or 30)

local function milliseconds(program, arguments)
  local started = uv.hrtime()
  assert(process.run(program, arguments) == 0, program)
  return (uv.hrtime() - started) / 1e6
end

bench.run(function()
  local empty = process.write_file(bench.directory() .. "/empty.lua", "")
  local _, node = process.run("/bin/sh", { "-c", "command -v node" })
  node = node:match("%S+")
  local rounds = {}
  for round = 1, ROUNDS do
    bench.progress("round %d of %d", round, ROUNDS)
    rounds[round] = {
      help = milliseconds(process.program(), { "--help" }),
      run = milliseconds(process.program(), { "run", empty }),
      node = milliseconds(node, { "-e", "0" }),
    }
    rounds[round].help_of_node = rounds[round].help / rounds[round].node
    rounds[round].run_of_node = rounds[round].run / rounds[round].node
  end
  bench.progress("")
  local medians = bench.medians(rounds)
  print(("%-32s %8s"):format("start to end", "ms"))
  for _, row in ipairs({ { "palenca --help", "help" }, { "palenca run, an empty script", "run" },
    { "node -e 0", "node" } }) do
    print(("%-32s %8.1f"):format(row[1], medians[row[2]]))
  end
  bench.target("help_of_node", medians.help_of_node, "<=", 0.333)
  bench.target("run_of_node", medians.run_of_node, "<=", 0.333)
end)

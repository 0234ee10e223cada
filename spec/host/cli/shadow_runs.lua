--- Runs `palenca shadow`, and reads what it says.
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local shadow_runs = {}

function shadow_runs.run(script, db, arguments, env)
  local all = { "shadow", script, "--db", db }
  table.move(arguments or {}, 1, #(arguments or {}), #all + 1, all)
  return process.run(process.program(), all, { env = env })
end

-- The changes by their events' ids, and the summary.
function shadow_runs.played(script, db, arguments, env)
  local all = { "--json" }
  table.move(arguments or {}, 1, #(arguments or {}), 2, all)
  local status, out, err = shadow_runs.run(script, db, all, env)
  local lines = helper.lines_of_json(out)
  local summary, changes = table.remove(lines), {}
  assert(summary, err)
  for _, change in ipairs(lines) do
    changes[change.event_id] = change
  end
  return summary, changes, status, err
end

-- Outcome then → outcome now → how many.
function shadow_runs.matrix_of(summary)
  local matrix = {}
  for _, cell in ipairs(summary.matrix) do
    matrix[cell.old] = matrix[cell.old] or {}
    matrix[cell.old][cell.new] = cell.count
  end
  return matrix
end

return shadow_runs

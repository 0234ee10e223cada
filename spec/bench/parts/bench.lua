--- What the benches of the program share: servers under measurement, medians, targets.
local uv = require("luv")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local bench = {}

local stage = helper.stage()

--- Runs `body` with a stage, ends all that it started, and exits 1 if a target was short.
function bench.run(body)
  local ok, problem = xpcall(body, debug.traceback, stage)
  stage:clear()
  if not ok then
    io.stderr:write(problem, "\n")
  end
  os.exit(ok and not bench.is_short and 0 or 1)
end

--- A program that is built beside the tests.
function bench.built(name)
  return (process.program():gsub("/bin/[^/]*$", "/spec/" .. name))
end

--- A new directory on the disk that the project is built on: /tmp may be in memory.
-- @tparam ?boolean is_kept beyond the end of a round: the caller removes it
function bench.directory(is_kept)
  local root = process.program():gsub("/bin/[^/]*$", "/bench-XXXXXX")
  local path = assert(uv.fs_mkdtemp(root))
  if not is_kept then
    stage:at_end(function()
      process.run("/bin/rm", { "-rf", path })
    end)
  end
  return path
end

function bench.free_port()
  local socket = uv.new_tcp()
  assert(socket:bind("127.0.0.1", 0))
  local port = socket:getsockname().port
  socket:close()
  uv.run("nowait")
  return port
end

--- Waits until a server accepts connections.
function bench.wait_port(port, server)
  helper.ask_until(function()
    assert(not server.code, "it has ended")
    local connection = helper.connect("http://127.0.0.1:" .. port)
    connection:wait_connected()
    local is_there = connection.connected
    connection:close()
    if not is_there then
      uv.sleep(20)
    end
    return is_there
  end, "a server")
end

-- Ticks of the processor that a process, its children and those it has waited for have used.
local function ticks(pid)
  local stat = helper.read_file("/proc/" .. pid .. "/stat")
  if not stat then
    return 0
  end
  local fields, sum = {}, 0
  for field in stat:match("%) (.*)$"):gmatch("%S+") do
    fields[#fields + 1] = field
  end
  for at = 12, 15 do -- utime, stime, cutime, cstime
    sum = sum + tonumber(fields[at])
  end
  local children = helper.read_file("/proc/" .. pid .. "/task/" .. pid .. "/children") or ""
  for child in children:gmatch("%d+") do
    sum = sum + ticks(child)
  end
  return sum
end

--- Seconds of processor time that processes have used so far.
function bench.cpu(pids)
  local sum = 0
  for _, pid in ipairs(pids) do
    sum = sum + ticks(pid)
  end
  return sum / 100
end

--- The resident memory of a process in MiB, or the most that it had (`VmHWM`).
function bench.memory(pid, field)
  local status = assert(helper.read_file("/proc/" .. pid .. "/status"))
  return tonumber(status:match((field or "VmRSS") .. ":%s*(%d+)")) / 1024
end

--- Serves a script, with a log in a file; returns the process with `url`, `port`, `db` and `log`.
-- @tparam string text of the script
-- @tparam ?table options `directory`, `arguments`, `env`, `db` (a new file if there is none)
function bench.serve(text, options)
  options = options or {}
  local directory = options.directory or bench.directory()
  local script = process.write_file(directory .. "/script.lua", text)
  local log, db = directory .. "/log", options.db or directory .. "/events.db"
  local env = { PALENCA_API_KEY = "bench-key" }
  for name, value in pairs(options.env or {}) do
    env[name] = value
  end
  local arguments = { "serve", script, "--listen", "127.0.0.1:0", "--db", db }
  table.move(options.arguments or {}, 1, #(options.arguments or {}), #arguments + 1, arguments)
  local served = stage:start(process.program(), arguments, { env = env, log = log })
  served.url = process.poll_for(function()
    assert(not served.code, "it has ended")
    return (helper.read_file(log) or ""):match("receiving webhooks at (http://[%d.:]+/[%w/]+)")
  end, "the receiver")
  served.port, served.db, served.log = tonumber(served.url:match(":(%d+)")), db, log
  return served
end

--- Starts the sender of webhooks; `options` are its own, name → value.
function bench.start_load(port, options)
  local arguments = { "--port", tostring(port) }
  for name, value in pairs(options) do
    arguments[#arguments + 1] = "--" .. name
    arguments[#arguments + 1] = tostring(value)
  end
  return stage:start(bench.built("load"), arguments)
end

--- Waits for its end; returns what it counted.
function bench.loaded(load)
  assert(load:wait_exit() == 0, load:describe())
  return helper.json.decode(load.stdout)
end

--- Whether no stored event waits for its handler or is in it.
function bench.is_idle(db)
  for _, state in ipairs({ "received", "running", "retry" }) do
    if #helper.events(db, { "--state", state, "--limit", "1" }) > 0 then
      return false
    end
  end
  return true
end

-- ---- numbers -------------------------------------------------------------------------

function bench.median(list)
  assert(#list > 0, "nothing was measured")
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local middle = #sorted // 2
  return #sorted % 2 == 1 and sorted[middle + 1] or (sorted[middle] + sorted[middle + 1]) / 2
end

--- The medians of each field of a list of tables.
function bench.medians(list)
  local result = {}
  for name, value in pairs(list[1]) do
    if type(value) == "number" then
      local values = {}
      for i, one in ipairs(list) do
        values[i] = one[name]
      end
      result[name] = bench.median(values)
    end
  end
  return result
end

--- Measures two things in pairs whose order alternates: what changes on the machine meanwhile is
-- for neither of them.
-- @tparam integer rounds
-- @tparam function one returns a table with what it has measured
-- @tparam function other
-- @treturn {table,...} the results of `one`, by round
-- @treturn {table,...} and of `other`
function bench.pairs(rounds, one, other)
  local ones, others = {}, {}
  for number = 1, rounds do
    bench.progress("round %d of %d", number, rounds)
    if number % 2 == 1 then
      ones[number] = one()
    end
    others[number] = other()
    ones[number] = ones[number] or one()
  end
  bench.progress("")
  return ones, others
end

--- The median of a field's ratios, pair by pair.
function bench.median_ratio(list, to, field)
  local ratios = {}
  for number, one in ipairs(list) do
    ratios[number] = one[field] / to[number][field]
  end
  return bench.median(ratios)
end

--- Prints a target's line.
-- @tparam string name
-- @tparam number value
-- @tparam string operator ">=" or "<="
-- @tparam number wanted
function bench.target(name, value, operator, wanted)
  local is_met = (operator == ">=" and value >= wanted) or (operator == "<=" and value <= wanted)
  print(string.format("target %s %.4g %s%g %s", name, value, operator, wanted,
    is_met and "ok" or "short"))
  bench.is_short = bench.is_short or not is_met
end

--- Says how far it is, on a terminal.
function bench.progress(...)
  if uv.guess_handle(2) == "tty" then
    io.stderr:write("\r\27[K", string.format(...))
  end
end

return bench

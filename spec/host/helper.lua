--- What the specs of the program share: a stage that holds all that a test starts, connections that
-- stay open, and short ways to serve a script and list events.
local cjson = require("cjson")
local uv = require("luv")
local http = require("spec.support.http")
local http_server = require("spec.host.http_server")
local postgres = require("spec.support.postgres")
local process = require("spec.support.process")

local helper = { json = cjson }

-- Whether the program is built with sanitizers: slower, and with more memory.
helper.sanitized = os.getenv("SPEC_SANITIZED") == "1"

-- Lets the event loop run for some milliseconds.
local function pause(milliseconds)
  local timer, is_over = uv.new_timer(), false
  timer:start(milliseconds, 0, function()
    is_over = true
  end)
  process.wait_for(function()
    return is_over
  end, "a timer")
  timer:close()
end

--- Asks again and again until `check` returns something true; in between what is asked about has
-- the processor. Raises after a minute.
function helper.ask_until(check, what)
  local started, asked = uv.hrtime(), 0
  local result = check()
  while not result do
    -- both, since the machine may have stood still in between
    assert(asked < 200 or uv.hrtime() - started < 60e9, "asked in vain for " .. what)
    asked = asked + 1
    pause(math.min(10 * asked, 100)) -- what asks may take longer to compute than the pause
    result = check()
  end
  return result
end

--- Decodes every line of JSON.
function helper.lines_of_json(text)
  local list = {}
  for line in text:gmatch("[^\n]+") do
    list[#list + 1] = cjson.decode(line)
  end
  return list
end

--- Reads a file; nil if there is none.
function helper.read_file(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local text = file:read("a")
  file:close()
  return text
end

local function run_sqlite(...)
  local status, out, err = process.run("/usr/bin/sqlite3", { "-cmd", ".timeout 5000", ... })
  assert(status == 0, err)
  return (out:gsub("\n$", ""))
end

local databases = {}

--- The database of who works in a directory: a file in it, or, where SPEC_DB is "postgresql", one
-- at the specs' PostgreSQL.
function helper.database(directory)
  if os.getenv("SPEC_DB") ~= "postgresql" then
    return directory .. "/events.db"
  end
  databases[directory] = databases[directory] or postgres.shared():database()
  return databases[directory]
end

--- What a database responds to a query, which changes nothing of it.
function helper.query(db, sql)
  if postgres.is_url(db) then
    return postgres.shared():query(db, sql)
  end
  return run_sqlite("-readonly", db, sql)
end

--- Changes a database; returns what that printed.
function helper.change_database(db, sql)
  if postgres.is_url(db) then
    return postgres.shared():query(db, sql)
  end
  return run_sqlite(db, sql)
end

--- As SQL: so many seconds before the time in a column.
function helper.earlier(db, column, seconds)
  return postgres.is_url(db) and ("%s - interval '%d seconds'"):format(column, seconds)
    or ("%s - %d"):format(column, seconds * 1000)
end

--- Has events deleted that came a moment ago.
function helper.end_dedup_window(db)
  helper.change_database(db, ("UPDATE serving SET %s = 0"):format(
    postgres.is_url(db) and "dedup_window_ms" or "redelivery_window"))
end

--- Has what waits for a retry run at once.
function helper.end_waits(db)
  helper.change_database(db, ("UPDATE events SET due_at = %s WHERE state = 2"):format(
    postgres.is_url(db) and "now()" or "1"))
end

--- A copy of a database; in a file, one in a directory.
function helper.copy_database(db, directory)
  if postgres.is_url(db) then
    return postgres.shared():copy(db)
  end
  local path = directory .. "/copy.db"
  run_sqlite("-readonly", db, ("VACUUM INTO '%s'"):format(path))
  return path
end

--- How many descriptors a process has open.
function helper.descriptors(pid)
  local count = 0
  local directory = uv.fs_scandir("/proc/" .. pid .. "/fd")
  while directory and uv.fs_scandir_next(directory) do
    count = count + 1
  end
  return count
end

--- A port that nobody listens on, nor gets by chance for a connection, as those that the system
-- hands out.
function helper.free_port()
  math.randomseed(uv.hrtime() % 2 ^ 31)
  while true do
    local port = math.random(12000, 32000)
    local socket = uv.new_tcp()
    local is_free = socket:bind("127.0.0.1", port) and socket:listen(1, function() end)
    socket:close()
    uv.run("nowait")
    if is_free then
      return port
    end
  end
end

--- Tests that the program rejects arguments, as wrong usage; the cases are `{ arguments, pattern of
-- what it says }`.
function helper.it_rejects(cases)
  local assert, it = require("luassert"), require("busted").it -- which the bench does without
  for _, case in ipairs(cases) do
    it("rejects: palenca " .. table.concat(case[1], " "), function()
      local status, out, err = process.run(process.program(), case[1])
      assert.are.equal(2, status, err)
      assert.are.equal("", out)
      assert.truthy(err:find(case[2]), err)
      assert.truthy(err:find("help", 1, true), err)
      assert.is_nil(err:find("traceback", 1, true))
    end)
  end
end

-- ---- connections ---------------------------------------------------------------------

local Connection = {}
Connection.__index = Connection

--- Connects; does not wait for it.
function helper.connect(url)
  local host, port = url:match("^http://([%d.]+):(%d+)")
  local self = setmetatable({ socket = uv.new_tcp(), received = "", connected = false },
    Connection)
  self.socket:connect(host, tonumber(port), function(problem)
    self.problem, self.connected, self.ended = problem, not problem, problem ~= nil
    if not problem then
      self.socket:read_start(function(_, data)
        self.received = self.received .. (data or "")
        self.ended = self.ended or not data
      end)
    end
  end)
  return self
end

function Connection:wait_connected()
  process.wait_for(function()
    return self.connected or self.ended
  end, "a connection")
  return self
end

--- Sends bytes, once connected.
function Connection:send(bytes)
  self:wait_connected()
  self.socket:write(bytes)
  return self
end

--- The next response if it is here; nil otherwise.
function Connection:poll()
  local response
  response, self.received = http.take(self.received)
  return response
end

--- Waits for the next response; nil if the connection ends without.
function Connection:response()
  local response
  process.wait_for(function()
    response = self:poll()
    return response or self.ended
  end, "a response")
  return response
end

--- Waits until the other side has closed.
function Connection:wait_end()
  process.wait_for(function()
    return self.ended
  end, "the end of a connection")
end

function Connection:close()
  if not self.socket:is_closing() then
    self.socket:close()
  end
end

-- ---- the stage -----------------------------------------------------------------------

local Stage = {}
Stage.__index = Stage

--- A stage: all that is started through it ends with `stage:clear()`.
function helper.stage()
  return setmetatable({ endings = {} }, Stage)
end

--- A stage for a block of tests: what each of them has started through it ends with the test.
function helper.stage_for_each()
  local stage = helper.stage()
  require("busted").after_each(function()
    stage:clear()
  end)
  return stage
end

function Stage:at_end(ending)
  self.endings[#self.endings + 1] = ending
end

--- Ends all that was started; for after_each.
function Stage:clear()
  local endings = self.endings
  self.endings = {}
  for i = #endings, 1, -1 do
    endings[i]()
  end
  uv.run("nowait")
end

--- A new empty directory.
function Stage:directory()
  local path, remove = process.directory()
  self:at_end(remove)
  return path
end

local function keep(self, started)
  self:at_end(function()
    if not started.code then
      started:kill("sigkill")
    end
    started:wait_exit()
  end)
  return started
end

--- Starts the program. What it makes in the directory for temporary files goes with the stage, even
-- if it is killed.
function Stage:palenca(arguments, options)
  options = options or {}
  if arguments[1] == "dev" then
    local env = { TMPDIR = self:directory() }
    for name, value in pairs(options.env or {}) do
      env[name] = value
    end
    options = { env = env, cwd = options.cwd, log = options.log }
  end
  if os.getenv("SPEC_DB") == "postgresql" and arguments[1] == "serve" then
    options.env = options.env or {}
    options.env.PALENCA_LEASE_TIMEOUT = options.env.PALENCA_LEASE_TIMEOUT or "1"
  end
  return keep(self, process.palenca(arguments, options))
end

--- Starts any program.
function Stage:start(path, arguments, options)
  return keep(self, process.start(path, arguments, options))
end

--- Starts a sandbox; returns the process, its URL and its key.
function Stage:sandbox(extra)
  local started, url, key = process.sandbox(extra)
  return keep(self, started), url, key
end

--- A connection that is closed with the stage.
function Stage:connect(url)
  local connection = helper.connect(url)
  self:at_end(function()
    connection:close()
  end)
  return connection
end

--- An HTTP server in this process, as of http_server.listen, which is closed with the stage.
function Stage:server(on_request)
  local server = http_server.listen(on_request)
  self:at_end(function()
    server:close()
  end)
  return server
end

--- Serves a script: `{text=|path=, db=, arguments=, env=, directory=}`. Returns the process with
-- `url`, `db` and `directory`, once it receives.
function Stage:serve(options)
  local directory = options.directory or self:directory()
  local path = options.path or process.write_file(directory .. "/script.lua", options.text or "")
  local db = options.db or helper.database(directory)
  local arguments = { "serve", path, "--listen", "127.0.0.1:0", "--db", db }
  table.move(options.arguments or {}, 1, #(options.arguments or {}), #arguments + 1, arguments)
  local env = { PALENCA_API_KEY = "spec-key" }
  for name, value in pairs(options.env or {}) do
    env[name] = value
  end
  local started = self:palenca(arguments, { env = env })
  started.url = started:wait_output("stderr", "receiving webhooks at (http://[%d.:]+/[%w/]+)")
  started.db, started.directory = db, directory
  return started
end

--- Serves a script at a free port that is known before, for what has no log to read the port from.
-- @tparam string directory with the database
-- @tparam string script its path
-- @tparam table extra further arguments
-- @tparam function start is called with all arguments and the environment, and returns the process
-- @treturn table the process with `url` and `db`, once it has taken an event of the account "first"
function helper.serve_unseen(directory, script, extra, start)
  local address = "127.0.0.1:" .. helper.free_port()
  local db = directory .. "/events.db"
  local arguments = { "serve", script, "--listen", address, "--db", db }
  table.move(extra, 1, #extra, #arguments + 1, arguments)
  local served = start(arguments, { PALENCA_API_KEY = "spec-key" })
  served.url, served.db = "http://" .. address .. "/webhooks/palenca", db
  helper.ask_until(function()
    assert(not served.code, served:describe())
    local response = http.request("POST", served.url, helper.body({ account_id = "first" }))
    return response and response.status == 200
  end, "a response")
  return served
end

-- ---- events --------------------------------------------------------------------------

local bodies = 0

--- The body of an event; `fields` are those of its `data`. No two are the same.
function helper.body(fields)
  bodies = bodies + 1
  local data = { webhook_action = "login.success", platform = "uber" }
  for name, value in pairs(fields or {}) do
    data[name] = value
  end
  return cjson.encode({ webhook_url = "http://127.0.0.1/" .. bodies, data = data })
end

--- Posts an event and demands that it is taken.
function helper.post(url, fields)
  local response = assert(http.request("POST", url, helper.body(fields)), "no response")
  assert(response.status == 200, "responded with " .. response.status .. " " .. response.body)
end

--- The stored events, as `palenca events list --json` has them, in the order of their arrival.
function helper.events(db, extra)
  local arguments = { "events", "list", "--db", db, "--json" }
  table.move(extra or {}, 1, #(extra or {}), #arguments + 1, arguments)
  local status, out, err = process.run(process.reader(), arguments)
  assert(status == 0, "palenca events list: " .. status .. " " .. err)
  local newest_first, events = helper.lines_of_json(out), {}
  for at = #newest_first, 1, -1 do
    events[#events + 1] = newest_first[at]
  end
  return events
end

--- Waits until events, named by their ids or accounts, are in a state; returns them by those names.
-- One listing looks for all of them.
function helper.wait_states(db, names, state)
  return helper.ask_until(function()
    local found = {}
    for _, event in ipairs(helper.events(db)) do
      if event.state == state then
        found[event.id], found[event.account_id or event.id] = event, event
      end
    end
    for _, name in ipairs(names) do
      if not found[name] then
        return nil
      end
    end
    return found
  end, "events to be " .. state)
end

--- Waits until an event, named by its id or its account, is in a state; returns it.
function helper.wait_state(db, name, state)
  return helper.wait_states(db, { name }, state)[name]
end

--- Waits until all events are done or dead; returns them.
function helper.wait_ended(db)
  return helper.ask_until(function()
    local events = helper.events(db)
    for _, event in ipairs(events) do
      if event.state ~= "dead" and event.state ~= "done" then
        return false
      end
    end
    return events
  end, "all events to have ended")
end

--- Waits until what the program says holds `count` lines with a pattern. It is given up when there
-- is no further one for a minute.
function helper.wait_lines(started, stream, pattern, count)
  local function count_lines()
    return select(2, started[stream]:gsub(pattern, ""))
  end
  local seen = count_lines()
  while seen < count and not (started.code and started.open == 0) do
    process.wait_for(function()
      return count_lines() > seen or (started.code and started.open == 0)
    end, function()
      return count .. " times " .. pattern .. ", seen " .. seen
    end)
    seen = count_lines()
  end
  assert(seen >= count, "ended early\n" .. started:describe())
end

return helper

--- A PostgreSQL of the specs' own: started with its first use in a directory for temporary files,
-- as an unprivileged user, on a Unix socket, and ended with the process.
local uv = require("luv")
local process = require("spec.support.process")

local postgres = {}

-- Functions that statements of the specs have of SQLite, for columns of bytes.
local WORDS = [[
  CREATE SCHEMA spec;
  CREATE FUNCTION spec.hex(bytea) RETURNS text LANGUAGE sql AS $$ SELECT encode($1, 'hex') $$;
  CREATE FUNCTION spec.zeroblob(integer) RETURNS bytea LANGUAGE sql AS
    $$ SELECT decode(repeat('00', $1), 'hex') $$;
  CREATE FUNCTION spec.replace(bytea, text, text) RETURNS bytea LANGUAGE sql AS
    $$ SELECT convert_to(replace(convert_from($1, 'UTF8'), $2, $3), 'UTF8') $$;
  CREATE FUNCTION spec.instr(bytea, text) RETURNS integer LANGUAGE sql AS
    $$ SELECT position(convert_to($2, 'UTF8') IN $1) $$;
  CREATE FUNCTION spec.instr(text, text) RETURNS integer LANGUAGE sql AS
    $$ SELECT position($2 IN $1) $$;
]]

local Cluster = {}
Cluster.__index = Cluster

-- The directory of the newest version's programs, as Debian has them.
local function programs()
  local newest
  local directory = uv.fs_scandir("/usr/lib/postgresql")
  local name = directory and uv.fs_scandir_next(directory)
  while name do
    newest = math.max(newest or 0, tonumber(name) or 0)
    name = uv.fs_scandir_next(directory)
  end
  return ("/usr/lib/postgresql/%d/bin/"):format(assert(newest, "PostgreSQL is not installed"))
end

-- It does not run as root. With the process that has started it, it ends as well.
local function as_nobody(program, arguments, env)
  local line = { "--pdeathsig", "QUIT", program }
  if uv.getuid() == 0 then
    line = { "--pdeathsig", "QUIT", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups",
      program }
  end
  table.move(arguments, 1, #arguments, #line + 1, line)
  local all = { LC_ALL = "C", HOME = "/" }
  for name, value in pairs(env or {}) do
    all[name] = value
  end
  return "/usr/bin/setpriv", line, { env = all, cwd = "/" }
end

--- What starts one of its programs, with further variables: the path, arguments and options for
-- @{process.start}.
function postgres.command(program, arguments, env)
  return as_nobody(programs() .. program, arguments, env)
end

local function run(program, arguments)
  local path, line, options = postgres.command(program, arguments)
  local status, out, err = process.run(path, line, options)
  assert(status == 0, program .. ": " .. err .. out)
  return out
end

-- What a crash would leave of it in /dev/shm is in the directory.
local TESTS = { shared_buffers = "16MB", max_wal_size = "64MB",
  dynamic_shared_memory_type = "mmap" }

-- In memory, if there is room for it: it syncs much, and what a disk does is not its test.
local function new_directory(directory)
  if directory then
    return directory, function() end
  end
  local memory = uv.fs_statfs("/dev/shm")
  if memory and memory.bavail * memory.bsize >= 2 ^ 28 then
    local path = assert(uv.fs_mkdtemp("/dev/shm/palenca-spec-XXXXXX"))
    return path, function()
      process.run("/bin/rm", { "-rf", path })
    end
  end
  return process.directory()
end

--- Gives a file, or a directory, to who runs the server.
function postgres.give(path)
  if uv.getuid() == 0 then
    local found = io.popen("id -u nobody; id -g nobody")
    assert(uv.fs_chown(path, found:read("n"), found:read("n")))
    found:close()
  end
end

local function make_data(self, base)
  if base then
    run("pg_basebackup", { "-D", self.directory .. "/data", "-R", "-c", "fast", "--no-sync", "-d",
      base:url("postgres") .. "&application_name=standby" })
    self:start()
    return
  end
  run("initdb", { "-D", self.directory .. "/data", "-U", "palenca", "-A", "trust", "-E", "UTF8",
    "--locale=C", "--no-sync" })
  self:start()
  self:query(self:url("template1"), WORDS)
end

--- Makes one and starts it.
-- @tparam ?table options `directory`: an empty one of the caller's, who removes it, for a cluster
-- whose figures are to be those of its disk; `port` of 127.0.0.1 that it listens at as well;
-- `settings`: name → value; `env`: further variables of the server's environment; `preloaded`: a
-- library that it is started with; `room`: the bytes of a file system that only it sees, mounted at
-- its `room`; `base`, a cluster: it is a standby of that one, named "standby"
-- @treturn Cluster
function postgres.new(options)
  options = options or {}
  local directory, remove = new_directory(options.directory)
  local self = setmetatable({ directory = directory, remove = remove, databases = 0,
    options = options, port = options.port or 5432, room = directory .. "/room" }, Cluster)
  assert(uv.fs_mkdir(self.room, 448))
  self.env = options.env
  if options.preloaded then -- who runs it may not be able to read where that was built
    local copy = directory .. "/preloaded.so"
    assert(uv.fs_copyfile(options.preloaded, copy))
    self.env = { LD_PRELOAD = copy }
    for name, value in pairs(options.env or {}) do
      self.env[name] = value
    end
  end
  postgres.give(directory)
  postgres.give(self.room)
  -- to the connections of a test that runs as somebody else
  assert(uv.fs_chmod(directory, 493))
  make_data(self, options.base)
  return self
end

-- In a namespace of its own, where a file system is mounted for it.
function Cluster:with_room(program, arguments, process_options)
  if not self.options.room then
    return program, arguments, process_options
  end
  local is_root = uv.getuid() == 0
  local line = { "--mount", "/bin/sh", "-c", ([[mount -t tmpfs -o size=%d,mode=700%s room "$1" &&
    shift && exec %s "$@"]]):format(self.options.room, is_root and ",uid=nobody" or "",
    is_root and "" or ("unshare --map-user=%d --map-group=%d"):format(uv.getuid(), uv.getgid())),
    "sh", self.room, program }
  if not is_root then
    table.insert(line, 1, "--map-root-user")
  end
  return "/usr/bin/unshare", table.move(arguments, 1, #arguments, #line + 1, line), process_options
end

--- Starts it again, after @{stop} or @{kill}.
function Cluster:start()
  local arguments = { "-D", self.directory .. "/data", "-k", self.directory, "-p",
    tostring(self.port), "-h", self.options.port and "127.0.0.1" or "" }
  for _, settings in ipairs({ TESTS, self.options.settings or {} }) do
    for name, value in pairs(settings) do
      table.move({ "-c", name .. "=" .. value }, 1, 2, #arguments + 1, arguments)
    end
  end
  self.server = process.start(self:with_room(postgres.command("postgres", arguments, self.env)))
  self:wait_ready()
end

--- Waits until it takes connections, as after a crash of one of its processes.
function Cluster:wait_ready()
  process.poll_for(function()
    assert(not self.server.code, self.server.stderr)
    return (process.run(programs() .. "pg_isready", { "-q", "-h", self.directory, "-p",
      tostring(self.port) })) == 0
  end, "PostgreSQL to be ready")
end

--- Ends it: its connections are closed.
function Cluster:stop()
  self.server:kill("sigint")
  self.server:wait_exit()
end

--- Ends it as a crash does.
function Cluster:kill()
  self.server:kill("sigquit")
  self.server:wait_exit()
end

--- Ends it for good.
function Cluster:close()
  self:stop()
  self.remove()
end

--- What a database says to statements, which need not name the schema.
function Cluster.query(_, url, sql)
  local status, out, err = process.run("/usr/bin/psql", { url, "-XAtqv", "ON_ERROR_STOP=1", "-c",
    sql }, { env = { PGOPTIONS = "-csearch_path=palenca,spec -cbytea_output=escape" } })
  assert(status == 0, err)
  return (out:gsub("\n$", ""))
end

--- The bytes of all rows of a database.
function Cluster:rows(url)
  local copies = self:query(url, "SELECT string_agg(format('COPY palenca.%I TO STDOUT (FORMAT "
    .. "binary)', relname), ';') FROM pg_class WHERE relkind = 'r' "
    .. "AND relnamespace = 'palenca'::regnamespace")
  return self:query(url, copies)
end

--- Runs pgbench at a database; returns its transactions a second.
function Cluster.bench(_, url, arguments)
  local line = table.move(arguments, 1, #arguments, 1, {})
  line[#line + 1] = url
  local status, out, err = process.run(programs() .. "pgbench", line)
  assert(status == 0, err)
  return tonumber(out:match("tps = ([%d.]+)"))
end

--- Changes a setting of the server while it runs.
function Cluster:set(name, value)
  self:query(self:url("postgres"), ("ALTER SYSTEM SET %s = '%s'"):format(name, value))
  self:query(self:url("postgres"), "SELECT pg_reload_conf()")
end

--- Has the server wait with commits, from now on: for a standby that there is not. They are on its
-- disk already. @{release_commits} ends that.
function Cluster:hold_commits(url)
  self:set("synchronous_standby_names", "missing")
  local tables = 0
  process.poll_for(function()
    tables = tables + 1
    local probe = process.start("/usr/bin/psql", { url, "-Xqc",
      ("SET synchronous_commit = on; CREATE TABLE probe%d ()"):format(tables) })
    process.poll_for(function()
      return probe.code or self:query(url, "SELECT count(*) FROM pg_stat_activity "
        .. "WHERE application_name = 'psql' AND wait_event = 'SyncRep'") == "1"
    end, "a commit to wait")
    local is_held = not probe.code
    probe:kill("sigkill")
    probe:wait_exit()
    return is_held
  end, "commits to wait")
end

function Cluster:release_commits()
  self:set("synchronous_standby_names", "")
end

--- The URL of a database of its name.
function Cluster:url(name)
  return ("postgresql://palenca@/%s?host=%s&port=%d"):format(name, self.directory, self.port)
end

--- Makes an empty database; returns its URL.
function Cluster:database()
  self.databases = self.databases + 1
  local name = "spec" .. self.databases
  self:query(self:url("postgres"), "CREATE DATABASE " .. name)
  return self:url(name)
end

--- Drops one, with what is connected to it.
function Cluster:drop(url)
  self:query(self:url("postgres"), "DROP DATABASE " .. url:match("/(%w+)%?") .. " WITH (FORCE)")
end

--- Makes a copy of a database that nobody uses; returns its URL.
function Cluster:copy(url)
  local copy = self:database()
  local status, _, err = process.run("/bin/sh", { "-c", 'pg_dump -n palenca "$0" | psql -qX "$1"',
    url, copy })
  assert(status == 0 and err == "", err)
  return copy
end

local shared

--- The one that the specs of this process share.
function postgres.shared()
  shared = shared or postgres.new()
  return shared
end

--- Ends that one, if it was used.
function postgres.close_shared()
  if shared then
    shared:close()
  end
  shared = nil
end

--- Whether a database is at a server.
function postgres.is_url(db)
  return db:find("^postgresql://") ~= nil
end

return postgres

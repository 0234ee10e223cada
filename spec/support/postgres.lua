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

local TESTS = { shared_buffers = "16MB", max_wal_size = "64MB" }

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

--- Makes one and starts it.
-- @tparam ?table options `directory`: an empty one of the caller's, who removes it, for a cluster
-- whose figures are to be those of its disk; `settings`: name → value; `env`: further variables of
-- the server's environment; `base`, a cluster: it is a standby of that one, named "standby"
-- @treturn Cluster
function postgres.new(options)
  options = options or {}
  local base = options.base
  local directory, remove = new_directory(options.directory)
  local self = setmetatable({ directory = directory, remove = remove, databases = 0,
    env = options.env, settings = options.settings or TESTS }, Cluster)
  if uv.getuid() == 0 then
    local found = io.popen("id -u nobody; id -g nobody")
    assert(uv.fs_chown(directory, found:read("n"), found:read("n")))
    found:close()
  end
  -- to the connections of a test that runs as somebody else
  assert(uv.fs_chmod(directory, 493))
  if base then
    run("pg_basebackup", { "-D", directory .. "/data", "-R", "-c", "fast", "--no-sync", "-d",
      base:url("postgres") .. "&application_name=standby" })
    self:start()
  else
    run("initdb", { "-D", directory .. "/data", "-U", "palenca", "-A", "trust", "-E", "UTF8",
      "--locale=C", "--no-sync" })
    self:start()
    self:query(self:url("template1"), WORDS)
  end
  return self
end

--- Starts it again, after @{stop} or @{kill}.
function Cluster:start()
  local arguments = { "-D", self.directory .. "/data", "-k", self.directory, "-c",
    "listen_addresses=" }
  for name, value in pairs(self.settings) do
    table.insert(arguments, "-c")
    table.insert(arguments, name .. "=" .. value)
  end
  self.server = process.start(postgres.command("postgres", arguments, self.env))
  process.poll_for(function()
    assert(not self.server.code, self.server.stderr)
    return (process.run(programs() .. "pg_isready", { "-q", "-h", self.directory })) == 0
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

--- The URL of a database of its name.
function Cluster:url(name)
  return ("postgresql://palenca@/%s?host=%s"):format(name, self.directory)
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

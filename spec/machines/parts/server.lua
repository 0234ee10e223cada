--- A PostgreSQL at a machine of its own, with a disk that can lose what was not synced: a file
-- system in a file in memory. A power cut is the kernel's shutdown of a file system, which writes
-- nothing more to its disk, not even its journal; the next mount reads what the disk has.
local uv = require("luv")
local network = require("spec.machines.parts.network")
local postgres = require("spec.support.postgres")
local process = require("spec.support.process")

local server = {}

local PASSWORD = "rounds"
local WORK = "/run/machines"
local DISK, MOUNTED = WORK .. "/disk", WORK .. "/mounted"

-- EXT4_IOC_SHUTDOWN without a flush of the journal
local SHUTDOWN = [[
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack("I", 2))
]]

local function must(path, arguments, options)
  local status, out, err = process.run(path, arguments, options)
  assert(status == 0, path .. " " .. table.concat(arguments, " ") .. ": " .. err .. out)
  return out
end

local function mount()
  must("/usr/bin/mount", { "-o", "loop", DISK, MOUNTED })
end

local running, stopped -- the process; the ids of those that were stopped

local function await_server()
  process.poll_for(function()
    assert(not running.code, "PostgreSQL has ended; see its log")
    return (process.run("/usr/bin/pg_isready", { "-q", "-h", network.address("database") })) == 0
  end, "PostgreSQL to be ready")
end

--- Starts it, again; returns once it is ready.
function server.start()
  local path, line, options = postgres.command("postgres", { "-D", MOUNTED .. "/data", "-k", "",
    "-c", "listen_addresses=" .. network.address("database"), "-c", "shared_buffers=64MB",
    "-c", "max_wal_size=256MB", "-c", "log_line_prefix=%m [%p] %h %a " })
  path, line = network.command("database", path, line)
  options.log = WORK .. "/postgres.log"
  running = process.start(path, line, options)
  await_server()
end

--- Makes it.
function server.create()
  must("/usr/bin/truncate", { "-s", "2G", DISK })
  must("/usr/sbin/mkfs.ext4", { "-q", DISK })
  assert(uv.fs_mkdir(MOUNTED, 493))
  mount()
  local data = MOUNTED .. "/data"
  assert(uv.fs_mkdir(data, 448))
  must("/usr/bin/chown", { "nobody:nogroup", data })
  process.write_file(WORK .. "/password", PASSWORD)
  must(postgres.command("initdb", { "-D", data, "-U", "palenca", "-A", "scram-sha-256", "--pwfile",
    WORK .. "/password", "-E", "UTF8", "--locale=C" }))
  local access = assert(io.open(data .. "/pg_hba.conf", "a"))
  access:write("host all all 10.77.0.0/16 scram-sha-256\n")
  access:close()
  must("/usr/bin/sync", { "-f", MOUNTED })
  server.start()
  server.query("CREATE DATABASE palenca", "postgres")
end

--- The URL of its database, with the password.
-- @tparam ?boolean is_weak asks for synchronous_commit=off
function server.url(is_weak)
  return ("postgresql://palenca:%s@%s/palenca%s"):format(PASSWORD, network.address("database"),
    is_weak and "?options=-csynchronous_commit%3Doff" or "")
end

--- What it says to a statement, as psql prints it: a row a line, columns behind each other with a
-- bar between them.
function server.query(sql, database)
  return must("/usr/bin/psql", { "-h", network.address("database"), "-U", "palenca", "-d",
    database or "palenca", "-XAtqv", "ON_ERROR_STOP=1", "-c", sql },
    { env = { PGPASSWORD = PASSWORD } })
end

-- ---- trouble ---------------------------------------------------------------------------

local function children()
  local file = io.open(("/proc/%d/task/%d/children"):format(running.pid, running.pid))
  local list = {}
  for pid in (file and file:read("a") or ""):gmatch("%d+") do
    list[#list + 1] = tonumber(pid)
  end
  if file then
    file:close()
  end
  return list
end

--- Stops all of its processes.
function server.stop()
  stopped = { running.pid }
  uv.kill(running.pid, "sigstop") -- from now on it starts none
  for _, pid in ipairs(children()) do
    uv.kill(pid, "sigstop")
    stopped[#stopped + 1] = pid
  end
end

--- Has them go on.
function server.continue()
  for _, pid in ipairs(stopped) do
    uv.kill(pid, "sigcont")
  end
end

local function kill_stopped()
  for _, pid in ipairs(stopped) do
    uv.kill(pid, "sigkill")
  end
  running:wait_exit()
  process.poll_for(function()
    for _, pid in ipairs(stopped) do
      if uv.kill(pid, 0) == 0 then
        return false
      end
    end
    return true
  end, "the end of PostgreSQL's processes")
end

--- Kills all of its processes.
function server.kill()
  server.stop()
  kill_stopped()
end

--- Kills it, and of its disk only what was synced is left. The other machines learn nothing of it
-- until its network is back.
function server.cut_power()
  for _, machine in ipairs(network.hosts) do
    network.cut(machine, "database")
  end
  server.stop()
  must("/usr/bin/python3", { "-c", SHUTDOWN, MOUNTED })
  kill_stopped()
  must("/usr/bin/umount", { MOUNTED })
end

--- Starts it after that.
function server.restore_power()
  mount()
  for _, machine in ipairs(network.hosts) do
    network.join(machine, "database")
  end
  server.start()
end

return server

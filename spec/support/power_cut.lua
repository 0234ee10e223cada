--- Lets the power of a program go off that runs with spec/support/power_cut.c: what it had not
-- synced is lost, or is kept in part.
local uv = require("luv")
local process = require("spec.support.process")

local power_cut = {}

-- What a disk writes completely or not at all.
local SECTOR = 512
local CHUNK = 128 * SECTOR

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local function files(directory)
  local found = {}
  for name, kind in uv.fs_scandir_next, assert(uv.fs_scandir(directory)) do
    if kind == "file" then
      found[name] = directory .. "/" .. name
    end
  end
  return found
end

--- The environment to start a program in.
-- @tparam string directory the files of which may lose what was not synced
-- @tparam string disk another directory; emptied, and filled with what is synced
-- @treturn table for the `env` of `process.start`
function power_cut.environment(directory, disk)
  process.run("/bin/rm", { "-rf", disk })
  assert(uv.fs_mkdir(disk, 448))
  local library = process.program():gsub("/bin/[^/]*$", "/spec/libpower_cut.so")
  return { LD_PRELOAD = library, POWER_CUT_DIRECTORY = directory, POWER_CUT_DISK = disk }
end

-- Sectors that differ come from either; so does the length.
local function mix(written, synced, is_kept)
  if written == synced then
    return synced
  end
  local size = is_kept() and #written or #synced
  local parts = {}
  for at = 1, size, CHUNK do
    local new, old = written:sub(at, at + CHUNK - 1), synced:sub(at, at + CHUNK - 1)
    if new == old then
      parts[#parts + 1] = old
    else
      for sector = 1, CHUNK, SECTOR do
        local text = (is_kept() and new or old):sub(sector, sector + SECTOR - 1)
        parts[#parts + 1] = text .. ("\0"):rep(SECTOR - #text)
      end
    end
  end
  local text = table.concat(parts):sub(1, size)
  return text .. ("\0"):rep(size - #text)
end

-- The file of the disk that belongs to each name as the program saw it last.
local function written_names(directory, disk)
  local latest = {}
  for name in pairs(files(disk)) do
    local inode, generation = name:match("^(%d+)%.(%d+)$")
    if inode then
      latest[inode] = math.max(latest[inode] or 0, tonumber(generation))
    end
  end
  local names = {}
  for name, path in pairs(files(directory)) do
    local inode = string.format("%d", uv.fs_stat(path).ino)
    names[name] = inode .. "." .. (latest[inode] or "new")
  end
  return names
end

local function synced_names(disk)
  local names = {}
  for id, name in read(disk .. "/names"):gmatch("(%S+) ([^\n]+)") do
    names[name] = id
  end
  return names
end

--- Takes the files of a killed program back to what the disk has.
-- @tparam string directory the one that the program ran in
-- @tparam string disk where it synced to
-- @tparam function is_kept asked for each thing that was not synced: whether it has reached the
-- disk all the same
function power_cut.strike(directory, disk, is_kept)
  local written, synced = written_names(directory, disk), synced_names(disk)
  local all, on_disk = {}, files(disk)
  for name in pairs(written) do
    all[#all + 1] = name
  end
  for name in pairs(synced) do
    all[#all + 1] = written[name] == nil and name or nil
  end
  table.sort(all) -- so that a seed gives the same again
  for _, name in ipairs(all) do
    local path = directory .. "/" .. name
    local id = synced[name]
    if written[name] ~= id and is_kept() then
      id = written[name]
    end
    if not id or name:find("%-shm$") then -- SQLite's index of its log is memory in a file
      os.remove(path)
    else
      local durable = on_disk[id] and read(on_disk[id]) or ""
      write(path, written[name] == id and mix(read(path), durable, is_kept) or durable)
    end
  end
end

return power_cut

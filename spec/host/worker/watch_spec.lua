--- A served script that is watched, whatever the path to it is made of and however it changes.
local uv = require("luv")
local helper = require("spec.host.helper")
local process = require("spec.support.process")

describe("a script that is watched", function()
  local stage = helper.stage_for_each()
  local root

  before_each(function()
    root = stage:directory()
  end)

  -- Each version says its name when it is loaded.
  local function write(path, version)
    process.write_file(root .. "/" .. path, string.format(
      "require 'palenca'.on('*', print) print('version %s')", version))
  end

  local function make(path)
    assert(uv.fs_mkdir(root .. "/" .. path, 448))
  end

  local function move(from, to)
    assert(os.rename(root .. "/" .. from, root .. "/" .. to))
  end

  -- As a shell does with `ln -sfn`.
  local function link(target, path)
    assert(uv.fs_symlink(target, root .. "/" .. path .. ".new"))
    move(path .. ".new", path)
  end

  local function serve(path)
    return stage:serve({ path = root .. "/" .. path, directory = stage:directory(),
      arguments = { "--watch", "--workers", "1" } })
  end

  -- Once it goes on with the version, nothing is left to be loaded of what was before.
  local function wait_version(served, version)
    served:wait_output("stdout", "version " .. version .. "\n")
    served:wait_output("stderr", ("reloaded: .*"):rep(version - 1))
  end

  it("follows the links of a ConfigMap, swapped again and again", function()
    make("..2026_1")
    write("..2026_1/mine.lua", 1)
    process.write_file(root .. "/..2026_1/part.lua", "return 1")
    link("..2026_1", "..data")
    link("..data/mine.lua", "mine.lua")
    link("..data/part.lua", "part.lua")
    local served = serve("mine.lua")
    for version = 2, 5 do
      local new, old = "..2026_" .. version, "..2026_" .. version - 1
      make(new)
      write(new .. "/mine.lua", version)
      process.write_file(root .. "/" .. new .. "/part.lua", "return 1")
      link(new, "..data")
      process.run("/bin/rm", { "-r", root .. "/" .. old })
      wait_version(served, version)
    end
    write("..2026_5/mine.lua", 6) -- written where the links lead to now
    wait_version(served, 6)
    assert.are.equal(0, served:stop(), served.stderr)
    assert.are.equal(5, select(2, served.stderr:gsub("reloaded: ", "")))
  end)

  it("is found behind another link of any directory of its path", function()
    for version = 1, 3 do
      make("release" .. version)
      make("release" .. version .. "/inner")
      write("release" .. version .. "/inner/mine.lua", version)
    end
    link("release1", "current")
    local served = serve("current/inner/mine.lua")
    link(root .. "/release2", "current")
    wait_version(served, 2)
    link("release3", "current")
    wait_version(served, 3)
    write("release3/inner/mine.lua", 4)
    wait_version(served, 4)
    write("release1/inner/mine.lua", "of before") -- nobody's
    write("release3/inner/mine.lua", 5)
    wait_version(served, 5)
    assert.are.equal(0, served:stop(), served.stderr)
    assert.is_nil(served.stdout:find("of before", 1, true))
  end)

  it("is found in a directory that is replaced, removed and made again, or moved away and back",
    function()
      make("scripts")
      write("scripts/mine.lua", 1)
      local served = serve("scripts/mine.lua")
      make("new")
      write("new/mine.lua", 2)
      move("scripts", "old")
      move("new", "scripts")
      wait_version(served, 2)
      process.run("/bin/rm", { "-r", root .. "/scripts" })
      make("scripts")
      write("scripts/mine.lua", 3)
      wait_version(served, 3)
      move("scripts", "away")
      write("away/mine.lua", 4)
      move("away", "scripts")
      wait_version(served, 4)
      write("scripts/mine.lua", 5)
      wait_version(served, 5)
      assert.are.equal(0, served:stop(), served.stderr)
    end)

  it("is loaded anew when it is removed and made again, renamed over, or written in place",
    function()
      write("mine.lua", 1)
      local served = serve("mine.lua")
      assert(os.remove(root .. "/mine.lua"))
      write("mine.lua", 2)
      wait_version(served, 2)
      write(".mine.lua.swp", 3)
      move(".mine.lua.swp", "mine.lua")
      wait_version(served, 3)
      move("mine.lua", "mine.lua~")
      write("mine.lua", 4)
      wait_version(served, 4)
      write("mine.lua", 5)
      wait_version(served, 5)
      link("mine.lua~", "mine.lua")
      served:wait_output("stdout", "version 3\n.*version 3\n")
      assert.are.equal(0, served:stop(), served.stderr)
    end)

  it("is not loaded while it is being written, wherever it is made", function()
    make("scripts")
    write("scripts/mine.lua", 1)
    local served = serve("scripts/mine.lua")
    make("new")
    local file = assert(io.open(root .. "/new/mine.lua", "w"))
    file:write("print 'half'\n")
    file:flush()
    move("scripts", "old")
    move("new", "scripts")
    for _ = 1, 5 do -- longer than a change has to wait for another one
      local timer, is_over = uv.new_timer(), false
      timer:start(100, 0, function()
        is_over = true
      end)
      process.wait_for(function()
        return is_over
      end, "a pause")
      timer:close()
      file:write(" ")
      file:flush()
    end
    file:write("print 'version 2'")
    file:close()
    wait_version(served, 2)
    assert.are.equal(0, served:stop(), served.stderr)
    assert.are.equal(1, select(2, served.stdout:gsub("half\n", "")))
  end)

  it("is loaded anew when a module that it requires changes, wherever that is", function()
    make("lib")
    make("lib/inner")
    make("elsewhere")
    process.write_file(root .. "/lib/inner/part.lua", "return 'version 1'")
    process.write_file(root .. "/elsewhere/far.lua", "return 'far 1'")
    link("../../elsewhere/far.lua", "lib/inner/far.lua")
    process.write_file(root .. "/mine.lua", [[
      print(require "lib.inner.far")
      print((require "lib.inner.part"))
    ]])
    local served = serve("mine.lua")
    process.write_file(root .. "/lib/inner/part.lua", "return 'version 2'")
    wait_version(served, 2)
    process.write_file(root .. "/elsewhere/far.lua", "return 'far 2'")
    served:wait_output("stdout", "far 2")
    served:wait_output("stderr", ("reloaded: .*"):rep(2))
    process.write_file(root .. "/elsewhere/farther.lua", "return 'far 3'")
    link("../../elsewhere/farther.lua", "lib/inner/far.lua")
    served:wait_output("stdout", "far 3")
    assert.are.equal(0, served:stop(), served.stderr)
  end)
end)

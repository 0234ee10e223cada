--- Runs files of specs by busted where this is called: inside of nginx.
local runner = {}

-- Specs that start an interpreter of their own ask luv for the one they run under.
local function name_interpreter()
  require("luv").exepath = function()
    return "/usr/bin/luajit"
  end
end

-- It leaves itself changed by a run, for which it is a process's only one elsewhere.
local function forget_busted()
  for name in pairs(package.loaded) do
    if name == "busted" or name:find("^busted%.") then
      package.loaded[name] = nil
    end
  end
end

--- Runs one file.
-- @tparam string file its path
-- @treturn table `{successes=, failures= list of texts}`
function runner.run(file)
  name_interpreter()
  forget_busted()
  local busted = require("busted.core")()
  require("busted")(busted)
  local found = { successes = 0, failures = {} }
  local function bad(element, _, message)
    found.failures[#found.failures + 1] = (element.name or element.descriptor) .. ": "
      .. tostring(message)
    return nil, true
  end
  busted.subscribe({ "error" }, bad)
  busted.subscribe({ "failure" }, bad)
  busted.subscribe({ "test", "end" }, function(_, _, status)
    if status == "success" then
      found.successes = found.successes + 1
    end
    return nil, true
  end)
  require("busted.luajit")()
  require("busted.modules.test_file_loader")(busted, { "lua" })({ file }, { "_spec" }, {
    excludes = {}, verbose = false, recursive = false,
  })
  require("busted.execute")(busted)(1, { seed = 1 })
  return found
end

return runner

--- palenca version: the version of the program, and of the libraries that it uses.
-- @module palenca.host.cli.version
local core = require("palenca.core")
local host = require("palenca.host")
local output = require("palenca.host.cli.output")

local version = {
  name = "version",
  summary = "Print the version.",
  is_text = true,
}

function version.define(command)
  command:flag("--verbose", "Print those of the libraries, too.")
end

function version.run(given)
  output.text("palenca " .. core.version)
  for _, library in ipairs(given.verbose and host.versions() or {}) do
    output.text(string.format("%-13s %s", library.name, library.version))
  end
end

return version

--- Declares the option of the listener for whoever watches `palenca serve`, and opens it.
-- @module palenca.host.cli.admin_options
local host = require("palenca.host")
local options = require("palenca.host.cli.options")
local program_log = require("palenca.host.program_log")

local admin_options = {}

local function place(text)
  if text:find("^unix:/.") then
    return text
  end
  local address = options.address(text)
  if not address then
    return nil, string.format(
      "'%s' is not an address and port, such as 127.0.0.1:9090, nor unix:/path", text)
  end
  return address
end

--- Adds it.
-- @param command of argparse
function admin_options.define(command)
  options.add_all(command, {
    { "--admin", "Address and port (port 0: any free one), or unix:/path, of a listener with "
      .. "/metrics, /healthz and /readyz.", nil, place, "ADDRESS" },
  })
end

-- The name of a library as a label.
local function label_name(library)
  return (library:lower():gsub("[^%w]", "_"))
end

local function build_labels()
  local labels = {}
  local function add(name, version)
    labels[#labels + 1] = string.format('%s="%s"', name,
      (version:gsub("[\\\"]", "\\%0"):gsub("%c", " ")))
  end
  add("version", require("palenca.core").version)
  for _, library in ipairs(host.versions()) do
    add(label_name(library.name), library.version)
  end
  return table.concat(labels, ",")
end

--- Opens the listener, if one is wanted; logs where it is.
-- @tparam table given the parsed options
-- @return the host's monitor; nil if none is wanted, or on failure
-- @treturn ?string why it could not be opened
function admin_options.open(given)
  if not given.admin then
    return nil
  end
  host.metrics.set_phase("starting")
  local monitor, problem = host.monitor({ listen = given.admin, build = build_labels() })
  if not monitor then
    return nil, problem .. " (see --admin)"
  end
  local address = monitor:address()
  local url = address:find("^unix:") and address or "http://" .. address
  program_log.line("metrics and health at " .. url, { event = "admin", url = url })
  if not monitor:is_local() then
    program_log.line(string.format("palenca: warning: other machines can read the metrics at %s; "
      .. "--admin 127.0.0.1:PORT keeps them to this one", url),
      { event = "admin_open", level = "warning", url = url })
  end
  return monitor
end

return admin_options

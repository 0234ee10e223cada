--- Declares the option of the listener for whoever watches `palenca serve`, and opens it.
-- @module palenca.host.cli.admin_options
local host = require("palenca.host")
local json = require("palenca.util.json")
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
      .. "/metrics, /healthz and /readyz; and with a page of the events, if no other machine can "
      .. "reach it.", nil, place, "ADDRESS" },
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

local function url_of(monitor)
  local address = monitor:address()
  return address:find("^unix:") and address or "http://" .. address
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
  local url = url_of(monitor)
  program_log.line("metrics and health at " .. url, { event = "admin", url = url })
  if not monitor:is_local() then
    program_log.line(string.format("palenca: warning: other machines can read the metrics at %s; "
      .. "--admin 127.0.0.1:PORT keeps them to this one", url),
      { event = "admin_open", level = "warning", url = url })
  end
  return monitor
end

local Page = {}

-- The threads end before the listener, whose requests they have.
function Page.__close(page)
  for _, thread in ipairs(page) do
    thread:ask("stop")
  end
  for _, thread in ipairs(page) do
    thread:close()
  end
end

-- Seconds for which a thread is waited for.
local START_TIMEOUT = 5

local function start_threads(given)
  local page = setmetatable({}, Page)
  -- two of those that write: a body can be shown while a purge takes its time
  for _, method in ipairs({ "GET", "POST", "POST" }) do
    local thread, problem = host.start("palenca.host.admin_thread", json.encode({
      db = given.db,
      method = method,
      json = given.json,
      log_level = given.log_level,
      log_has_dates = program_log.has_dates(),
    }))
    page[#page + 1] = thread
    if thread then
      local is_ready
      is_ready, problem = thread:wait_ready(START_TIMEOUT)
      problem = not is_ready and (problem or "its thread does not start") or nil
    end
    if problem then
      program_log.line(string.format("palenca: no admin page: %s", problem),
        { event = "admin_page", level = "warning", is_on = false, error = problem })
    end
  end
  return page
end

--- Serves the page at the listener, once the database is there.
-- @tparam table given the parsed options
-- @param monitor as @{open} has returned it
-- @return what ends it, to be closed before the monitor; nil if there is no page
function admin_options.open_page(given, monitor)
  if not monitor then
    return nil
  end
  local url = url_of(monitor)
  if not monitor:is_local() then
    program_log.line(string.format("palenca: no admin page: other machines can reach %s", url),
      { event = "admin_page", url = url, is_on = false })
    return nil
  end
  program_log.line(string.format("admin page at %s", url),
    { event = "admin_page", url = url, is_on = true })
  return start_threads(given)
end

return admin_options

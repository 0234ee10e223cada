--- Starts programs for the specs, reads what they print, and sees to it that they end.
local uv = require("luv")

local process = {}

local Process = {}

-- What it has printed is put together when it is read: each piece added to a text of megabytes
-- would copy all of it.
function Process:__index(name)
  local pieces = (name == "stdout" or name == "stderr") and rawget(self, "pieces")[name]
  if not pieces then
    return Process[name]
  end
  self[name] = table.concat(pieces)
  return self[name]
end

-- Only a bound against hanging forever: every wait ends with its event. Seconds are counted one by
-- one, so that a machine that stood still for a minute has used up one of them.
local TIMEOUT = 60
local RUN_TIMEOUT = 600

-- A write to a connection that the program has closed is a response for a spec, not its end.
local on_broken_pipe = uv.new_signal()
on_broken_pipe:start("sigpipe", function() end)
on_broken_pipe:unref()

--- Runs the event loop until `ready` returns something true; raises after a minute, or after
-- `timeout` seconds.
function process.wait_for(ready, what, timeout)
  local seconds = 0
  local timer = uv.new_timer()
  timer:start(1000, 1000, function()
    seconds = seconds + 1
  end)
  local result = ready()
  while not result and seconds < (timeout or TIMEOUT) do
    uv.run("once")
    result = ready()
  end
  timer:close()
  uv.run("nowait")
  if not result then
    error("waited in vain for " .. (type(what) == "function" and what() or what), 2)
  end
  return result
end

--- The same, polled every 10 ms, for changes without an event.
function process.poll_for(ready, what)
  local timer = uv.new_timer()
  timer:start(10, 10, function() end)
  local ok, result = pcall(process.wait_for, ready, what)
  timer:close()
  return ok and result or error(result, 2)
end

local function collect(self, pipe, name)
  pipe:read_start(function(_, data)
    if data then
      local text = rawget(self, name)
      if text then
        self.pieces[name], self[name] = { text }, nil
      end
      table.insert(self.pieces[name], data)
    else
      pipe:close()
      self.open = self.open - 1
    end
  end)
end

local function merged_environment(extra, keep_preload)
  local merged = uv.os_environ()
  -- what a person has set up must not leak into a test
  for name in pairs(merged) do
    if name:find("^PALENCA_")
      or (not keep_preload and (name == "LD_PRELOAD" or name == "ASAN_OPTIONS"))
    then
      merged[name] = nil
    end
  end
  for name, value in pairs(extra or {}) do
    merged[name] = value
  end
  local list = {}
  for name, value in pairs(merged) do
    list[#list + 1] = name .. "=" .. value
  end
  return list
end

--- The program under test.
function process.program()
  return assert(os.getenv("SPEC_PROGRAM"), "SPEC_PROGRAM must name the built palenca program")
end

--- The program that looks into a database for a test: plain, where the one under test is built
-- with sanitizers, which makes its start slow.
function process.reader()
  return os.getenv("SPEC_READER") or process.program()
end

--- Starts a program.
-- @tparam string path of the program
-- @tparam table arguments
-- @tparam ?table options `env` (name → value, on top of this process's), `cwd`, `log` (a file that
-- what it prints goes to, instead of being collected here)
function process.start(path, arguments, options)
  options = options or {}
  -- spec/run loads the sanitizers' runtime before the interpreters, which load the module; the
  -- program has its own, and other programs are none of their business
  local is_interpreter = path:find("lua[%w.]*$") or path:find("busted$")
  local environment = merged_environment(options.env, is_interpreter)
  if path == os.getenv("SPEC_PROGRAM") and os.getenv("SPEC_SANITIZED") then
    environment[#environment + 1] = "ASAN_OPTIONS=detect_leaks=1"
    environment[#environment + 1] = "LSAN_OPTIONS=print_suppressions=0:suppressions=" .. uv.cwd()
      .. "/spec/support/leak_suppressions"
  end
  local self = setmetatable({
    stdout = "", stderr = "", pieces = {}, open = options.log and 0 or 2,
  }, Process)
  local out, err, log, handle, pid
  if options.log then
    log = assert(uv.fs_open(options.log, "a", 384)) -- only for its owner
  else
    out, err = uv.new_pipe(false), uv.new_pipe(false)
  end
  handle, pid = uv.spawn(path, {
    args = arguments,
    env = environment,
    cwd = options.cwd,
    stdio = { nil, out or log, err or log },
  }, function(code, signal)
    self.code, self.signal = code, signal
    handle:close()
  end)
  assert(handle, "cannot start " .. path .. ": " .. tostring(pid))
  self.handle, self.pid = handle, pid
  if log then
    uv.fs_close(log)
  else
    collect(self, out, "stdout")
    collect(self, err, "stderr")
  end
  return self
end

--- Starts the program under test.
function process.palenca(arguments, options)
  return process.start(process.program(), arguments, options)
end

--- Runs a program to its end: returns its exit status, what it printed, and what it complained of.
-- It may compute for long, on a busy machine for longer.
function process.run(path, arguments, options)
  local self = process.start(path, arguments, options)
  return self:wait_exit(RUN_TIMEOUT), self.stdout, self.stderr
end

function Process:describe()
  return string.format("stdout:\n%s\nstderr:\n%s\nexit status: %s, signal: %s",
    self.stdout, self.stderr, tostring(self.code), tostring(self.signal))
end

--- Waits until what it printed to `stream` ("stdout" or "stderr") fits a pattern; returns the
-- captures. Raises at once if it ends without.
function Process:wait_output(stream, pattern)
  local found
  process.wait_for(function()
    found = { self[stream]:match(pattern) }
    return #found > 0 or (self.code and self.open == 0)
  end, function()
    return pattern .. " in\n" .. self:describe()
  end)
  if #found == 0 then
    error("ended without " .. pattern .. "\n" .. self:describe(), 2)
  end
  return (table.unpack or unpack)(found) -- luacheck: ignore 113
end

--- Waits until it has ended, for a minute or `timeout` seconds; returns its exit status (128 + the
-- signal that ended it).
function Process:wait_exit(timeout)
  process.wait_for(function()
    return self.code and self.open == 0
  end, function()
    return "the end of the program\n" .. self:describe()
  end, timeout)
  return self.signal ~= 0 and 128 + self.signal or self.code
end

--- Sends a signal, such as "sigint".
function Process:kill(signal)
  if not self.code then
    self.handle:kill(signal)
  end
end

--- Ends it the polite way; returns its exit status.
function Process:stop()
  self:kill("sigterm")
  return self:wait_exit()
end

--- Starts a sandbox; returns the process, its URL and its key.
-- @tparam ?table extra further arguments
function process.sandbox(extra)
  local arguments = { "sandbox", "--listen", "127.0.0.1:0", "--api-key", "spec-key",
    "--webhook-delay", "0" }
  for _, argument in ipairs(extra or {}) do
    arguments[#arguments + 1] = argument
  end
  local self = process.palenca(arguments)
  return self, self:wait_output("stderr", "(http://127%.0%.0%.1:%d+)"), "spec-key"
end

--- A new empty directory, and what removes it.
function process.directory()
  local path = assert(uv.fs_mkdtemp((os.getenv("TMPDIR") or "/tmp") .. "/palenca-spec-XXXXXX"))
  return path, function()
    process.run("/bin/rm", { "-rf", path })
  end
end

--- Makes a key and a certificate of localhost that vouches for itself; returns their paths.
function process.certificate(directory)
  local key, certificate = directory .. "/key.pem", directory .. "/certificate.pem"
  assert(process.run("openssl", {
    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
    "-days", "2", "-keyout", key, "-out", certificate,
  }) == 0)
  return key, certificate
end

--- Writes a file.
function process.write_file(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

return process

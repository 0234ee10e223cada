--- No source, spec, document or page has a word of the project's own where the field has a term.

-- Lua patterns of words, in lower case, and the term to use. A pattern has to fit from the start of
-- a word; an underscore and a capital start one, too.
local WORDS = {
  { "refus%a*", "reject, rejection" },
  { "answer%a*", "response, respond; return" },
  { "agendas?", "timer queue" },
  { "pacers?", "rate limiter" },
  { "lanes?", "send queue" },
  { "mailbox%a*", "queue" },
  { "sparing%a*", "rate-limited" },
  { "kept aside", "dead letter" },
  { "redeliver%a*", "duplicate, deduplication window" },
  { "patien%a*", "timeout, max" },
  { "flood%a*", "burst" },
  { "crowded", "exhausted" },
  { "tid[yi]%a*", "drop unused, clean up" },
  { "caps", "concurrency limits" },
  { "repeatable", "idempotent" },
  { "begun", "started" },
  { "told", "logged, recorded, configured" },
  { "unasked", "unrequested" },
  { "moments?", "time, deadline" },
  { "so long", "for N seconds, timeout" },
  { "giv%a* back", "release, requeue, return" },
  { "gave back", "release, requeue, return" },
  { "stand[_ ]back", "lower the priority" },
  { "prompt_thread", "low latency" },
  { "keep_up", "run_maintenance" },
  { "look_for_news", "check_external_writes" },
  { "settl%a*", "after_commit, outcome" },
  { "obeys?", "process_commands" },
  { "put_out", "publish_results" },
  { "pokes?", "wake" },
  { "goes_on", "has_more_input, is_continued" },
  { "has_moved", "made_progress" },
  -- American spelling
  { "behaviour%a*", "behavior" },
  { "neighbour%a*", "neighbor" },
  { "colour%a*", "color" },
  { "licence%a*", "license" },
  { "cancelling", "canceling" },
}

-- Where such a word has to stay, as plain text in lower case, and why.
local EXCEPTIONS = {
  { "redelivery_window", "an option, a variable of nginx, and a column" },
  { "redelivery-window", "an option" },
  { "redelivery_lease", "an option, and a variable of nginx" },
  { "redelivery_wait", "an option, and a variable of nginx" },
  { "redelivery%-window", "an option, in a pattern", within = "spec/" },
  { '"palenca redelivery"', "a label in the keys of a running nginx's dictionary" },
  { "login_refused", "a code of the API" },
  { '"refused"', "the documented event of a JSON log line" },
  { "`refused`", "the documented event of a JSON log line" },
  { '\\"event\\":\\"refused\\"', "the same" },
  { "econnrefused", "a name of POSIX and libuv" },
  { "refused to frame", "a browser's message", within = "spec/browser/" },
  { "connection_refused", "a name of the browser", within = "spec/browser/" },
  { "repeatable read", "a name of SQL", within = "core/host/store/" },
  { "refused_stream", "a name of HTTP/2", within = "spec/support/" },
  { "origin.moment", "stored in the sandbox's file", within = "lua/palenca/sandbox/" },
  { "moment = math.floor", "stored in the sandbox's file", within = "lua/palenca/sandbox/" },
  { "sent.answer", "a field of palenca trigger --json", within = "lua/palenca/host/cli/" },
  { "answer = try.body", "a field of palenca trigger --json", within = "lua/palenca/host/cli/" },
  { "`answer`", "a field of palenca trigger --json", within = "lua/palenca/host/cli/" },
  { "delivery.lane", "stored in the sandbox's file", within = "lua/palenca/sandbox/" },
  { "lane = sequence_id", "stored in the sandbox's file", within = "lua/palenca/sandbox/" },
  { 'stream("lanes")', "its ids are drawn by this name", within = "lua/palenca/sandbox/" },
  { "settles_in", "a field of the sandbox's HTTP API" },
  { "settles_at", "stored in the sandbox's file" },
}

local SELF = "spec/packaging/words_spec.lua"

local function lines_of(command)
  local list = {}
  local pipe = assert(io.popen(command))
  for line in pipe:lines() do
    list[#list + 1] = line
  end
  pipe:close()
  return list
end

-- All texts that somebody has written: no input of the fuzzers, no pictures, nothing installed.
local function files()
  return lines_of("find CMakeLists.txt README.md core examples lua rockspec spec -type f "
    .. "-not -path '*/node_modules/*' -not -path 'spec/fuzz/corpus/*' -not -name '*.png' "
    .. "-not -name package-lock.json -not -path " .. SELF .. " | sort")
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

local function is_c(path)
  return path:find("%.[ch]$") ~= nil
end

-- A text with dots where exceptions stand.
local function without_exceptions(text, path)
  local lower = text:lower()
  for _, exception in ipairs(EXCEPTIONS) do
    local within = exception.within or ""
    local first, last = lower:find(exception[1], 1, true)
    while first and path:sub(1, #within) == within do
      text = text:sub(1, first - 1) .. ("."):rep(last - first + 1) .. text:sub(last + 1)
      first, last = lower:find(exception[1], last + 1, true)
    end
  end
  return text
end

-- Adds the words of a text, each with its line.
local function check(text, path, found)
  -- a capital within a name starts a word
  text = without_exceptions(text, path):gsub("(%l)(%u)", "%1 %2"):lower()
  for _, word in ipairs(WORDS) do
    -- most files have none: looking for the plain start of each is many times as fast
    local is_likely = text:find(word[1]:match("^[%l ]+"), 1, true)
    for at, match in (is_likely and text or ""):gmatch("()%f[%a](" .. word[1] .. ")%f[%A]") do
      local _, lines_before = text:sub(1, at):gsub("\n", "")
      found[#found + 1] = ("%s:%d: '%s'; the term is: %s"):format(path, lines_before + 1, match,
        word[2])
    end
  end
end

local function words_in(is_included)
  local found, count = {}, 0
  for _, path in ipairs(files()) do
    if is_included(path) then
      count = count + 1
      check(path, path, found)
      check(read(path), path, found)
    end
  end
  assert.is_true(count > 50)
  return found
end

describe("the words of", function()
  it("the Lua, the pages, the specs and the documents are the field's", function()
    local found = words_in(function(path)
      return not is_c(path)
    end)
    assert.are.equal("", table.concat(found, "\n"))
  end)

  it("the C are the field's", function()
    local found = words_in(is_c)
    assert.are.equal("", table.concat(found, "\n"))
  end)

  it("the list are found in text, in names and in file names", function()
    local found = {}
    check("It refuses;\nis_begun, SparingLog and kept aside", "x.lua", found)
    check("core/client/pacers.c", "core/client/pacers.c", found)
    check("--redelivery-window login_refused rejected", "y.lua", found)
    assert.are.same({
      "x.lua:1: 'refuses'; the term is: reject, rejection",
      "x.lua:2: 'sparing'; the term is: rate-limited",
      "x.lua:2: 'kept aside'; the term is: dead letter",
      "x.lua:2: 'begun'; the term is: started",
      "core/client/pacers.c:1: 'pacers'; the term is: rate limiter",
    }, found)
  end)

  it("the exceptions are still in use", function()
    local unused = {}
    for _, exception in ipairs(EXCEPTIONS) do
      unused[exception[1]] = true
    end
    for _, path in ipairs(files()) do
      local text = read(path):lower()
      for exception in pairs(unused) do
        unused[exception] = not text:find(exception, 1, true) or nil
      end
    end
    assert.are.same({}, unused)
  end)
end)

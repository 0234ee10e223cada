--- The texts that the code can log and return as errors: the pieces in the calls that do so.
--
-- A piece is what stands between two values of a format, with single blanks: that of
-- `"reload of " .. path .. " failed"` are "reload of" and "failed".
local messages = {}

-- The calls, by language: Lua patterns, of which one at least fits, that end where the expression
-- begins which holds the text. `within` limits them to files that hold one of some texts, `only`
-- the strings to those that begin so.
local CALLS = {
  lua = {
    { "program_log%.line%(" },
    { "problems%[#problems %+ 1%] = ",
      within = { "WorkerPool:replace_failed(" } },
    { "what = ", within = { "function program_log.handled(" } },
    { "user_error%(", within = { "a finalizer (__gc)" },
      only = { "a finalizer", "the script keeps" } },
    { ":write%(ngx%.WARN, " },
    { "rejections:write%(", "rejections:write%(" },
    { "ngx%.log%(" },
    { "log%.warn " },
    { "log%.error ", within = { 'has failed"' } },
    { "return string%.format%(", within = { '"no documented event' } },
  },
  c = {
    { "[^%w_]event_store_report%(" },
    { "options%.log%(" },
    { "snprintf%(", within = { "log_message(", "log_put(" } },
    -- why a database is rejected
    { "static const char [%w_]+%[%] =", within = { "the log beside it (-wal) is missing" } },
    { "host_error_set%(error, HOST_%u+, ",
      within = { "cannot lock %s", "no room for the event store" } },
  },
}

-- Why a request is rejected.
local CAUSES = {
  lua = { { "[^%w_]reject%(", "return reject%(", within = { "ngx.req" } } },
  c = {
    { "http_reject%(" }, { "http_connection_reject%(" }, { "http_server_rejected%(" },
    { "[^%w_]reject%(", within = { "http_server_rejected(" } },
    { "reject_at_once%(" }, { "note_exchange%(", "log_rejection%(" },
    { "snprintf%(reason, ", within = { "accept4(" } },
    { "host_error_set%(error, HOST_FAILED, ", within = { "SSL_accept(" } },
    { "static const char [%w_]+%[%] =", within = { "http_reject(", "palenca_webhook_scan" } },
    { "static const char late%[%] =" },
    { "return ", within = { "webhook_signature_rejection(const",
      "identity is supported" } },
    { "{\"[%l-]+\", ", within = { "Content-Encoding" } },
    { "PALENCA_AUTH, ", within = { "palenca_signature_check(" } },
  },
}

-- What an error of a call says, beside what the API, a server or libcurl has said.
local MESSAGES = {
  lua = {
    { "message = ", within = { "the API's JSON", "the request is not signed" } },
    { "return ", within = { "success is neither" } },
    { "problem = ", "inconsistent%(", "NOT_COUNTED = ", within = { "the first page changed" } },
  },
  c = {
    { "PALENCA_NETWORK,%s+" }, { "static const char passed_[%w_]+%[%] =" },
    { "PALENCA_PROTOCOL,%s+" },
    { "PALENCA_AUTH,%s+" },
    { "return ", within = { "palenca_page_verdict_text(" } },
  },
}

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

local function sources(extension)
  local list = {}
  local pipe = assert(io.popen("find core lua -name '*." .. extension .. "' | sort"))
  for path in pipe:lines() do
    list[#list + 1] = { path = path, text = read(path) }
  end
  pipe:close()
  return list
end

-- Whether an expression continues after a line end, since an operator lacks an operand.
local function is_continued(text, at)
  local rest = text:sub(at, at + 200)
  return rest:find("^%s*%.%.") or rest:find("^%s*and%s") or rest:find("^%s*or%s")
    or rest:find("^%s*[?:]") or rest:find('^%s*"')
end

-- Where a string that begins here ends; nil if it does not.
local function string_end(text, at)
  local last = text:find('[\\"]', at + 1)
  while last and text:sub(last, last) == "\\" do
    last = text:find('[\\"]', last + 2)
  end
  return last
end

-- The strings of the expression that begins here; those that are written one behind the other, or
-- joined by `..`, are one.
-- It ends with its line, `within_call` with the parenthesis that was open before it, and for
-- `everything` with the text.
local function strings_of(text, at, within_call, everything)
  local list, depth, joined = {}, 0, false
  while at <= #text do
    local char = text:sub(at, at)
    if char == '"' and text:sub(at - 1, at + 1) ~= "'\"'" then
      local last = string_end(text, at)
      if not last then
        return list
      elseif text:sub(at, last):find("\n") then -- a mark in a comment
        last = at
      end
      local content = text:sub(at + 1, last - 1)
      if joined then
        list[#list] = list[#list] .. content
      else
        list[#list + 1] = content
      end
      at, joined = last, true
    elseif char:find("[%({%[]") then
      depth, joined = depth + 1, false
    elseif char:find("[%)}%]]") then
      depth, joined = depth - 1, false
      if depth < 0 and not everything then
        break
      end
    elseif char == "\n" and depth == 0 and not (within_call or everything or is_continued(text, at))
    then
      break
    elseif char == ";" and depth == 0 and not everything then
      break
    elseif not char:find("[%s%.]") then
      joined = false
    end
    at = at + 1
  end
  return list
end

local function is_message(string, only)
  if string:find('\\"', 1, true) or string:find("^[%w_]*$") then
    return false -- JSON, or the name of a field
  end
  for _, start in ipairs(only or {}) do
    if string:find(start, 1, true) == 1 then
      return true
    end
  end
  return not only
end

-- The texts between the values of a format.
local function pieces_of(string)
  local list = {}
  local text = string:gsub("\\[nt]", "\0"):gsub("%%%%", "%%")
    :gsub("%%[-0-9.]*[lz]*[dsgfcixXu]", "\0"):gsub("%%[%uS]", "\0")
  for piece in text:gmatch("%Z+") do
    piece = piece:gsub("%s+", " "):match("^%s*(.-)%s*$")
    if piece:find("%a%a%a") then
      list[#list + 1] = piece
    end
  end
  return list
end

local function has_any(text, list)
  for _, one in ipairs(list or {}) do
    if text:find(one, 1, true) then
      return true
    end
  end
  return not list
end

-- Adds the pieces of what a pattern finds in a file; returns how many strings there were.
local function collect_from(file, pattern, only, pieces)
  local count, at = 0, 1
  while true do
    local _, last = file.text:find(pattern, at)
    if not last then
      return count
    end
    for _, string in ipairs(strings_of(file.text, last + 1, not pattern:find("[= ]$"))) do
      if is_message(string, only) then
        count = count + 1
        for _, piece in ipairs(pieces_of(string)) do
          pieces[piece] = file.path
        end
      end
    end
    at = last + 1
  end
end

local function collect(calls)
  local pieces = {}
  for extension, list in pairs(calls) do
    local files = sources(extension)
    for _, call in ipairs(list) do
      local count = 0
      for _, file in ipairs(files) do
        for _, pattern in ipairs(has_any(file.text, call.within) and call or {}) do
          count = count + collect_from(file, pattern, call.only, pieces)
        end
      end
      assert(count > 0, "nothing in the code fits " .. call[1] .. " any more")
    end
  end
  return pieces
end

--- The pieces of all log lines.
-- @treturn {[string]=string,...} the file that has it, by the piece
function messages.logged()
  return collect(CALLS)
end

--- Those of the causes for which a request is rejected.
function messages.causes()
  return collect(CAUSES)
end

--- Those of the messages of errors.
function messages.of_errors()
  return collect(MESSAGES)
end

--- All strings of the code, joined as it joins them, in one text.
function messages.strings()
  local list = {}
  for _, extension in ipairs { "lua", "c" } do
    for _, file in ipairs(sources(extension)) do
      list[#list + 1] = table.concat(strings_of(file.text, 1, false, true), "\0")
    end
  end
  local text = table.concat(list, "\0"):gsub("\\[nt]", " "):gsub("%s+", " ")
  return text
end

return messages

--- What may stand in a log line, in an error and on a terminal: this module alone decides it.
--
-- - A body, of a webhook or of a call, is never logged, nor a part of one. A person sees one by
--   `palenca events show`, through @{identity} unless with `--raw`.
-- - Keys, secrets and signatures are never logged: no code that logs is given one, but for the
--   key that a sandbox has made for itself.
-- - What a sender names (an action, an account, a platform) goes through @{name}.
-- - What was raised may hold anything: it goes through @{problem} before it is logged or stored;
--   what is stored is shown as it is. Other texts, such as the path of a call, go through
--   @{identity}.
-- - What a script logs itself is its own: nothing is masked.
-- - All of it goes through @{escape_line} as text, or through @{escape_json}, so that a terminal
--   shows it and does not interpret it.
-- @module palenca.util.redact
local core = require("palenca.core")
local is_uuid = require("palenca.util.uuid")

local redact = {}

-- With nothing of a word before and behind. Mexico's CURP and RFC, Brazil's CPF, in the forms in
-- which they are written; other countries' numbers look like amounts or telephones.
local identity_numbers = {
  "%f[%w]()%a%a%a%a%d%d%d%d%d%d%a%a%a%a%a%a%w%d()%f[%W]",
  "%f[%w]()%a%a%a%a%d%d%d%d%d%d%w%w%w()%f[%W]",
  "%f[%w]()%a%a%a%d%d%d%d%d%d%w%w%w()%f[%W]",
  "%f[%w]()%d%d%d%.%d%d%d%.%d%d%d%-%d%d()%f[%W]",
  "%f[%w]()%d%d%d%d%d%d%d%d%d%d%d()%f[%W]",
}

local UUID_LENGTH = 36

-- JSON within a string of JSON within a string of JSON, and so on.
local NESTED_MOST = 8

-- The maximum length of an identity number, if each of its characters is an escape of an escape.
local NUMBER_MAX = 400

local plain_escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

-- What the escape at a place stands for, and how long it is: those of JSON, and the %0A of a URL.
local function unescape(text, at)
  local hex = text:match("^\\u(%x%x%x%x)", at)
  if hex then
    local code = tonumber(hex, 16)
    -- beyond ASCII there is nothing that an identity number is made of
    return code < 128 and string.char(code) or "\255", 6
  end
  hex = text:match("^%%(%x%x)", at)
  if hex then
    return string.char(tonumber(hex, 16)), 3
  end
  local plain = text:match('^\\([bfnrt"\\/])', at)
  if plain then
    return plain_escapes[plain] or plain, 2
  end
  return text:sub(at, at), 1
end

-- A view is a text with, for each of its bytes, where what it stands for begins and ends in the
-- text that is to be masked. Takes the outermost escapes out of one; nil if there are none. Notes
-- in `begins`, for each byte of an escape, where that one begins.
local function decoded(view, begins)
  local text = view.text
  local at = text:find("[\\%%]")
  if not at then
    return nil
  end
  local parts, first, last = { text:sub(1, at - 1) }, {}, {}
  for i = 1, at - 1 do
    first[i], last[i] = view.first[i], view.last[i]
  end
  while at <= #text do
    local character, size = unescape(text, at)
    local from, to = view.first[at], view.last[at + size - 1]
    parts[#parts + 1] = character
    first[#first + 1], last[#last + 1] = from, to
    for i = from, size > 1 and to or from - 1 do
      begins[i] = from
    end
    at = at + size
  end
  local whole = table.concat(parts)
  return #whole < #text and { text = whole, first = first, last = last } or nil
end

-- The last group of an id in UUID form may look like one.
local function is_end_of_uuid(text, last)
  return last >= UUID_LENGTH and is_uuid(text:sub(last - UUID_LENGTH + 1, last))
end

local function add_marks(marks, text, view)
  for _, pattern in ipairs(identity_numbers) do
    for from, behind in text:gmatch(pattern) do
      if not is_end_of_uuid(text, behind - 1) then
        marks[#marks + 1] = {
          view and view.first[from] or from,
          view and view.last[behind - 1] or behind - 1,
        }
      end
    end
  end
end

-- One that starts with an escape's letter is one without it, or all of the escape goes as well.
local function mend_marks(marks, begins)
  local is_whole = {}
  for _, mark in ipairs(marks) do
    mark.begin = begins[mark[1]] or mark[1]
    is_whole[mark[2]] = is_whole[mark[2]] or mark.begin == mark[1]
  end
  for _, mark in ipairs(marks) do
    mark.is_void = mark.begin < mark[1] and is_whole[mark[2]]
    mark[1] = mark.begin
  end
end

-- Every identity number has three digits in a row.
local function may_have_identity(text)
  return text:find("%d%d%d") or text:find("[\\%%]")
end

local function find_identity(text)
  local marks = {}
  if not may_have_identity(text) then
    return marks
  end
  add_marks(marks, text)
  if not text:find("[\\%%]") then
    return marks
  end
  local itself, begins = {}, {}
  for i = 1, #text do
    itself[i] = i
  end
  local view = { text = text, first = itself, last = itself }
  for _ = 1, NESTED_MOST do
    view = decoded(view, begins)
    if not view then
      break
    end
    add_marks(marks, view.text, view)
  end
  mend_marks(marks, begins)
  return marks
end

--- Masks identity numbers, also where escapes of JSON or of a URL stand before or in them, as in
-- `"\n12345678909"`. What surrounds them stays as it is.
-- @tparam string text any text
-- @treturn string
function redact.identity(text)
  local marks = find_identity(text)
  if not marks[1] then
    return text
  end
  table.sort(marks, function(a, b)
    return a[1] < b[1]
  end)
  local parts, at = {}, 1
  for _, mark in ipairs(marks) do
    if not mark.is_void then
      if mark[1] >= at then
        parts[#parts + 1] = text:sub(at, mark[1] - 1)
        parts[#parts + 1] = "[identity number]"
      end
      at = math.max(at, mark[2] + 1)
    end
  end
  parts[#parts + 1] = text:sub(at)
  return table.concat(parts)
end

--- Finds the identity numbers in a text, each once, as it is written there.
-- @tparam string text any text
-- @treturn {string,...}
function redact.identity_numbers(text)
  local list, seen = {}, {}
  for _, mark in ipairs(find_identity(text)) do
    local number = text:sub(mark[1], mark[2])
    if not mark.is_void and not seen[number] then
      seen[number] = true
      list[#list + 1] = number
    end
  end
  return list
end

--- Masks identity numbers where a sender should have written a name or an id. One in UUID form may
-- only look as if it had one in it.
-- @tparam ?string text
-- @treturn ?string
function redact.name(text)
  if not text or not text:find("[%d\\%%]") or is_uuid(text) then
    return text
  end
  return redact.identity(text)
end

local sequences = {
  "^[\194-\223][\128-\191]", "^\224[\160-\191][\128-\191]", "^\237[\128-\159][\128-\191]",
  "^[\225-\236\238\239][\128-\191][\128-\191]", "^\240[\144-\191][\128-\191][\128-\191]",
  "^[\241-\243][\128-\191][\128-\191][\128-\191]", "^\244[\128-\143][\128-\191][\128-\191]",
}

--- Finds the end of a character beyond ASCII.
-- @tparam string text
-- @tparam number at where it begins
-- @treturn ?number its last byte's place; nil if that is no UTF-8
function redact.sequence_end(text, at)
  for _, sequence in ipairs(sequences) do
    local _, last = text:find(sequence, at)
    if last then
      return last
    end
  end
  return nil
end

--- Puts question marks for zero characters and for bytes that are no UTF-8, which many a reader of
-- JSON rejects, and all that is with them.
-- @tparam string text
-- @treturn string
function redact.bytes(text)
  local at = text:find("[%z\128-\255]")
  if not at then
    return text
  end
  local parts, first = {}, 1
  while at do
    local last = redact.sequence_end(text, at)
    if not last then
      parts[#parts + 1] = text:sub(first, at - 1)
      parts[#parts + 1] = "?"
      first, last = at + 1, at
    end
    at = text:find("[%z\128-\255]", last + 1)
  end
  parts[#parts + 1] = text:sub(first)
  return table.concat(parts)
end

--- Escapes what could pass for a line of its own, steer a terminal, or turn the direction of
-- writing, and what is no UTF-8, so that it is shown instead of interpreted. Whatever somebody else
-- has written goes through here before a person reads it.
-- @tparam string text of one line
-- @tparam[opt] boolean lines keep line ends and tabs
-- @treturn string
function redact.escape_line(text, lines)
  return core.terminal_escape(text, lines and "lines" or "line")
end

--- The same for JSON, which stays JSON of the same meaning; only zeros and what is no UTF-8 become
-- question marks.
-- @tparam string text JSON
-- @treturn string
function redact.escape_json(text)
  return core.terminal_escape(text, "json")
end

local FIELDS_MAX = 20

-- A table without a text of its own tells at least its fields, and its message if it has one: other
-- values may be anybody's data.
local function text_of(problem)
  local text = tostring(problem)
  local kind = type(problem) == "table" and text:match("^(.*): 0?x?%x+$")
  if not kind then
    return text
  end
  local names, message = {}, rawget(problem, "message")
  for name in next, problem do
    names[#names + 1] = type(name) == "string" and #names < FIELDS_MAX and name or nil
  end
  table.sort(names)
  return ("%s: raised instead of a text, with %s%s"):format(kind,
    #names > 0 and "the fields " .. table.concat(names, ", ") or "no fields",
    type(message) == "string" and ": " .. message or "")
end

--- Puts what was raised into words that may be kept: bounded, text, without identity numbers.
-- @param problem what was raised
-- @tparam number max bytes of it
-- @treturn string
function redact.problem(problem, max)
  -- it may be an object whose __tostring raises as well
  local ok, text = pcall(text_of, problem)
  if not ok then
    return "an error that cannot be shown: " .. type(problem)
  end
  if #text <= max then
    return redact.identity(redact.bytes(text))
  end
  -- truncated first, since it may be megabytes; but not within a number, which would pass unmasked
  local kept = text:sub(1, max):gsub("[\192-\255][\128-\191]*$", "")
  local word = kept:reverse():match("^[%w.%%\\-]*")
  kept = kept:sub(1, -1 - math.min(#word, NUMBER_MAX))
  return redact.identity(redact.bytes(kept)) .. " […]"
end

return redact

--- The faults of `spec/support/fault_server.lua` that are about pages of rows: name → function of a
-- socket and a request.
local cjson = require("cjson")
local uv = require("luv")
local connection = require("spec.support.fault_connection")
local responses = require("spec.support.fault_responses")

local PAGE = responses.PAGE
local send, stats = connection.send, connection.stats

local readings = {} -- path → how often its first page was asked for
local held = {} -- responses to be sent together

local faults = {}

-- Which page a request asks for, and how many rows a page; a reading begins with its first page.
local function page_of(request)
  local options = cjson.decode(request.body).options
  local page = math.tointeger(options.page)
  local pages, name = stats.pages[request.path] or {}, tostring(page)
  stats.pages[request.path] = pages
  pages[name] = (pages[name] or 0) + 1
  if page == 1 then
    readings[request.path] = (readings[request.path] or 0) + 1
  end
  return page, math.tointeger(options.items_per_page), readings[request.path]
end

local function row(number)
  return string.format(
    '{"amount":%d.25,"currency":"mxn","earning_date":"%s","cash_amount":null,"count_trips":%d}',
    number, os.date("!%Y-%m-%d", 1740000000 - 86400 * number), number)
end

-- A page of rows that are numbered from 1; `change` may alter the pagination it is given, and
-- response rows to leave out at its end or to begin earlier with.
local function page_body(page, size, total, change)
  local pagination = {
    page = page,
    items_per_page = size,
    total_items = total,
    total_pages = (total + size - 1) // size,
  }
  local missing, shift = 0, 0
  if change then
    missing, shift = change(pagination)
  end
  local rows = {}
  for number = (page - 1) * size + 1, math.min(page * size, total) - (missing or 0) do
    rows[#rows + 1] = row(number - (shift or 0))
  end
  return string.format('{"success":true,"data":{"earnings":[%s]}%s}', table.concat(rows, ","),
    pagination.page and ',"pagination":' .. cjson.encode(pagination) or "")
end

local function paged(total_of, change)
  return function(socket, request)
    local page, size, reading = page_of(request)
    local total = total_of(page, reading, tonumber(request.argument or 9))
    send(socket, 200, page_body(page, size, total, change and function(pagination)
      return change(pagination, page, reading)
    end))
  end
end

local function constant(_, _, total)
  return total
end

local function none()
  return 0
end

faults.pages = paged(constant)
faults.short_page = paged(constant, function(_, page)
  return page == 2 and 1 or 0
end)
faults.short_once = paged(constant, function(_, page, reading)
  return page == 2 and reading == 1 and 1 or 0
end)
faults.same_page = paged(constant, function(pagination)
  pagination.page = 1
end)
-- One row came in at the front and one went at the back: the totals are the same, but from the
-- second page on every row has moved by one.
faults.shift_once = paged(constant, function(_, page, reading)
  return 0, page > 1 and reading == 1 and 1 or 0
end)
-- One row went at the front and one came in at the back: no row comes twice, one is never seen.
faults.lose_once = paged(constant, function(_, page, reading)
  return 0, (page > 1 or reading > 1) and -1 or 0
end)
faults.no_pagination = paged(constant, function(pagination)
  pagination.page = nil
end)
faults.no_pagination_later = paged(constant, function(pagination, page)
  pagination.page = page == 1 and 1 or nil
end)
faults.contradiction = paged(constant, function(pagination)
  pagination.total_pages = pagination.total_pages + 1
end)
faults.no_rows = paged(none)

-- uncounted:N — pages of users without a count; counted:N — with one; unpaged — three, whatever
-- page is asked for; moving — each page begins with the last row of the one before.
local function users(first, last, pagination)
  local rows = {}
  for number = first, last do
    rows[#rows + 1] = string.format('{"user_id":"u%d"}', number)
  end
  return string.format('{"success":true,"data":{"users":[%s]}%s}', table.concat(rows, ","),
    pagination or "")
end

local function page_of_users(request, pagination)
  local page, size = page_of(request)
  local total = tonumber(request.argument)
  return users((page - 1) * size + 1, math.min(page * size, total), pagination)
end

function faults.uncounted(socket, request)
  send(socket, 200, page_of_users(request))
end

function faults.counted(socket, request)
  send(socket, 200, page_of_users(request, ',"pagination":{"page":1,"items_per_page":2,'
    .. '"total_items":' .. request.argument .. ',"total_pages":2}'))
end

function faults.unpaged(socket)
  send(socket, 200, users(1, 3))
end

function faults.moving(socket, request)
  local page = page_of(request)
  send(socket, 200, users(page, page + 1))
end

-- A server that returns two rows a page, whatever was asked for.
function faults.clamp(socket, request)
  local page = page_of(request)
  send(socket, 200, page_body(page, 2, 9))
end

function faults.rows_wrong(socket, request)
  local page, size = page_of(request)
  local body = page_body(page, size, 3)
  send(socket, 200, (body:gsub('"earnings":%b[]', '"earnings":' .. request.argument)))
end

-- fail_page:N — that page is out of order.
function faults.fail_page(socket, request)
  local page, size = page_of(request)
  if page == tonumber(request.argument) then
    send(socket, 500, PAGE)
  else
    send(socket, 200, page_body(page, size, 9))
  end
end

-- fail_page_once:N — that page is out of order at first.
local failed = {}
function faults.fail_page_once(socket, request)
  local page, size = page_of(request)
  if page == tonumber(request.argument) and not failed[request.path] then
    failed[request.path] = true
    send(socket, 503, PAGE, { ["Retry-After"] = "0" })
  else
    send(socket, 200, page_body(page, size, 9))
  end
end

-- hold:N — sends no response behind the first page until N pages are waited for, then all of them,
-- the last first.
function faults.hold(socket, request)
  local page, size = page_of(request)
  local wanted = tonumber(request.argument)
  if page == 1 then
    send(socket, 200, page_body(1, size, (wanted + 1) * size))
    return
  end
  held[#held + 1] = { socket = socket, page = page }
  if #held == wanted then
    table.sort(held, function(a, b)
      return a.page > b.page
    end)
    for _, one in ipairs(held) do
      send(one.socket, 200, page_body(one.page, size, (wanted + 1) * size))
    end
    held = {}
  end
end

-- slow:N:MS — N pages, each of which takes MS; /stats has how many were asked for at a time.
-- one_by_one:N:MS — the same, but it works on one page at a time.
local at_once, busy_until = 0, 0

local function send_later(socket, request, wait)
  local page, size = page_of(request)
  at_once = at_once + 1
  stats.max_at_once = math.max(stats.max_at_once or 0, at_once)
  local timer = uv.new_timer()
  timer:start(wait, 0, function()
    timer:close()
    at_once = at_once - 1
    send(socket, 200, page_body(page, size, tonumber(request.argument:match("%d+")) * size))
  end)
end

function faults.slow(socket, request)
  send_later(socket, request, tonumber(request.argument:match(":(%d+)")))
end

function faults.one_by_one(socket, request)
  busy_until = math.max(busy_until, uv.now()) + tonumber(request.argument:match(":(%d+)"))
  send_later(socket, request, busy_until - uv.now())
end

-- living:SEED:TOTAL:CHANGES — a history that changes between responses, up to CHANGES times: a row
-- comes in at the front, one goes from anywhere, or both. /stats has all that it ever was.
local living = {}

local function begin_living(path, argument)
  local seed, total, changes = argument:match("^(%d+):(%d+):(%d+)$")
  math.randomseed(tonumber(seed))
  local one = { rows = {}, next = tonumber(total), left = tonumber(changes) }
  for number = 1, one.next do
    one.rows[number] = one.next - number + 1
  end
  living[path] = one
  stats.histories = stats.histories or {}
  stats.histories[path] = { table.concat(one.rows, " ") }
  return one
end

local function live(one, path)
  if one.left == 0 or math.random() < 0.6 then
    return
  end
  local what = math.random(3)
  one.left = one.left - 1
  if what ~= 1 and #one.rows > 0 then
    table.remove(one.rows, math.random(#one.rows))
  end
  if what ~= 2 then
    one.next = one.next + 1
    table.insert(one.rows, 1, one.next)
  end
  table.insert(stats.histories[path], table.concat(one.rows, " "))
end

function faults.living(socket, request)
  local path = request.path
  local one = living[path]
  if one then
    live(one, path)
  else
    one = begin_living(path, request.argument)
  end
  local page, size = page_of(request)
  local rows, total = {}, #one.rows
  for at = (page - 1) * size + 1, math.min(page * size, total) do
    rows[#rows + 1] = row(one.rows[at])
  end
  send(socket, 200, string.format('{"success":true,"data":{"earnings":[%s]},"pagination":%s}',
    table.concat(rows, ","), cjson.encode {
      page = page, items_per_page = size, total_items = total,
      total_pages = (total + size - 1) // size,
    }))
end

return faults

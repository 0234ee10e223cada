--- Persons whose events are stored, and what a database and the files beside it have of them.
local helper = require("spec.host.helper")
local postgres = require("spec.support.postgres")
local uv = require("luv")

local persons = {}

--- What a query of a database prints.
function persons.sql(db, text)
  local out = helper.query(db, text)
  return out ~= "" and out .. "\n" or out
end

--- What identifies the person with this number: what, once they are forgotten, no file may
-- hold any more.
function persons.ids(number)
  return {
    user = ("5c1f2f6e-6f0b-4d7c-9a55-0000000%05d"):format(number),
    accounts = { ("acc0aaaa-0000-4000-8000-0000000%05d"):format(number),
      ("acc0bbbb-0000-4000-8000-0000000%05d"):format(number) },
    curp = ("GOMC9001%02dHDFRRL%02d"):format(number % 28 + 1, number % 90 + 10),
  }
end

-- Random text, which hardly gets shorter by compression: a piece of it, in plain or in compressed
-- rows, can be of one event only.
local NOISE_SIZE = 30 * 48
--- The noise of each event, by the person's number.
persons.noises = {}

local function noise_of(number)
  local digits = {}
  for at = 1, NOISE_SIZE do
    digits[at] = ("%x"):format(math.random(0, 15))
  end
  persons.noises[number] = persons.noises[number] or {}
  table.insert(persons.noises[number], table.concat(digits))
  return table.concat(digits)
end

--- Posts an event of a person, the one with this number among them.
function persons.post(served, number, at)
  local one = persons.ids(number)
  helper.post(served.url, {
    user_id = at % 4 ~= 3 and one.user or nil, -- the account alone says whose it is
    account_id = one.accounts[at % 2 + 1],
    external_id = at % 4 == 2 and "dies" or "decides",
    curp = one.curp,
    noise = noise_of(number),
    more = at % 3 == 0 and (one.curp .. " "):rep(400) or nil, -- longer than a page
  })
end

--- The database and what is beside it, by their names; at a server, all rows.
function persons.files(db)
  if postgres.is_url(db) then
    return { rows = postgres.shared():rows(db) }
  end
  local directory, name = db:match("^(.*)/([^/]*)$")
  local files = {}
  local scan = assert(uv.fs_scandir(directory))
  for entry in function() return (uv.fs_scandir_next(scan)) end do
    if entry:sub(1, #name) == name and not entry:find("%-socket$") then
      files[entry] = helper.read_file(directory .. "/" .. entry) or ""
    end
  end
  return files
end

--- What of these texts is in the files.
function persons.left(db, texts)
  local found = {}
  for name, bytes in pairs(persons.files(db)) do
    for what, text in pairs(texts) do
      if bytes:find(text, 1, true) then
        found[#found + 1] = name .. ": " .. what
      end
    end
  end
  table.sort(found)
  return found
end

--- The condition of SQL that a row is of a person.
function persons.condition(number)
  local one = persons.ids(number)
  return ("account_id IN ('%s', '%s')"):format(one.accounts[1], one.accounts[2])
end

--- All that is stored of the others.
function persons.others(db, number)
  return persons.sql(db, ("SELECT events.*, hex(body) FROM events JOIN bodies USING (id)"
    .. " WHERE NOT %s; SELECT number, hex(rows), hex(details), user_id FROM decision_data"
    .. " WHERE NOT %s"):format(persons.condition(number), persons.condition(number)))
end

--- What identifies a person, and pieces of the noise of the person's events, and of the compressed
-- rows and details that have it.
function persons.texts(db, number, with_details)
  local one, before = persons.ids(number), persons.others(db, number)
  local texts = { user = one.user, account = one.accounts[1], other_account = one.accounts[2],
    curp = one.curp }
  for event, noise in ipairs(persons.noises[number]) do
    for at = 1, NOISE_SIZE - 24, 250 do
      texts[("noise of %d at %d"):format(event, at)] = noise:sub(at, at + 23)
    end
  end
  -- Details are not random: by chance a piece is in others' as well.
  for _, column in ipairs({ "rows", "details" }) do
    local query = ("SELECT number || ' ' || hex(%s) FROM decision_data WHERE %s"):format(column,
      persons.condition(number))
    for entry, hex in persons.sql(db, query):gmatch("(%d+) (%x+)") do
      local bytes = hex:gsub("%x%x", function(byte)
        return string.char(tonumber(byte, 16))
      end)
      for at = 128, #bytes - 32, 100 do
        local is_theirs = not before:find(hex:sub(2 * at - 1, 2 * at + 62), 1, true)
        assert(is_theirs or column == "details", "rows of one event are in others'")
        if is_theirs and (column == "rows" or with_details) then
          texts[("%s of %s at %d"):format(column, entry, at)] = bytes:sub(at, at + 31)
        end
      end
    end
  end
  return texts
end

local function count(text)
  return select(2, text:gsub("%S+", ""))
end

--- Whether most of the texts are in the files, and all that identify the person.
function persons.are_found(db, texts)
  local found, all = {}, 0
  for _, one in ipairs(persons.left(db, texts)) do
    found[one:match(": (.*)$")] = true
  end
  for what in pairs(texts) do
    assert(found[what] or what:find(" at "), what .. " was not found before")
    all = all + 1
  end
  return count(table.concat(persons.left(db, texts), " ")) > all / 2
end

return persons

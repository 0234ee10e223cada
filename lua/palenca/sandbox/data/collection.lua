--- Keeps records of one kind: found by id, and listed in the order in which they were made.
-- @module palenca.sandbox.data.collection
local collection = {}
collection.__index = collection

--- Makes an empty collection.
-- @tparam string key the field that holds a record's id
-- @treturn collection the collection
function collection.new(key)
  return setmetatable({ key = key, by_id = {}, list = {}, last = 0 }, collection)
end

-- Where a record stands, or would stand: the list is in the order of `seq`.
local function position(list, seq)
  local low, high = 1, #list + 1
  while low < high do
    local middle = (low + high) // 2
    if list[middle].seq < seq then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

--- Stores a record: a new one after all others, a known one at its position.
-- @tparam table record with its id; gets a `seq`
function collection:put(record)
  local id = record[self.key]
  local known = self.by_id[id]
  self.by_id[id] = record
  if known then
    record.seq = known.seq
    self.list[position(self.list, known.seq)] = record
    return
  end
  self.last = math.max(self.last + 1, record.seq or 0)
  record.seq = self.last
  self.list[#self.list + 1] = record
end

--- Finds a record.
-- @param id its id; nil finds nothing
-- @treturn ?table the record
function collection:get(id)
  return id ~= nil and self.by_id[id] or nil
end

--- Removes a record.
-- @param id its id
-- @treturn ?table the record, if there was one
function collection:remove(id)
  local known = self.by_id[id]
  if known then
    self.by_id[id] = nil
    table.remove(self.list, position(self.list, known.seq))
  end
  return known
end

--- Iterates over records, the newest first.
-- @treturn function the iterator
function collection:newest()
  local list, at = self.list, #self.list + 1
  return function()
    at = at - 1
    return list[at]
  end
end

return collection

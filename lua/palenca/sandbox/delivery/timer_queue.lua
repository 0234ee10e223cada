--- Queues items, taken in the order of their due times.
-- @module palenca.sandbox.delivery.timer_queue
local timer_queue = {}
timer_queue.__index = timer_queue

--- Makes an empty queue.
-- @tparam function clock returns the present time in seconds
-- @treturn timer_queue
function timer_queue.new(clock)
  return setmetatable({ clock = clock, heap = {}, sequence = 0 }, timer_queue)
end

local function before(one, other)
  if one.due ~= other.due then
    return one.due < other.due
  end
  return one.sequence < other.sequence
end

local function push(heap, entry)
  local at = #heap + 1
  while at > 1 and before(entry, heap[at // 2]) do
    heap[at] = heap[at // 2]
    at = at // 2
  end
  heap[at] = entry
end

local function pop(heap)
  local top, last = heap[1], table.remove(heap)
  local size, at = #heap, 1
  while 2 * at <= size do
    local child = 2 * at
    if child < size and before(heap[child + 1], heap[child]) then
      child = child + 1
    end
    if not before(heap[child], last) then
      break
    end
    heap[at] = heap[child]
    at = child
  end
  if size > 0 then
    heap[at] = last
  end
  return top
end

--- Adds an item. Of items with the same time the one added first is taken first.
-- @tparam number due its time
-- @param item any value
function timer_queue:add(due, item)
  self.sequence = self.sequence + 1
  push(self.heap, { due = due, item = item, sequence = self.sequence })
end

--- Removes the item that has been due for longest.
-- @return the item; nil if none is due
-- @treturn ?number without one: seconds until the next is, nil if the queue is empty
function timer_queue:take()
  local top = self.heap[1]
  if not top then
    return nil, nil
  end
  local wait = top.due - self.clock()
  if wait > 0 then
    return nil, wait
  end
  return pop(self.heap).item
end

--- Removes items.
-- @tparam function unwanted returns whether an item is removed
function timer_queue:remove(unwanted)
  local kept = {}
  for _, entry in ipairs(self.heap) do
    if not unwanted(entry.item) then
      push(kept, entry)
    end
  end
  self.heap = kept
end

return timer_queue

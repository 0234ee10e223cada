--- Cuts lists into pages, as the API's `options` ask for them.
-- @module palenca.sandbox.http.paging
local response = require("palenca.sandbox.http.response")
local validate = require("palenca.sandbox.http.validate")

local paging = {}

-- The API leaves the size of a page open; past this bound a response is larger than any caller
-- has a use for.
local MAX_ITEMS_PER_PAGE = 1000

local options = {
  { name = "page", check = validate.integer(1), default = 1 },
  { name = "items_per_page", check = validate.integer(1, MAX_ITEMS_PER_PAGE), default = 100 },
}

--- The field that a search's body has for it.
paging.field = { name = "options", fields = options }

--- Reads the options from a query.
-- @tparam table given the query's parameters
-- @treturn ?table `page`, `items_per_page`
-- @treturn ?table the response that rejects them
function paging.from_query(given)
  local read, faults = validate.object(options, {
    page = given.page and (math.tointeger(tonumber(given.page)) or given.page),
    items_per_page = given.items_per_page
      and (math.tointeger(tonumber(given.items_per_page)) or given.items_per_page),
  }, "query")
  if not read then
    return nil, response.invalid(faults)
  end
  return read
end

--- How many pages a number of items fills.
-- @tparam table given `items_per_page`
-- @tparam integer total the number of items
-- @treturn integer the pages
function paging.pages(given, total)
  return (total + given.items_per_page - 1) // given.items_per_page
end

--- Which items a page holds.
-- @tparam table given `page`, `items_per_page`
-- @tparam integer total the number of items
-- @treturn integer the position of the first
-- @treturn integer that of the last; before the first if the page is empty
function paging.range(given, total)
  -- compared before it is multiplied: a huge page would wrap around
  if given.page > paging.pages(given, total) then
    return 1, 0
  end
  local first = (given.page - 1) * given.items_per_page + 1
  return first, math.min(first + given.items_per_page - 1, total)
end

--- The `pagination` of a response.
-- @tparam table given `page`, `items_per_page`
-- @tparam integer total the number of items
-- @treturn table as @{reply.success} takes it
function paging.describe(given, total)
  return {
    page = given.page,
    items_per_page = given.items_per_page,
    total_items = total,
    total_pages = paging.pages(given, total),
  }
end

--- One page of the records that an iterator returns.
-- @tparam function records the iterator
-- @tparam table given `page`, `items_per_page`
-- @tparam function is_included returns whether a record is included
-- @tparam function make makes the record's part of the response
-- @treturn table the page's items
-- @treturn integer how many records count, on all pages
function paging.collect(records, given, is_included, make)
  local items, total = {}, 0
  local first, last = paging.range(given, math.maxinteger // 2)
  for record in records do
    if is_included(record) then
      total = total + 1
      if total >= first and total <= last then
        items[#items + 1] = make(record)
      end
    end
  end
  return items, total
end

return paging

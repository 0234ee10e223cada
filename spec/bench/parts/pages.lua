-- Writes the pages of a history as files: pages.lua DIRECTORY PAGES ROWS_A_PAGE
local directory, pages, per_page = arg[1], tonumber(arg[2]), tonumber(arg[3])

local ROW = '{"amount":%d.%02d,"currency":"mxn","count_trips":%d,"earning_date":"%s",'
  .. '"cash_amount":%d.5,"detail":null}'

for page = 1, pages do
  local rows = {}
  for at = 1, per_page do
    local day = (page - 1) * per_page + at
    local date = os.date("!%Y-%m-%d", 1767225600 - day * 86400)
    rows[at] = ROW:format(100 + day % 900, day % 100, day % 23, date, day % 80)
  end
  local file = assert(io.open(("%s/%d"):format(directory, page), "w"))
  file:write(('{"success":true,"data":{"earnings":[%s]},"pagination":{"page":%d,'
    .. '"items_per_page":%d,"total_items":%d,"total_pages":%d},"error":null}'):format(
    table.concat(rows, ","), page, per_page, pages * per_page, pages))
  file:close()
end

--- The current time as text, formatted once a second: some write thousands of lines in one.
-- @module palenca.util.cached_date

--- Makes a function that returns it.
-- @tparam string format as of `os.date`
-- @treturn function
return function(format)
  local second, text
  return function()
    local now = os.time()
    if now ~= second then
      second, text = now, os.date(format, now)
    end
    return text
  end
end

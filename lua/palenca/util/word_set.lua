--- A set of words, written as one text.
-- @module palenca.util.word_set

--- Returns the words of a text, as keys.
-- @tparam string text with spaces or ends of lines between them
-- @treturn {[string]=true}
return function(text)
  local set = {}
  for word in text:gmatch("%S+") do
    set[word] = true
  end
  return set
end

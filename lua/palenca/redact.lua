--- Takes out of a text what must not stand in a log: identity numbers, and what steers a terminal.
-- @module palenca.redact
local redact = {}

-- With nothing of a word before and behind. Mexico's CURP and RFC, Brazil's CPF, in the forms in
-- which they are written; other countries' numbers cannot be told from amounts and telephones.
local identity_numbers = {
  "%f[%w]%a%a%a%a%d%d%d%d%d%d%a%a%a%a%a%a%w%d%f[%W]",
  "%f[%w]%a%a%a%a%d%d%d%d%d%d%w%w%w%f[%W]",
  "%f[%w]%a%a%a%d%d%d%d%d%d%w%w%w%f[%W]",
  "%f[%w]%d%d%d%.%d%d%d%.%d%d%d%-%d%d%f[%W]",
  "%f[%w]%d%d%d%d%d%d%d%d%d%d%d%f[%W]",
}

--- Masks identity numbers.
-- @tparam string text any text
-- @treturn string
function redact.identity(text)
  for _, pattern in ipairs(identity_numbers) do
    text = text:gsub(pattern, "[identity number]")
  end
  return text
end

-- In UTF-8: the controls beyond ASCII, and what turns the direction of writing.
local steering = {
  "\194[\128-\159]",
  "\226\128[\142\143\170-\174]",
  "\226\129[\166-\169]",
}

--- Puts question marks for what could pass for a line of its own or steer a terminal.
-- @tparam string text of one line
-- @tparam[opt] boolean lines keep line ends and tabs
-- @treturn string
function redact.line(text, lines)
  text = text:gsub(lines and "[^%C\n\t]" or "%c", "?")
  for _, pattern in ipairs(steering) do
    text = text:gsub(pattern, "?")
  end
  return text
end

return redact

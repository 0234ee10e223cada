--- palenca completion: what a shell needs to complete the program's commands and options.
-- @module palenca.host.cli.completion
local options = require("palenca.host.cli.options")
local output = require("palenca.host.cli.output")

local SHELLS = { "bash", "zsh", "fish" }

local completion = {
  name = "completion",
  summary = "Print the completion for a shell: bash, zsh or fish.",
  is_text = true,
  needs_all = true,
}

function completion.define(command)
  command:argument("shell", "bash, zsh or fish."):argname("SHELL"):convert(options.one_of(SHELLS))
end

-- Lets the completion know the words of each option.
local function set_words(element)
  for _, option in ipairs(element._options) do
    option._choices = options.spec_of(option).words or option._choices
  end
  for _, part in ipairs(element._commands) do
    set_words(part)
  end
end

function completion.run(given, parser)
  set_words(parser)
  output.line((parser["get_" .. given.shell .. "_complete"](parser)))
end

return completion

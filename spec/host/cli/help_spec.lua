--- The help at each width, its examples, the man pages, and the completion in a shell. The program
-- is started hundreds of times: the plain one, where there is another.
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local function palenca(arguments, env)
  local status, out, err = process.run(process.reader(), arguments, { env = env })
  assert.are.same({ 0, "" }, { status, err })
  return out
end

-- The names that a help lists as commands.
local function listed(help)
  local names, is_commands = {}, false
  for line in help:gmatch("[^\n]+") do
    local title = line:match("^(%u[%l ]+):$")
    if title then
      is_commands = not title:find("ptions$") and title ~= "Arguments" and title ~= "Examples"
    end
    names[#names + 1] = is_commands and line:match("^   ([%l-]+)") or nil
  end
  return names
end

-- Each command that runs something, as a list of words.
local function all_commands()
  local list = {}
  for _, name in ipairs(listed(palenca({ "help" }))) do
    list[#list + 1] = { name }
    for _, part in ipairs((name == "events" or name == "decisions")
      and listed(palenca({ "help", name })) or {}) do
      list[#list + 1] = { name, part }
    end
  end
  return list
end

-- A text's words, whatever the lines: names of an option stand above each other or side by side.
local function words(text)
  local list = {}
  for word in text:gsub(" \\\n", " "):gmatch("%S+") do
    list[#list + 1] = word
  end
  table.sort(list)
  return table.concat(list, " ")
end

describe("the help", function()
  local commands
  setup(function()
    commands = all_commands()
    assert.is_true(#commands > 20)
  end)

  it("keeps to 40, 80 and 120 columns and cuts no word", function()
    for at = 0, #commands do
      local command = commands[at] or {}
      local arguments = { "help", table.unpack(command) }
      local first
      for _, columns in ipairs({ 40, 80, 120 }) do
        local help = palenca(arguments, { COLUMNS = tostring(columns) })
        for line in help:gmatch("[^\n]+") do
          assert(utf8.len(line) <= columns, columns .. ": " .. line)
        end
        first = first or words(help)
        assert.are.equal(first, words(help))
      end
    end
  end)

  it("goes from 40 to 120 columns, and has 80 without a terminal", function()
    local function of(columns)
      return palenca({ "help", "serve" }, { COLUMNS = columns })
    end
    assert.are.equal(of("40"), of("7"))
    assert.are.equal(of("120"), of("999"))
    assert.are.equal(of("80"), palenca({ "help", "serve" }))
    assert.are.equal(of("80"), of("wide"))
    local _, out = process.run("/usr/bin/script", { "-qec",
      "stty cols 50; exec " .. process.reader() .. " help run", "/dev/null" })
    assert.are.equal(palenca({ "help", "run" }, { COLUMNS = "50" }), (out:gsub("\r", "")))
  end)

  it("is that of --help, and says which command there is not", function()
    for _, command in ipairs(commands) do
      local with_flag = table.move(command, 1, #command, 1, {})
      table.insert(with_flag, "--help")
      assert.are.equal(palenca(with_flag), palenca({ "help", table.unpack(command) }))
    end
    for _, case in ipairs({ { "evnts", "unknown command 'evnts'; did you mean 'events'?" },
      { "events", "lst", "unknown command 'lst'; did you mean 'list'?" },
      { "serve", "list", "unknown command 'list'" } }) do
      local message = table.remove(case)
      local status, out, err = process.run(process.reader(), { "help", table.unpack(case) })
      assert.are.same({ 2, "", "palenca: " .. message .. "\nTry 'palenca help'.\n" },
        { status, out, err })
    end
  end)

  it("has examples of each command that its parser takes", function()
    for _, command in ipairs(commands) do
      local name = table.concat(command, " ")
      local examples = palenca({ "help", table.unpack(command) }, { COLUMNS = "120" })
        :match("\nExamples?:\n(.*)$")
      assert.truthy(examples, name)
      for example in examples:gsub(" \\\n", " "):gmatch("[^\n]+") do
        assert.truthy(example:find("palenca " .. command[1], 1, true), example)
        local arguments = {}
        for word in example:match("palenca ([^|>)]*)"):gmatch("%S+") do
          arguments[#arguments + 1] = word
        end
        -- one further mistake is the only one that is found
        table.insert(arguments, 2, "--no-such-option")
        local status, _, err = process.run(process.reader(), arguments)
        assert.are.equal(2, status, example)
        assert.truthy(err:find("unknown option '--no-such-option'", 1, true), err)
        table.remove(arguments, 2)
        arguments[#arguments + 1] = "--help"
        if arguments[1] ~= "run" then
          assert.are.equal(0, (process.run(process.reader(), arguments)), example)
        end
      end
    end
  end)

  it("is a man page without a mistake", function()
    local path = os.tmpname()
    for _, command in ipairs(commands) do
      local page = palenca({ "help", "--man", table.unpack(command) })
      process.write_file(path, page)
      local status, out = process.run("/usr/bin/mandoc", { "-Tlint", "-Werror", path })
      assert.are.same({ 0, "" }, { status, out })
      local text = select(2, process.run("/usr/bin/mandoc", { "-Tutf8", path })):gsub(".\8", "")
      for _, title in ipairs({ "NAME", "SYNOPSIS", "EXAMPLES" }) do
        assert.truthy(text:find("\n" .. title .. "\n", 1, true), page)
      end
      for option in palenca({ "help", table.unpack(command) }):gmatch("\n   (%-%-[%l-]+)") do
        assert.truthy(text:find(option, 1, true), option)
      end
    end
    os.remove(path)
  end)
end)

describe("the completion", function()
  local stage = helper.stage_for_each()

  it("of bash knows commands, options and the words of options", function()
    local script = [=[
      source <(%s completion bash)
      for line in "ev" "events " "events list --st" "events list --state d" "serve --watc" \
        "trigger login.success --platform rap" "help serv" "decide --lang " \
        "events purge --state "; do
        IFS=" " read -r -a words <<<"palenca $line"
        [[ $line != *" " ]] || words+=("")
        COMP_WORDS=("${words[@]}") COMP_CWORD=$((${#words[@]} - 1)) COMPREPLY=()
        _palenca
        echo "${COMPREPLY[@]}"
      done]=]
    local status, out, err = process.run("/bin/bash", { "-c", script:format(process.reader()) })
    assert.are.same({ 0, "" }, { status, err })
    assert.are.equal(table.concat({ "events",
      "list show replay retry-dead stats purge backup restore", "--state",
      "done dead", "--watch", "rapiboy rappi", "serve", "es pt en", "done dead", "" }, "\n"), out)
  end)

  it("is read by zsh, and completes in fish", function()
    local directory = stage:directory()
    local env = { HOME = directory }
    for _, shell in ipairs({ "zsh", "fish" }) do
      process.write_file(directory .. "/" .. shell, palenca({ "completion", shell }))
      assert.are.same({ 0, "", "" }, { process.run("/usr/bin/" .. shell,
        { "-n", directory .. "/" .. shell }, { env = env }) }, shell)
    end
    local _, out = process.run("/usr/bin/fish", { "-c", "source " .. directory .. "/fish; "
      .. "complete -C 'palenca events li'; complete -C 'palenca events list --state de'" },
      { env = env })
    assert.truthy(out:find("^list\t[^\n]*\ndead"), out)
  end)

  it("is for these shells only", function()
    local status, out, err = process.run(process.reader(), { "completion", "bsh" })
    assert.are.same({ 2, "" }, { status, out })
    assert.truthy(err:find("'bsh' must be one of 'bash', 'zsh', 'fish'; did you mean 'bash'?", 1,
      true), err)
  end)
end)

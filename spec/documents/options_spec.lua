--- The operator's guide has the options of serve, dev and events list as their help has them.
local documents = require("spec.support.documents")
local process = require("spec.support.process")

local HOST = "core/host/README.md"
-- Depends on the machine, or on the command.
local NO_DEFAULT = { ["--workers"] = true }

-- The options of a command: name → { variable, default }, each maybe nil.
local function options_of(...)
  local arguments = { ... }
  arguments[#arguments + 1] = "--help"
  local status, out = process.run(process.reader(), arguments)
  assert.equal(0, status, out)
  local list = {}
  local text = out:gsub("\n   (%-%-)", "\n\0%1"):gsub("\n\n", "\n\0") .. "\0"
  for one in text:gmatch("%z(%-%-%Z+)") do
    local name = one:match("^(%-%-[%l-]+)")
    one = one:gsub("%s+", " ") .. " "
    list[name] = {
      variable = one:match(" Else %$([%u_]+)"),
      default = one:match(" Default: ([%w:./]+)%. "),
    }
  end
  assert(next(list))
  return list
end

-- The rows of the headings; a mark behind an option's name says that dev has it, too.
local function rows_of(titles)
  local list, document = {}, documents.read(HOST)
  for _, title in ipairs(titles) do
    for _, row in ipairs(documents.rows_under(document, title)) do
      local cells = documents.cells(row)
      local name = cells[1]:match("^`(%-%-[%l-]+)`")
      if name then
        list[name] = {
          is_shared = cells[1]:find("•", 1, true) ~= nil,
          variable = cells[2]:match("`([%u_]+)`"),
          default = cells[3] ~= "" and cells[3] or nil,
        }
      end
    end
  end
  return list
end

local function assert_row(name, row, option)
  assert.truthy(row, name .. " has no row")
  assert.equal(option.variable, row.variable, name)
  if not NO_DEFAULT[name] then
    assert.equal(option.default, row.default, name)
  end
end

local function assert_same(rows, options)
  for name, option in pairs(options) do
    assert_row(name, rows[name], option)
  end
  for name in pairs(rows) do
    assert.truthy(options[name], name .. " is no option")
  end
end

describe("the tables of options", function()
  -- Those of serve have headings below this one, with those of the other commands.
  local SERVE = { "Of the script, the database and the API", "Of the receiver", "Of access" }

  local function serve_rows()
    local all = rows_of({ "Options" })
    for _, title in ipairs { "Of dev alone", "Of events list" } do
      for name in pairs(rows_of({ title })) do
        all[name] = nil
      end
    end
    for name, row in pairs(rows_of(SERVE)) do
      all[name] = row
    end
    return all
  end

  it("have those of serve, with variables and defaults", function()
    assert_same(serve_rows(), options_of("serve"))
  end)

  it("have those of dev, which shares some with serve", function()
    local rows = rows_of({ "Of dev alone" })
    for name, row in pairs(serve_rows()) do
      rows[name] = row.is_shared and row or rows[name]
    end
    local options = options_of("dev")
    options["--db"] = nil -- a temporary one, as the row of serve says
    assert_same(rows, options)
  end)

  it("have those of events list", function()
    assert_same(rows_of({ "Of events list" }), options_of("events", "list"))
  end)
end)

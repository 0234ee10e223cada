--- The form of the documents: short paragraphs, enough headings, links that lead somewhere.
local documents = require("spec.support.documents")

local PARAGRAPH_MAX = 80 -- words
local PART_MAX = 120 -- words without a heading, those of tables included
local README_MAX = 170 -- lines

-- One list that would be none if it had headings in it.
local LISTS = { Figures = "lua/palenca/README.md" }

local function exists(path)
  local file = io.open(path)
  if file then
    file:close()
  end
  return file ~= nil
end

-- "lua/palenca/" and "../../core/README.md" make "core/README.md".
local function resolve(directory, target)
  local path = directory .. target
  local count
  repeat
    path, count = path:gsub("[^/]+/%.%./", "", 1)
  until count == 0
  return path
end

local function anchors_of(path)
  local set, seen = {}, {}
  for _, heading in ipairs(documents.read(path).headings) do
    local anchor = documents.anchor(heading.title)
    local count = seen[anchor] or 0
    seen[anchor] = count + 1
    set[count == 0 and anchor or anchor .. "-" .. count] = true
  end
  return set
end

-- What a link within the project leads to: the path and maybe an anchor.
local function target_of(document, link)
  local file, anchor = link:match("^([^#]*)#?(.*)$")
  local directory = document.path:match("^(.*/)") or ""
  return file == "" and document.path or resolve(directory, file), anchor
end

local function links_of(document)
  local list = {}
  for _, source in ipairs { document.paragraphs, document.rows } do
    for _, one in ipairs(source) do
      for _, link in ipairs(documents.links(one.text)) do
        list[#list + 1] = { link = link, line = one.line }
      end
    end
  end
  return list
end

for _, path in ipairs(documents.list()) do
  describe(path, function()
    local document = documents.read(path)

    local function at(line, what)
      return ("%s:%d: %s"):format(path, line, what)
    end

    it("has no paragraph of more than " .. PARAGRAPH_MAX .. " words", function()
      for _, paragraph in ipairs(document.paragraphs) do
        local count = documents.count_words(paragraph.text)
        assert.is_true(count <= PARAGRAPH_MAX, at(paragraph.line, count .. " words"))
      end
      for _, row in ipairs(document.rows) do
        for _, cell in ipairs(documents.cells(row.text)) do
          local count = documents.count_words(cell)
          assert.is_true(count <= PARAGRAPH_MAX, at(row.line, count .. " words in a cell"))
        end
      end
    end)

    it("has a heading for every " .. PART_MAX .. " words", function()
      local counts = {}
      local function count(part, text)
        counts[part] = (counts[part] or 0) + documents.count_words(text)
      end
      for _, paragraph in ipairs(document.paragraphs) do
        count(paragraph.part, paragraph.text)
      end
      for _, row in ipairs(document.rows) do
        count(row.part, row.text:gsub("|", " "))
      end
      for number, words in pairs(counts) do
        local part = document.parts[number]
        assert.is_true(words <= PART_MAX or LISTS[part.heading] == path,
          at(part.line, words .. " words"))
      end
    end)

    it("has one title, and headings that go down by one level", function()
      local last = 0
      for number, heading in ipairs(document.headings) do
        assert.equal(number == 1, heading.level == 1, at(heading.line, heading.title))
        assert.is_true(heading.level <= last + 1, at(heading.line, heading.title))
        last = heading.level
      end
    end)

    it("has links to files and headings that exist", function()
      for _, one in ipairs(links_of(document)) do
        -- the reference is made; spec/packaging/reference_spec.lua looks for its pages
        if not one.link:find("^%a+:") and not one.link:find("^build/reference/") then
          local target, anchor = target_of(document, one.link)
          assert.is_true(exists(target), at(one.line, one.link))
          if anchor ~= "" then
            assert.is_true(anchors_of(target)[anchor] == true, at(one.line, one.link))
          end
        end
      end
    end)

    it("names no file that is not there", function()
      for number, line in ipairs(document.lines) do
        for name in line:gmatch("`([%w_./-]+)`") do
          local folder = name:match("^(%l+)/")
          local is_ours = folder and ("core lua spec examples rockspec"):find(folder, 1, true)
          assert.is_true(not is_ours or exists(name), at(number, name))
        end
      end
    end)

    it("has no line of more than 120 characters outside of tables", function()
      for number, line in ipairs(document.lines) do
        local is_free = line:find("^%s*|") or line:find("^<img") or line:find("^!%[")
        assert.truthy(is_free or utf8.len(line) <= 120, at(number, "a long line"))
      end
    end)
  end)
end

describe("README.md", function()
  local readme = documents.read("README.md")

  it("has at most " .. README_MAX .. " lines", function()
    assert.is_true(#readme.lines <= README_MAX, #readme.lines .. " lines")
  end)

  it("links every document", function()
    local linked = { ["README.md"] = true }
    for _, one in ipairs(links_of(readme)) do
      if not one.link:find("^%a+:") then
        linked[target_of(readme, one.link)] = true
      end
    end
    for _, path in ipairs(documents.list()) do
      assert.is_true(linked[path] == true, path)
    end
  end)
end)

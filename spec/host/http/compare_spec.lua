--- Compares what the HTTP parser makes of the corpus with what nginx and Node make of it: is a
-- request taken, and where does it end? Each difference has a line and a reason in differences.txt.
local cjson = require("cjson")
local nginx = require("spec.nginx.helper")
local process = require("spec.support.process")
local corpus = require("spec.host.http.corpus")

local HERE = "spec/host/http/"
local AT_ONCE = 50

local function to_hex(text)
  return (text:gsub(".", function(byte)
    return string.format("%02x", byte:byte())
  end))
end

local function from_hex(text)
  return (text:gsub("..", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

-- ---- differences.txt -----------------------------------------------------------------------

local function is_before(version, other)
  local major, minor = version:match("^(%d+)%.?(%d*)")
  local other_major, other_minor = other:match("^(%d+)%.?(%d*)")
  if major == other_major then
    return (tonumber(minor) or 0) < (tonumber(other_minor) or 0)
  end
  return tonumber(major) < tonumber(other_major)
end

-- "node", "node<20" or "node>=20".
local function is_for(who, peer, version)
  local name, relation, other = who:match("^(%a+)([<>=]*)([%d.]*)$")
  assert(name == "nginx" or name == "node", who)
  return name == peer and (relation == "" or (relation == "<") == is_before(version, other))
end

local function expected_differences(peer, version)
  local found, why = {}, nil
  for line in io.lines(HERE .. "differences.txt") do
    why = line:match("^= (.+)$") or why
    local who, case, what = line:match("^([^ ]+) | (.-) | ?(.*)$")
    if who and is_for(who, peer, version) then
      assert(why, line)
      assert(not found[case], "twice: " .. line)
      found[case] = what
    end
  end
  return found
end

-- The lines that are missing in differences.txt, or should not be there.
local function unexplained(cases, outcomes, peer, version)
  local list, expected = {}, expected_differences(peer, version)
  for i, case in ipairs(cases) do
    local title = case.class .. ": " .. case.name
    local ours, theirs = corpus.describe(case.outcome), corpus.describe(outcomes[i])
    local difference = ours ~= theirs and theirs or nil
    if difference ~= expected[title] then
      list[#list + 1] = string.format("%s | %s | %s    (ours: %s; expected: %s)", peer, title,
        theirs, ours, expected[title] or "the same")
    end
    expected[title] = nil
  end
  for title in pairs(expected) do
    list[#list + 1] = "there is no case " .. title
  end
  return table.concat(list, "\n")
end

-- ---- nginx ---------------------------------------------------------------------------------

local SERVER = [[
  client_header_buffer_size 1k;
  large_client_header_buffers 2 1k;
  client_max_body_size 1000;
  client_body_buffer_size 4k;
  lingering_timeout 50ms;
  location / {
    content_by_lua_block {
      ngx.req.read_body()
      local body = (ngx.req.get_body_data() or ""):gsub(".", function(byte)
        return string.format("%02x", byte:byte())
      end)
      ngx.header["X-Body"], ngx.header["Content-Length"] = body, 4
      ngx.print("read")
    }
  }
]]

-- By HTTP/0.9 a response has no head.
local function outcome_of(received)
  local result = { bodies = {}, ending = "complete" }
  while received:find("^HTTP/1") do
    local head, rest = received:match("^(.-\r\n\r\n)(.*)$")
    local status = tonumber(head:match("^HTTP/1%.%d (%d+)"))
    if status == 200 then
      result.bodies[#result.bodies + 1] = from_hex(head:match("X%-Body: (%x*)") or "")
    elseif status > 200 then
      result.ending = "rejected"
    end
    received = rest:sub(1 + tonumber(head:match("Content%-Length: (%d+)") or 0))
  end
  if received == "read" then
    result.bodies[1] = ""
  end
  return result
end

-- Sends all and ends its side.
local function send(url, bytes)
  local connection = nginx.connect(url)
  connection:wait_connected()
  if #bytes > 0 then
    connection.socket:write(bytes)
  end
  connection.socket:shutdown()
  return connection
end

local function nginx_version()
  local _, _, text = process.run("/usr/sbin/nginx", { "-v" })
  return text:match("nginx/([%d.]+)")
end

-- Whether it waits for more it does not say.
local function ask_nginx(url, cases)
  local outcomes = {}
  for first = 1, #cases, AT_ONCE do
    local last, open = math.min(first + AT_ONCE - 1, #cases), {}
    for i = first, last do
      open[i] = send(url, cases[i].bytes)
    end
    for i = first, last do
      open[i]:wait_end()
      open[i]:close()
      outcomes[i] = outcome_of(open[i].received)
      if outcomes[i].ending == "complete" and cases[i].outcome.ending == "more" then
        outcomes[i].ending = "more"
      end
    end
  end
  return outcomes
end

-- ---- Node ----------------------------------------------------------------------------------

local function ask_node(cases, directory)
  local list = {}
  for i, case in ipairs(cases) do
    list[i] = to_hex(case.bytes)
  end
  local input = process.write_file(directory .. "/cases.json", cjson.encode(list))
  local status, out, err = process.run(os.getenv("SPEC_NODE") or "node",
    { HERE .. "compare_node.mjs", input })
  assert(status == 0, err)
  local printed, outcomes = cjson.decode(out), {}
  for i, outcome in ipairs(printed.outcomes) do
    outcomes[i] = { bodies = {}, ending = outcome["end"] }
    for n, body in ipairs(outcome.bodies) do
      outcomes[i].bodies[n] = from_hex(body)
    end
  end
  return outcomes, printed.version:match("^v(.+)$")
end

-- --------------------------------------------------------------------------------------------

describe("the HTTP parser's verdicts on raw requests", function()
  local cases = corpus.read(HERE .. "corpus.txt")
  local stage

  setup(function()
    stage = nginx.stage()
  end)

  teardown(function()
    stage:clear()
  end)

  it("are those of nginx, but for the differences that are explained", function()
    local server = nginx.start(stage, { server = SERVER, log_level = "crit" })
    local outcomes = ask_nginx(server.url, cases)
    assert.are.equal("", unexplained(cases, outcomes, "nginx", nginx_version()))
  end)

  it("are those of Node, but for the differences that are explained", function()
    local outcomes, version = ask_node(cases, stage:directory())
    assert.are.equal("", unexplained(cases, outcomes, "node", version))
  end)
end)

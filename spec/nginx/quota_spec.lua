--- The limit of a key, which all workers keep together.
local uv = require("luv")
local helper = require("spec.nginx.helper")
local process = require("spec.support.process")

local SERVER = [[
  location /fresh { content_by_lua_block {
    local client = client { deadline = 1 }
    local data, err = client:request("GET", "/fresh")
    ngx.say(ngx.worker.pid(), " ", data and "sent" or tostring(err))
  } }
  location /bulk { content_by_lua_block {
    local client, count, row, problem = client { deadline = 5 }, 0
    local pager = client.accounts:earnings("00000000-0000-4000-8000-000000000000", {
      start_date = "2024-01-01", end_date = "2026-01-01", items_per_page = 1,
    })
    repeat
      row, problem = pager:next()
      count = count + (row and 1 or 0)
    until not row
    ngx.say(count, " ", tostring(problem))
  } }
]]

local SEARCHES = 6

describe("the limit of a key", function()
  local stage = helper.stage_for_each()
  local upstream, key, first_pages

  local function options(limit, workers)
    return {
      workers = workers,
      listen = " reuseport", -- spreads the connections
      server = SERVER,
      http = string.format([[
        init_by_lua_block {
          palenca = require "palenca"
          function client(options)
            options.api_key, options.base_url, options.rate_limit = %q, %q, %d
            return palenca.new(options)
          end
        }
      ]], key, upstream.url, limit),
    }
  end

  -- What it was counted in stays for those that come later; here there are none.
  local function forget(limit)
    local named = process.write_file(stage:directory() .. "/key", upstream.url .. "\n" .. key)
    local _, digest = process.run("/usr/bin/sha256sum", { named })
    return os.remove(string.format("/dev/shm/palenca-%d/%s-%d", uv.getuid(), digest:match("^%x+"),
      limit))
  end

  before_each(function()
    key = "key-" .. uv.hrtime()
    first_pages = {}
    upstream = stage:server(function(request)
      local page = request.body:match('"page":(%d+)')
      local function respond()
        request.respond(200, helper.json.encode(page and {
          success = true, data = { earnings = { { earning_date = "2025-01-" .. page } } },
          pagination = { page = tonumber(page), items_per_page = 1, total_items = 500,
            total_pages = 500 },
        } or { success = true, data = {} }))
      end
      if page ~= "1" then
        respond()
        return
      end
      -- The first page of a search is not of low priority: all of them come before any other.
      table.insert(first_pages, respond)
      if #first_pages == SEARCHES then
        for _, go_on in ipairs(first_pages) do
          go_on()
        end
      end
    end)
  end)

  -- Asks so often at a time; returns how many were sent, how many workers were asked, and what the
  -- others said.
  local function ask(nginx, count)
    local connections, sent, workers, others = {}, 0, {}, {}
    for i = 1, count do
      connections[i] = stage:connect(nginx.url):send("GET /fresh HTTP/1.0\r\n\r\n")
    end
    for _, connection in ipairs(connections) do
      connection:wait_end()
      connection:close()
      local pid, said = connection.received:match("\r\n\r\n(%d+) ([^\n]+)")
      workers[pid] = true
      if said == "sent" then
        sent = sent + 1
      else
        others[#others + 1] = said
      end
    end
    local used = 0
    for _ in pairs(workers) do
      used = used + 1
    end
    return sent, used, others
  end

  for _, workers in ipairs { 2, 4 } do
    it("is kept by " .. workers .. " workers together, and over a reload and a restart", function()
      local nginx = helper.start(stage, options(30, workers))
      local sent, used, others = ask(nginx, 80)
      assert.are.equal(30, sent)
      assert.is_true(used > 1)
      assert.truthy(others[1]:find("the deadline passed while waiting for the rate limit", 1, true))
      nginx:reload()
      assert.are.equal(0, (ask(nginx, 8)))
      assert.are.equal(0, nginx:quit())
      local restarted = helper.start(stage, options(30, workers))
      assert.are.equal(0, (ask(restarted, 8)))
      assert.are.equal(0, restarted:quit())
      assert.are.equal(30, #upstream.requests)
      assert.are.equal("", nginx:complaints())
      assert.is_true(forget(30))
    end)
  end

  it("has something left for calls in any worker, whatever searches take", function()
    local nginx = helper.start(stage, options(48, 2))
    local searches = {}
    for i = 1, SEARCHES do
      searches[i] = stage:connect(nginx.url):send("GET /bulk HTTP/1.0\r\n\r\n")
    end
    for _, connection in ipairs(searches) do
      connection:wait_end()
      assert.truthy(connection.received:find("the deadline passed"), connection.received)
    end
    assert.are.equal(46, #upstream.requests)
    assert.are.equal(2, (ask(nginx, 6)))
    assert.are.equal(0, nginx:quit())
    assert.is_true(forget(48))
  end)
end)

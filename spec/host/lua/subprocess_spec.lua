--- Children of a script: what they find of the program's signals and descriptors, and that nobody
-- waits for them who was not asked to.
local helper = require("spec.host.helper")
local process = require("spec.support.process")

-- What the child of `start` finds, by the words of /proc.
local LOOK = [[
  local look = "grep -E '^Sig(Blk|Ign):' /proc/self/status; for fd in /proc/self/fd/*; do "
    .. "case $fd in */[012]) ;; *) readlink $fd ;; esac; done; "
    .. "trap 'echo ended by SIGTERM' TERM; kill $$"
  local function see(text)
    local blocked, ignored = text:match "SigBlk:%s*(%x+)%s*SigIgn:%s*(%x+)"
    local bits = tonumber(ignored, 16)
    local names = {}
    for number, name in pairs { [2] = "INT", [13] = "PIPE", [15] = "TERM", [25] = "XFSZ" } do
      if bits & (1 << number - 1) ~= 0 then names[#names + 1] = name end
    end
    local others = text:gsub("Sig%w+:%s*%x+\n", ""):gsub("\n", ";")
    return "blocked " .. tonumber(blocked, 16) .. ", ignored " .. table.concat(names, " ") .. "; "
      .. others
  end
]]

describe("a child of a script", function()
  local stage = helper.stage_for_each()

  it("finds default signals and none of the program's descriptors", function()
    local server = stage:server()
    local results = stage:directory() .. "/results"
    local served = stage:serve({ text = LOOK .. [[
      local palenca = require "palenca"
      palenca.on("*", function()
        assert(palenca.http { url = os.getenv "SPEC_URL" }) -- curl has descriptors then
        local pipe = io.popen(look)
        print("popen: " .. see(pipe:read "a"))
        print(pipe:close())
        print(os.execute("{ " .. look .. "; } > " .. os.getenv "SPEC_RESULTS" .. "; exit 3"))
        print("execute: " .. see(io.open(os.getenv "SPEC_RESULTS"):read "a"))
        print(os.execute("kill -9 $$"))
        print(os.execute(), os.execute "true")
        local writer = io.popen("cat; exit 4", "w")
        writer:write "written\n"
        print(writer:close())
        print(pcall(writer.write, writer, "x"))
        print(pcall(io.popen, "true", "rw"))
      end)
    ]], env = { SPEC_URL = server.url .. "/", SPEC_RESULTS = results } })
    helper.post(served.url, { account_id = "a" })
    helper.wait_state(served.db, "a", "done")
    assert.are.equal(0, served:stop(), served.stderr)
    assert.are.same("popen: blocked 0, ignored ; ended by SIGTERM;\n"
      .. "true\texit\t0\n"
      .. "nil\texit\t3\n"
      .. "execute: blocked 0, ignored ; ended by SIGTERM;\n"
      .. "nil\tsignal\t9\n"
      .. "true\ttrue\texit\t0\n"
      .. "written\n"
      .. "nil\texit\t4\n"
      .. "false\tattempt to use a closed file\n"
      .. "false\tbad argument #2 to 'io.popen' (invalid mode)\n", served.stdout)
  end)

  it("is left to itself when its stream is collected", function()
    local fifo = stage:directory() .. "/fifo"
    assert.are.equal(0, (process.run("/usr/bin/mkfifo", { fifo })))
    local writer = assert(io.open(fifo, "r+"))
    local served = stage:serve({ text = [[
      local palenca = require "palenca"
      local wait = "exec 2> /dev/null > /dev/null; timeout 300 cat " .. os.getenv "SPEC_FIFO"
      palenca.on("*", function()
        for _ = 1, 5 do io.popen(wait) end
        local pipe = io.popen(wait, "w")
        pipe:setvbuf "full"
        pipe:write "x"
        pipe = nil
        collectgarbage()
        collectgarbage()
        print "collected"
      end)
    ]], arguments = { "--workers", "1" }, env = { SPEC_FIFO = fifo } })
    helper.post(served.url, { account_id = "a" })
    served:wait_output("stdout", "collected")
    helper.wait_state(served.db, "a", "done")
    assert.are.equal(0, served:stop(), served.stderr)
    writer:close() -- lets the children end
  end)

  it("is started while another worker reads what never comes", function()
    local fifo = stage:directory() .. "/fifo"
    assert.are.equal(0, (process.run("/usr/bin/mkfifo", { fifo })))
    local served = stage:serve({ text = [[
      local palenca = require "palenca"
      palenca.on("login.error", function()
        local file = io.open(os.getenv "SPEC_FIFO")
        print "reading"
        file:read "a"
      end)
      palenca.on("login.success", function()
        print(io.popen("echo from a child"):read "l")
      end)
    ]], arguments = { "--workers", "2" }, env = { SPEC_FIFO = fifo } })
    local writer = assert(io.open(fifo, "r+")) -- now, so that the program does not inherit it
    helper.post(served.url, { account_id = "a", webhook_action = "login.error" })
    served:wait_output("stdout", "reading")
    helper.post(served.url, { account_id = "b" })
    served:wait_output("stdout", "from a child")
    writer:close()
    helper.wait_state(served.db, "a", "done")
    assert.are.equal(0, served:stop(), served.stderr)
  end)
end)

--- The units of systemd: what they may do, and whether they are what systemd reads.
local helper = require("spec.host.helper")
local process = require("spec.support.process")

local EXPOSURE_MAX = 2.0

describe("the units", function()
  local stage = helper.stage_for_each()
  local directory

  -- With what stands in the place of what a system has.
  before_each(function()
    directory = stage:directory()
    local service = helper.read_file("core/host/service/palenca.service.in")
    service = service:gsub("@CMAKE_INSTALL_FULL_BINDIR@/palenca", "/bin/true")
      :gsub("\nDocumentation[^\n]*", "")
    process.write_file(directory .. "/palenca.service", service)
    process.write_file(directory .. "/palenca.socket",
      helper.read_file("core/host/service/palenca.socket"))
  end)

  it("may do little", function()
    local _, out, err = process.run("systemd-analyze", { "security", "--offline=true",
      directory .. "/palenca.service" })
    local exposure = out:match("Overall exposure level for palenca%.service: ([%d.]+)")
    assert.is_true(tonumber(exposure) <= EXPOSURE_MAX, exposure .. "\n" .. out .. err)
  end)

  it("have no line that systemd does not know", function()
    local status, out, err = process.run("systemd-analyze", { "verify",
      directory .. "/palenca.service", directory .. "/palenca.socket" })
    -- it looks for the units of the machine, too, of which a container has few
    assert.is_nil((out .. err):find("palenca%.%l+:%d+:"), out .. err)
    assert.is_true(status == 0, out .. err)
  end)

  it("are installed with man pages, completion and licenses", function()
    local build = process.program():match("^(.*)/bin/")
    local status, out, err = process.run("/usr/bin/env", { "cmake", "--install", build, "--prefix",
      directory .. "/usr", "--component", "program" })
    assert.are.equal(0, status, out .. err)
    for _, path in ipairs({ "bin/palenca", "lib/systemd/system/palenca.socket",
      "lib/sysusers.d/palenca.conf", "share/man/man1/palenca-events-list.1.gz",
      "share/bash-completion/completions/palenca", "share/zsh/vendor-completions/_palenca",
      "share/fish/vendor_completions.d/palenca.fish", "share/palenca/monitoring/alerts.yml",
      "share/palenca/monitoring/dashboard.json" })
    do
      assert.truthy((helper.read_file(directory .. "/usr/" .. path) or "") ~= "", path)
    end
    assert.truthy(helper.read_file(directory .. "/usr/lib/systemd/system/palenca.service")
      :find("\nExecStart=/%S+/bin/palenca serve "))
    local licenses = helper.read_file(directory .. "/usr/share/doc/palenca/copyright")
    for _, name in ipairs({ "lua", "lua%-cjson", "argparse", "libuv", "sqlite" }) do
      assert.truthy(licenses:find("\nFiles: " .. name .. "/"), name)
    end
  end)

  it("name the credentials that the program reads", function()
    local service = helper.read_file(directory .. "/palenca.service")
    local count = 0
    for name in service:gmatch("\nLoadCredential=palenca%.([%l-]+)") do
      count = count + 1
      local _, out = process.run(process.reader(), { "serve", "--help" })
      assert.truthy(out:gsub("%s+", " "):find("credential palenca." .. name, 1, true), name)
    end
    assert.are.equal(6, count)
  end)
end)

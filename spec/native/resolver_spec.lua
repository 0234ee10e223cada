--- A resolver that never responds: a call ends with its own timeout all the same.
local process = require("spec.support.process")

local SHIM = [[
#include <unistd.h>
int getaddrinfo(const char *name, const char *service, const void *hints, void *result);
int getaddrinfo(const char *name, const char *service, const void *hints, void *result) {
  (void)name, (void)service, (void)hints, (void)result;
  for (;;)
    pause();
}
]]

local CALLS = [[
  local client = require("palenca").new {
    api_key = "k", base_url = "https://nobody.example", timeout = 0.1, max_retries = 1,
  }
  local data, err = client.users:get("cb39ee15-f29f-427d-9119-0c627575610d")
  print(data, err.kind, err.attempts)
]]

describe("a resolver that hangs", function()
  it("holds up neither a call nor the end of the program", function()
    local directory, remove = process.directory()
    finally(remove)
    process.write_file(directory .. "/shim.c", SHIM)
    local status, _, said = process.run("/usr/bin/gcc",
      { "-shared", "-fPIC", "-o", directory .. "/shim.so", directory .. "/shim.c" })
    assert.equal(0, status, said)
    local out, err
    status, out, err = process.run("/usr/bin/lua5.4", { "-e", CALLS },
      { env = { LD_PRELOAD = directory .. "/shim.so" } })
    assert.same({ 0, "nil\ttimeout\t2\n" }, { status, out }, err)
  end)
end)

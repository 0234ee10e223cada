--- A timeout is as long as it was asked to be, on a machine whose clock goes twenty times as fast.
local process = require("spec.support.process")
local uv = require("luv")

local FAST_CLOCK = [[
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <time.h>

#define TIMES 20

int clock_gettime(clockid_t which, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (real == 0)
    *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
  int status = real(which, now);
  if (which == CLOCK_REALTIME)
    return status;
  __int128 all = ((__int128)now->tv_sec * 1000000000 + now->tv_nsec) * TIMES;
  now->tv_sec = (time_t)(all / 1000000000);
  now->tv_nsec = (long)(all % 1000000000);
  return status;
}

int poll(struct pollfd *sockets, nfds_t count, int timeout) {
  static int (*real)(struct pollfd *, nfds_t, int);
  if (real == 0)
    *(void **)&real = dlsym(RTLD_NEXT, "poll");
  return real(sockets, count, timeout > 0 ? (timeout + TIMES - 1) / TIMES : timeout);
}
]]

local CALL = [[
  local palenca, core = require("palenca"), require("palenca.core")
  local client = palenca.new {
    api_key = "k", base_url = "https://127.0.0.1:%d", timeout = 20, max_retries = 0,
  }
  local began = core.steady_time()
  local _, err = client.users:get("cb39ee15-f29f-427d-9119-0c627575610d")
  print(err.kind, core.steady_time() - began >= 20, err.message)
]]

describe("a server that says nothing in the TLS handshake", function()
  it("is waited for as long as was asked", function()
    local directory, remove = process.directory()
    local silent, client = uv.new_tcp(), uv.new_tcp()
    finally(function()
      silent:close()
      client:close()
      remove()
    end)
    silent:bind("127.0.0.1", 0)
    silent:listen(8, function() silent:accept(client) end)
    process.write_file(directory .. "/clock.c", FAST_CLOCK)
    local status, _, said = process.run("/usr/bin/gcc",
      { "-shared", "-fPIC", "-o", directory .. "/clock.so", directory .. "/clock.c" })
    assert.equal(0, status, said)
    local out, err
    status, out, err = process.run("/usr/bin/lua5.4",
      { "-e", CALL:format(silent:getsockname().port) },
      { env = { LD_PRELOAD = directory .. "/clock.so" } })
    assert.equal(0, status, err)
    assert.truthy(out:find("^timeout\ttrue\t"), out)
  end)
end)

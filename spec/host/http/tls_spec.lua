--- TLS of `palenca serve`: versions, certificates, their replacement, and clients that do not keep
-- to it.
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

describe("palenca serve with TLS", function()
  local stage = helper.stage_for_each()
  local directory, key, certificate, script

  before_each(function()
    directory = stage:directory()
    key, certificate = process.certificate(directory)
    script = process.write_file(directory .. "/script.lua", "")
  end)

  local function arguments(...)
    return { "serve", script, "--listen", "127.0.0.1:0", "--db", directory .. "/events.db",
      "--redelivery-window", "0", ... }
  end

  local function serve(...)
    local served = stage:palenca(arguments("--tls-cert", certificate, "--tls-key", key, ...))
    served.url = served:wait_output("stderr", "receiving webhooks at (https://127.0.0.1:%d+/%S+),")
    served.port = tonumber(served.url:match(":(%d+)/"))
    served.plain = "http://127.0.0.1:" .. served.port .. "/webhooks/palenca"
    return served
  end

  -- The status of the response, or nil and what curl says.
  local function curl(served, ...)
    local status, out, err = process.run("/usr/bin/env", { "curl", "-sS", "--cacert", certificate,
      "--data-binary", helper.body(), "-o", "/dev/null", "-w", "%{http_code}", served.url, ... })
    return status == 0 and tonumber(out) or nil, err
  end

  local function openssl(served, ...)
    local command = "exec openssl s_client -connect 127.0.0.1:" .. served.port
      .. " -CAfile " .. certificate .. ' "$@" </dev/null 2>&1'
    local _, out = process.run("/bin/sh", { "-c", command, "sh", ... })
    return out
  end

  it("receives with TLS 1.2 and 1.3, several requests on a connection, and large ones", function()
    local served = serve("--max-body", "1000000")
    assert.are.equal(200, (curl(served, "--tlsv1.3")))
    assert.are.equal(200, (curl(served, "--tls-max", "1.2")))
    local large = process.write_file(directory .. "/large", helper.body() .. (" "):rep(900000))
    local status, out = process.run("/usr/bin/env", { "curl", "-sS", "--cacert", certificate,
      "--data-binary", "@" .. large, "-w", "%{num_connects}\n", "-o", "/dev/null", served.url,
      "--next", "-sS", "--cacert", certificate, "--data-binary", "@" .. large,
      "-w", "%{num_connects} %{http_code}\n", "-o", "/dev/null", served.url })
    assert.are.equal(0, status)
    assert.are.equal("1\n0 200\n", out)
    assert.are.equal(4, #helper.events(directory .. "/events.db"))
    assert.are.equal(0, served:stop())
  end)

  it("offers HTTP/1.1 by name, no older TLS, and needs no server name", function()
    local served = serve()
    local out = openssl(served, "-alpn", "h2,http/1.1", "-noservername")
    assert.truthy(out:find("ALPN protocol: http/1.1", 1, true), out)
    assert.truthy(out:find("Verify return code: 0 (ok)", 1, true), out)
    out = openssl(served, "-alpn", "h2")
    assert.truthy(out:find("no application protocol", 1, true), out)
    for _, version in ipairs({ "-tls1", "-tls1_1" }) do
      out = openssl(served, version, "-cipher", "ALL:@SECLEVEL=0")
      assert.truthy(out:find("Cipher is (NONE)", 1, true), out)
      assert.truthy(out:find("alert protocol version", 1, true), out)
    end
    served:wait_output("stderr",
      "(400 %(the handshake of TLS has failed: unsupported protocol%))")
    assert.are.equal(200, (curl(served)))
    assert.are.equal(0, served:stop())
  end)

  it("keeps to one handshake per connection", function()
    local served = serve()
    local fifo = directory .. "/fifo"
    assert.are.equal(0, (process.run("/usr/bin/mkfifo", { fifo })))
    local client = stage:start("/bin/sh", { "-c", "exec openssl s_client -tls1_2 -connect "
      .. '127.0.0.1:$0 <"$1" 2>&1', tostring(served.port), fifo })
    local input <close> = assert(io.open(fifo, "w"))
    client:wait_output("stdout", "(Verify return code)")
    input:write("R\n")
    input:flush()
    client:wait_output("stdout", "(no renegotiation)")
    assert.are.equal(200, (curl(served)))
    assert.are.equal(0, served:stop())
  end)

  it("responds to a client of plain HTTP, and closes what is neither", function()
    local served = serve()
    local response = http.request("POST", served.plain, helper.body())
    assert.are.equal(400, response.status)
    assert.are.equal("plain HTTP was sent to a port of TLS",
      helper.json.decode(response.body).error)
    served:wait_output("stderr", "(400 %(plain HTTP was sent to a port of TLS%))")
    local broken = stage:connect(served.plain):send("\22\3\1\0\5hello")
    broken:wait_end()
    assert.is_nil(broken.received:find("HTTP", 1, true))
    assert.are.equal(200, (curl(served)))
    assert.are.equal(0, #helper.events(directory .. "/events.db") - 1)
    assert.are.equal(0, served:stop())
  end)

  it("ends a handshake that does not go on", function()
    local served = serve("--request-timeout", "0.5")
    local silent = stage:connect(served.plain):wait_connected()
    local half = stage:connect(served.plain):send("\22\3\1\2\0\1\0\1\252\3\3")
    silent:wait_end()
    half:wait_end()
    assert.are.equal("", silent.received .. half.received)
    served:wait_output("stderr", "(408 %(the handshake of TLS did not end in time%))")
    assert.are.equal(200, (curl(served)))
    assert.are.equal(0, served:stop())
  end)

  it("does not start with a certificate and a key that are of no use", function()
    local other = stage:directory()
    local foreign = process.certificate(other)
    local encrypted, empty = other .. "/encrypted", process.write_file(other .. "/empty", "")
    assert.are.equal(0, (process.run("/usr/bin/env", { "openssl", "pkey", "-in", key, "-out",
      encrypted, "-aes256", "-passout", "pass:secret" })))
    for _, case in ipairs({
      { certificate, foreign, foreign .. ": not the private key of the certificate",
        "--tls-key" },
      { certificate, encrypted, encrypted .. ": not a private key in PEM without a passphrase",
        "--tls-key" },
      { certificate, other .. "/none", other .. "/none: No such file or directory", "--tls-key" },
      { other .. "/none", key, other .. "/none: No such file or directory", "--tls-cert" },
      { empty, key, empty .. ": not a certificate in PEM", "--tls-cert" },
      { key, certificate, key .. ": not a certificate in PEM", "--tls-cert" },
    }) do
      local status, out, err = process.run(process.program(),
        arguments("--tls-cert", case[1], "--tls-key", case[2]))
      assert.are.same({ 1, "" }, { status, out })
      assert.are.equal("palenca: " .. case[3] .. " (see " .. case[4] .. ")\n", err)
    end
  end)

  -- Makes a certificate that takes the other one's place.
  local function replace()
    local new_key, new = process.certificate(stage:directory())
    process.write_file(key, helper.read_file(new_key))
    process.write_file(certificate, helper.read_file(new))
  end

  it("takes a new certificate at SIGHUP, and keeps the old one if the new one is bad", function()
    local served = serve()
    assert.are.equal(200, (curl(served)))
    local old = stage:directory() .. "/old.pem"
    process.write_file(old, helper.read_file(certificate))
    replace()
    assert.is_nil((curl(served))) -- it has the old one
    served:kill("sighup")
    served:wait_output("stderr", "(certificate%.pem reloaded\n)")
    assert.are.equal(200, (curl(served)))
    local good = helper.read_file(certificate)
    process.write_file(certificate, "no certificate")
    served:kill("sighup")
    served:wait_output("stderr", "reload of (%S+certificate%.pem) failed, keeping the previous "
      .. "certificate: %S+certificate%.pem: not a certificate in PEM\n")
    process.write_file(certificate, good)
    assert.are.equal(200, (curl(served)))
    -- another key
    process.write_file(key, helper.read_file((process.certificate(stage:directory()))))
    served:kill("sighup")
    served:wait_output("stderr", "(key%.pem: not the private key of the certificate)")
    assert.are.equal(200, (curl(served)))
    assert.are.equal(0, served:stop())
  end)

  it("fails no handshake while its certificate is replaced again and again", function()
    local served = serve()
    local pairs_of = {}
    for i = 1, 2 do
      pairs_of[i] = { helper.read_file(key), helper.read_file(certificate) }
      replace()
    end
    local trusted = process.write_file(directory .. "/trusted.pem",
      pairs_of[1][2] .. pairs_of[2][2])
    local load = stage:start("/usr/bin/env", { "python3", "spec/support/tls_load.py",
      tostring(served.port), trusted, "3" })
    load:wait_output("stdout", "(started)")
    for i = 1, helper.sanitized and 20 or 100 do
      process.write_file(key, pairs_of[i % 2 + 1][1])
      process.write_file(certificate, pairs_of[i % 2 + 1][2])
      served:kill("sighup")
      helper.wait_lines(served, "stderr", "certificate%.pem reloaded\n", i)
    end
    assert.are.equal(0, load:stop(), load.stderr)
    local counts = helper.json.decode(load.stdout:match("{.*}"))
    assert.are.equal(0, counts.failed, counts.problem)
    assert.is_true(counts.responded > 0)
    assert.are.equal(counts.responded, #helper.events(directory .. "/events.db"))
    assert.are.equal(0, served:stop(), served.stderr)
  end)
end)

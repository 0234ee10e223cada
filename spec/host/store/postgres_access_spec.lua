--- Who may connect `palenca serve` to its PostgreSQL: passwords, the number of connections, TLS.
local uv = require("luv")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local new_actions = require("spec.host.store.postgres_actions")
local postgres = require("spec.support.postgres")
local process = require("spec.support.process")

describe("palenca serve, of a PostgreSQL that others share,", function()
  local stage = helper.stage_for_each()
  local actions, cluster, port

  setup(function()
    port = helper.free_port()
    cluster = postgres.new({ port = port, settings = { max_connections = "20" } })
    actions = new_actions(stage, cluster)
  end)

  teardown(function()
    cluster:close()
  end)

  it("says that there are too many connections, and goes on with the next free one", function()
    local db = cluster:database()
    cluster:query(db, "CREATE ROLE few LOGIN; GRANT CREATE ON DATABASE "
      .. db:match("/(%w+)%?") .. " TO few")
    local as_few = db:gsub("palenca@", "few@")
    local served = actions.serve(as_few)
    cluster:query(db, "ALTER ROLE few CONNECTION LIMIT 0")
    assert.truthy(actions.rejected(as_few):find('too many connections for role "few"', 1, true))
    actions.backends(db, "pg_terminate_backend(pid)")
    served:wait_output("stderr", '(cannot connect to the server: .*too many connections)')
    assert.are.equal(503, actions.status_of(served))
    actions.wait_ready(served, 503, "store_failing")
    cluster:query(db, "ALTER ROLE few CONNECTION LIMIT -1")
    actions.wait_ready(served, 200)
    helper.post(served.url, { account_id = "later" })
    helper.wait_state(as_few, "later", "done")
    -- and those of the server
    local reason, others = "remaining connection slots are reserved", {}
    for i = 1, 17 do -- one more than there are
      others[i] = actions.psql(as_few, "SELECT pg_sleep(60)")
    end
    process.wait_for(function()
      for _, other in ipairs(others) do
        if other.code and other.stderr:find(reason, 1, true) then
          return true
        end
      end
    end, "all connections to be used")
    assert.truthy(actions.rejected(as_few):find(reason, 1, true))
    cluster:query(db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
      .. "usename = 'few' AND wait_event = 'PgSleep'")
    assert.are.equal(200, actions.status_of(served))
    assert.are.equal(0, served:stop())
  end)

  it("takes a new password from the passfile, and shows none", function()
    local db, directory = cluster:database(), stage:directory()
    cluster:query(db, "SET password_encryption = 'scram-sha-256'; CREATE ROLE sworn LOGIN "
      .. "PASSWORD 'hunter2'; GRANT CREATE ON DATABASE " .. db:match("/(%w+)%?") .. " TO sworn")
    local hba = cluster.directory .. "/data/pg_hba.conf"
    local before = helper.read_file(hba)
    process.write_file(hba, "local all sworn scram-sha-256\n" .. before)
    cluster:query(db, "SELECT pg_reload_conf()")
    stage:at_end(function()
      process.write_file(hba, before)
      cluster:query(db, "SELECT pg_reload_conf()")
    end)
    local passfile = directory .. "/passfile"
    local function write_password(password)
      process.write_file(passfile, "*:*:*:sworn:" .. password .. "\n")
      assert(uv.fs_chmod(passfile, 384))
    end
    local url = db:gsub("palenca@", "sworn@")
    local said = {}
    said[1] = actions.rejected(url, { PGPASSFILE = passfile })
    assert.truthy(said[1]:find("no password supplied", 1, true), said[1])
    write_password("hunter1")
    said[2] = actions.rejected(url, { PGPASSFILE = passfile })
    assert.truthy(said[2]:find('password authentication failed for user "sworn"', 1, true))
    write_password("hunter2")
    local with_file = actions.serve(url, { env = { PGPASSFILE = passfile } })
    local script = process.write_file(directory .. "/script.lua", "")
    local with_url = stage:palenca({ "serve", script, "--listen", "127.0.0.1:0", "--admin",
      "127.0.0.1:0" }, { env = { PALENCA_DB = db:gsub("palenca@", "sworn:hunter2@"),
        PALENCA_LEASE_TIMEOUT = "1" } })
    with_url.url = with_url:wait_output("stderr", "receiving webhooks at (http://[%d.:]+/[%w/]+)")
    for _, served in ipairs({ with_file, with_url }) do
      assert.are.equal(200, actions.status_of(served))
    end
    cluster:query(db, "ALTER ROLE sworn PASSWORD 'hunter3'")
    actions.backends(db, "pg_terminate_backend(pid)")
    for _, served in ipairs({ with_file, with_url }) do
      served:wait_output("stderr", "(cannot connect .*password authentication failed)")
      assert.are.equal(503, actions.status_of(served))
      said[#said + 1] = actions.wait_ready(served, 503, "store_failing")
      for _, path in ipairs({ "/", "/metrics", "/api/events" }) do
        said[#said + 1] = http.request("GET", actions.admin_of(served) .. path).body
      end
    end
    write_password("hunter3")
    actions.wait_ready(with_file, 200)
    assert.are.equal(200, actions.status_of(with_file))
    for _, served in ipairs({ with_file, with_url }) do
      said[#said + 1] = helper.read_file("/proc/" .. served.pid .. "/cmdline")
      assert.are.equal(0, served:stop())
      said[#said + 1] = served.stdout .. served.stderr
    end
    assert.is_nil(table.concat(said):find("hunter", 1, true))
  end)

  -- ---- TLS ----

  local function openssl(...)
    local status, _, err = process.run("/usr/bin/openssl", { ... })
    return status == 0, err
  end

  local KEY = { "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes" }

  local function make_authority(path)
    local line = { "req", "-x509", "-subj", "/CN=an authority", "-days", "2", "-keyout",
      path .. ".key", "-out", path .. ".pem" }
    table.move(KEY, 1, #KEY, #line + 1, line)
    assert(openssl(table.unpack(line)))
  end

  local function make_certificate(directory, name, authority, is_expired)
    local path = directory .. "/" .. name
    local line = { "req", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
      "-keyout", path .. ".key", "-out", path .. ".request" }
    table.move(KEY, 1, #KEY, #line + 1, line)
    assert(openssl(table.unpack(line)))
    local function sign(...)
      return openssl("x509", "-req", "-in", path .. ".request", "-CA", authority .. ".pem",
        "-CAkey", authority .. ".key", "-CAcreateserial", "-copy_extensions", "copy", "-out",
        path .. ".pem", ...)
    end
    if not is_expired then
      assert(sign("-days", "2"))
    elseif not sign("-not_before", "20200101000000Z", "-not_after", "20200102000000Z") then
      assert(sign("-days", "-1")) -- as OpenSSL before 3.4 has it
    end
    postgres.give(path .. ".key")
    return path
  end

  it("stores where the server's certificate is right, and nowhere else", function()
    local directory = cluster.directory
    make_authority(directory .. "/authority")
    make_authority(directory .. "/another")
    local right = make_certificate(directory, "right", directory .. "/authority")
    local expired = make_certificate(directory, "expired", directory .. "/authority", true)
    local db = cluster:database()
    local function url(host, authority)
      return ("postgresql://palenca@%s:%d/%s?sslmode=verify-full&sslrootcert=%s/%s.pem"):format(
        host, port, db:match("/(%w+)%?"), directory, authority)
    end
    local function rejects(reason, host, authority)
      local err = actions.rejected(url(host, authority))
      assert.truthy(err:find(reason), err)
    end
    rejects("server does not support SSL, but SSL was required", "localhost", "authority")
    local function use(certificate)
      cluster:set("ssl_cert_file", certificate .. ".pem")
      cluster:set("ssl_key_file", certificate .. ".key")
      cluster:set("ssl", "on")
    end
    stage:at_end(function()
      cluster:set("ssl", "off")
    end)
    use(right)
    helper.ask_until(function()
      return cluster:query(db, "SHOW ssl") == "on"
    end, "TLS")
    rejects("certificate verify failed", "localhost", "another")
    rejects('server certificate for "localhost".* does not match host name "127.0.0.1"',
      "127.0.0.1", "authority")
    rejects('root certificate file "[^"]+missing.pem" does not exist', "localhost", "missing")
    local served = actions.serve(url("localhost", "authority"))
    helper.post(served.url, { account_id = "sealed" })
    helper.wait_state(url("localhost", "authority"), "sealed", "done")
    assert.are.equal("t", cluster:query(db, "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN "
      .. "pg_stat_activity USING (pid) WHERE application_name = 'palenca'"))
    -- and with each connection
    use(expired)
    helper.ask_until(function()
      return actions.rejected(url("localhost", "authority")):find("certificate verify failed", 1,
        true)
    end, "the certificate to be used")
    actions.backends(db, "pg_terminate_backend(pid)")
    served:wait_output("stderr", "(cannot connect .*certificate verify failed)")
    assert.are.equal(503, actions.status_of(served))
    actions.wait_ready(served, 503, "store_failing")
    use(right)
    actions.wait_ready(served, 200)
    assert.are.equal(0, served:stop())
  end)
end)

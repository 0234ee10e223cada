--- What a spec does with `palenca serve`, and with the PostgreSQL that it serves from.
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

--- The functions, of a stage and a cluster of {spec.support.postgres}.
return function(stage, cluster)
  local actions = {}

  function actions.serve(db, options)
    options = options or {}
    local env = { PALENCA_LEASE_TIMEOUT = "1" }
    for name, value in pairs(options.env or {}) do
      env[name] = value
    end
    local arguments = { "--admin", "127.0.0.1:0" }
    table.move(options.arguments or {}, 1, #(options.arguments or {}), 3, arguments)
    return stage:serve({ db = db, text = options.text or "", arguments = arguments, env = env })
  end

  function actions.admin_of(served)
    return served.stderr:match("metrics and health at (http://[%d.:]+)")
  end

  function actions.wait_ready(served, status, reason)
    return helper.ask_until(function()
      local response = http.request("GET", actions.admin_of(served) .. "/readyz")
      return response.status == status and response.body:find(reason or "", 1, true)
        and response.body
    end, "/readyz to be " .. status .. " " .. (reason or ""))
  end

  function actions.status_of(served, fields)
    return http.request("POST", served.url, helper.body(fields)).status
  end

  function actions.post_beside(served, body)
    return stage:connect(served.url):send(("POST %s HTTP/1.1\r\nHost: spec\r\n"
      .. "Content-Length: %d\r\n\r\n%s"):format(served.url:match("//[^/]+(.*)"), #body, body))
  end

  -- What it says before it ends with 1.
  function actions.rejected(db, env)
    local script = process.write_file(stage:directory() .. "/script.lua", "")
    local status, _, err = process.run(process.program(), { "serve", script, "--listen",
      "127.0.0.1:0", "--db", db }, { env = env })
    assert(status == 1, err)
    return err
  end

  function actions.psql(db, sql)
    return stage:start("/usr/bin/psql", { db, "-Xqc", sql })
  end

  -- Has another program hold what a statement has locked.
  function actions.hold(db, statement)
    local holder = actions.psql(db, "BEGIN; " .. statement .. "; SELECT pg_sleep(60)")
    helper.ask_until(function()
      return cluster:query(db, "SELECT count(*) FROM pg_stat_activity WHERE datname = "
        .. "current_database() AND wait_event = 'PgSleep'") == "1"
    end, "the locks")
    return holder
  end

  -- Does something to the connections of the programs that serve.
  function actions.backends(db, expression, condition)
    return cluster:query(db, ("SELECT %s FROM pg_stat_activity AS a WHERE datname = "
      .. "current_database() AND application_name = 'palenca' AND %s"):format(expression,
        condition or "true"))
  end

  return actions
end

--- Webhook endpoints inside nginx, one for each thing that can be set, and what their handlers saw.
local assert = require("luassert")
local helper = require("spec.nginx.helper")
local http = require("spec.support.http")

local endpoints = {}

-- What the handlers do is in the event: they report it, wait or fail.
local HANDLERS = [[
  local palenca = require "palenca"
  local core = require "palenca.core"
  palenca.on("*", function(event)
    state:rpush("seen", require("cjson").encode {
      action = event.action, account = event.account_id, id = event.id, attempt = event.attempt,
      received_at = event.received_at, body = event.body, number = event.data.number,
    })
    local data = event.data
    if data.block and event.attempt == 1 then
      ngx.log(ngx.NOTICE, "blocked until ", data.block)
      local until_time = core.steady_time() + 60 -- a test that has died frees nobody
      while not state:get(data.block) and core.steady_time() < until_time do end
      palenca.sleep(0.001)
    elseif data.wait then
      while not state:get(data.wait) do palenca.sleep(0.005) end
    end
    if data.exit and event.attempt == 1 then
      ngx.exit(data.exit)
    elseif data.fail and event.attempt <= data.fail then
      error("it has failed for GODE561231HDFABC09")
    elseif data.odd then
      error(setmetatable({}, { __tostring = function() error("no") end }))
    end
  end)
]]

local HTTP = [[
  lua_shared_dict palenca 1m;
  lua_shared_dict state 1m;
  uninitialized_variable_warn off;
  init_by_lua_block {
    state = ngx.shared.state
    every = select(2, pcall(require("palenca").every, 60, print))
    recorded = select(2, pcall(require("palenca").decision.record, {}, {}))
    HANDLERS
  }
]]

--- What stands in nginx.conf beside the servers: the handlers, and what they need.
endpoints.http = HTTP:gsub("HANDLERS", function() return HANDLERS end)

local SERVER = [[
  location = /webhooks/palenca {
    content_by_lua_block { require("palenca.nginx").webhook() }
  }
  location = /signed {
    content_by_lua_block { require("palenca.nginx").webhook {
      secrets = { "old secret", "new secret" }, signature_header = "X-Signature",
    } }
  }
  location = /short_window {
    content_by_lua_block { require("palenca.nginx").webhook { redelivery_window = 1 } }
  }
  location = /no_window {
    content_by_lua_block { require("palenca.nginx").webhook { redelivery_window = 0 } }
  }
  location = /short_lease {
    content_by_lua_block { require("palenca.nginx").webhook { redelivery_lease = 1 } }
  }
  location = /renewing {
    content_by_lua_block { require("palenca.nginx").webhook { redelivery_lease = 4 } }
  }
  location = /short_wait {
    content_by_lua_block { require("palenca.nginx").webhook {
      redelivery_wait = 0, redelivery_lease = 17,
    } }
  }
  location = /limited {
    client_max_body_size 64k;
    content_by_lua_block { require("palenca.nginx").webhook() }
  }
  location = /client {
    set $palenca_api_key "key-of-$arg_name";
    set $palenca_base_url UPSTREAM/$arg_name;
    set $palenca_timeout 7;
    set $palenca_max_retries $arg_retries;
    content_by_lua_block {
      local client = require("palenca.nginx").client()
      assert(client == require("palenca.nginx").client())
      client:request("GET", "/called")
      ngx.say(require("cjson").encode { client.base_url, client.timeout, client.max_retries,
        client.rate_limit })
    }
  }
  location = /small_buffer {
    client_body_buffer_size 1k;
    content_by_lua_block { require("palenca.nginx").webhook() }
  }
  location /mistakes/ { content_by_lua_block {
    local options = {
      header = { secrets = { "a" } }, secret = { signature_header = "X" },
      unknown = { secret = "a" },
      dict = { dict = "other" }, digest = { signature_header = "X", secrets = { "a" },
        signature_digest = "md5" }, empty = { signature_header = "X", secrets = { "" } },
      off = { signature = false, secrets = { "a" }, signature_header = "X" },
      lease = { redelivery_lease = 0 }, wait = { redelivery_wait = -1 },
      limit = { max_body = 0 }, none = { secrets = {} }, blank = { secrets = { "a", " " } },
      number = { signature_header = "X", secrets = { 7 } },
      control = { signature_header = "X", secrets = { "a\0b" } },
      name = { signature_header = "X Y", secrets = { "a" } },
      onlydigest = { signature_digest = "sha1" },
      onlyencoding = { signature_encoding = "hex" }, onlyprefix = { signature_prefix = "v1=" },
      encoding = { signature_header = "X", secrets = { "a" }, signature_encoding = "rot13" },
      prefix = { signature_header = "X", secrets = { "a" }, signature_prefix = "" },
      long = { signature_header = "X", secrets = { "a" }, signature_prefix = ("x"):rep(32) },
    }
    local ok, problem = pcall(require("palenca.nginx").webhook, options[ngx.var.uri:match("%a+$")])
    ngx.say(problem)
  } }
  location = /rewrite { rewrite_by_lua_block {
    ngx.ctx.said = select(2, pcall(require("palenca.nginx").webhook))
  } content_by_lua_block { ngx.say(ngx.ctx.said) } }
  location = /every { content_by_lua_block { ngx.say(every) } }
  location = /recorded { content_by_lua_block { ngx.say(recorded) } }
  location = /slept { content_by_lua_block {
    local time, early = require("palenca.core").steady_time, 0
    for _, seconds in ipairs { 0.001, 0.01, 0.02 } do
      local busy_until = time() + 0.05
      while time() < busy_until do end
      local began = time()
      require("palenca").sleep(seconds)
      early = early + (time() - began < seconds and 1 or 0)
    end
    ngx.say(early)
  } }
  location = /seen { content_by_lua_block { ngx.say(state:llen("seen")) } }
  location = /last { content_by_lua_block {
    local text = state:rpop("seen")
    state:rpush("seen", text)
    ngx.say(text)
  } }
  location = /forgotten_at { content_by_lua_block {
    for _, key in ipairs(ngx.shared.palenca:get_keys(0)) do
      if key:find("^" .. ngx.var.arg_id:match("^%x+") .. "%x*$") then
        ngx.say(ngx.now() + ngx.shared.palenca:ttl(key))
      end
    end
  } }
  location = /go { content_by_lua_block { state:set(ngx.var.arg_name, true) } }
]]

local Endpoint = {}
Endpoint.__index = Endpoint

local serial = 0

--- A body that was not sent before, and its account.
function endpoints.new_body(fields)
  serial = serial + 1
  local all = { account_id = "account-" .. serial }
  for name, value in pairs(fields or {}) do
    all[name] = value
  end
  return helper.body(all), all.account_id
end

--- The head of a webhook's request, with these header lines.
function endpoints.head(lines)
  return "POST /webhooks/palenca HTTP/1.1\r\nHost: spec\r\n" .. table.concat(lines, "\r\n")
    .. "\r\n\r\n"
end

--- The reason in a rejection.
function endpoints.reason(response)
  return helper.json.decode(response.body).error
end

--- Starts them, in two workers, and a server that stands where `palenca serve` would: returns a
-- table of `nginx`, `serve`, the `stage` of both, `url` (of the endpoint without settings) and
-- `server`, what is in nginx.conf.
function endpoints.start()
  local stage = helper.stage()
  local serve = stage:server(function(request)
    request.respond(200, '{"received":true}')
  end)
  local server = SERVER:gsub("UPSTREAM", serve.url)
  local nginx = helper.start(stage, {
    workers = 2,
    http = endpoints.http,
    server = server,
    main = "env PALENCA_RATE_LIMIT;", env = { PALENCA_RATE_LIMIT = "77" },
  })
  return setmetatable({
    stage = stage, serve = serve, nginx = nginx, server = server,
    url = nginx.url .. "/webhooks/palenca",
  }, Endpoint)
end

--- One for all tests of a block.
function endpoints.start_for_all()
  local busted, endpoint = require("busted"), setmetatable({}, Endpoint)
  busted.setup(function()
    for name, value in pairs(endpoints.start()) do
      endpoint[name] = value
    end
  end)
  busted.teardown(function()
    endpoint:stop()
  end)
  return endpoint
end

--- Ends them, and demands that nothing went wrong and nothing secret was logged.
function Endpoint:stop()
  local status = self.nginx:quit()
  local log = self.nginx:log()
  self.stage:clear()
  assert.are.equal(0, status)
  for _, worse in ipairs { "alert", "crit", "emerg" } do
    assert.is_nil(log:find("[" .. worse .. "]", 1, true), log)
  end
  for _, secret in ipairs { "GODE561231HDFABC09", "new secret", "key-of-" } do
    assert.is_nil(log:find(secret, 1, true))
  end
end

function Endpoint:post(path, body, headers)
  return http.request("POST", self.nginx.url .. path, body, headers)
end

--- Sends a head with these header lines, and what follows it, over a connection of its own.
function Endpoint:send(lines, body)
  return self.stage:connect(self.url):send(endpoints.head(lines) .. (body or ""))
end

--- How many events handlers saw.
function Endpoint:seen()
  return tonumber((self.nginx:get("/seen")))
end

--- The last event that a handler saw.
function Endpoint:last()
  return helper.json.decode((self.nginx:get("/last")))
end

--- Sends a body on a connection of its own, and returns the connection.
function Endpoint:begin(path, body)
  return self.stage:connect(self.url):send("POST " .. path .. " HTTP/1.1\r\nHost: spec\r\n"
    .. "Content-Length: " .. #body .. "\r\n\r\n" .. body)
end

--- Waits until handlers have seen as many events.
function Endpoint:wait_seen(count)
  helper.ask_until(function()
    return self:seen() == count
  end, "a handler to run")
end

--- Sends a body on a connection of its own and waits until a handler has seen it. Returns the
-- connection, and how many events handlers had seen before.
function Endpoint:start_handling(path, body)
  local before = self:seen()
  local connection = self:begin(path, body)
  self:wait_seen(before + 1)
  return connection, before
end

--- Lets the handlers go on that wait for a name.
function Endpoint:go(name)
  self.nginx:get("/go?name=" .. name)
end

--- Runs a check and demands that no handler ran.
function Endpoint:running_nothing(check)
  local before = self:seen()
  check()
  assert.are.equal(before, self:seen())
end

return endpoints

--- Every listing of nginx in the documents is a configuration that nginx takes; those with an
-- endpoint for webhooks or a client work, beside a sandbox.
local uv = require("luv")
local documents = require("spec.support.documents")
local helper = require("spec.nginx.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

-- What every nginx.conf of a test has around the lines of a page.
local AROUND = [[
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
daemon off; pid nginx.pid; error_log stderr info; events {}
env PALENCA_BASE_URL; env NOTIFY_URL;
]]

local TEMPORARY = "client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; "
  .. "uwsgi_temp_path u; scgi_temp_path s;"

for _, path in ipairs(documents.list()) do
  for _, block in ipairs(documents.blocks(path, "nginx")) do
    describe(("%s:%d"):format(path, block.line), function()
      local stage, directory, port

      before_each(function()
        stage = helper.stage()
        directory = stage:directory()
        port = helper.free_port()
        -- what differs from what a reader has: the port, and where the module is
        local text = block.text:gsub("127%.0%.0%.1:8080", "127.0.0.1:" .. port)
          :gsub("/opt/palenca/share/lua/5%.1/", uv.cwd() .. "/lua/")
          :gsub("/opt/palenca/lib/lua/5%.1/", helper.module_pattern():match("^(.*)/%?%.so") .. "/")
          :gsub("http {\n", "http {\n" .. TEMPORARY .. "\n")
        process.write_file(directory .. "/nginx.conf", AROUND .. text)
        assert.equal(0, (process.run("/bin/sh", { "-c", "cp examples/*.lua " .. directory })))
        for _, name in ipairs { "first", "handlers" } do
          process.write_file(directory .. "/" .. name .. ".lua", 'require "notify"')
        end
      end)

      after_each(function()
        stage:clear()
      end)

      local function environment(more)
        local env = { PALENCA_API_KEY = "spec-key",
          LUA_PATH = ("%s/lua/?.lua;%s/lua/?/init.lua;%s/?.lua;;"):format(uv.cwd(), uv.cwd(),
            directory),
          LUA_CPATH = helper.module_pattern() }
        for name, value in pairs(more or {}) do
          env[name] = value
        end
        return env
      end

      local function arguments(...)
        return { "-p", directory, "-c", "nginx.conf", "-e", "stderr", "-g",
          uv.getuid() == 0 and "user root;" or "", ... }
      end

      it("is a configuration", function()
        local status, out, err = process.run("/usr/sbin/nginx", arguments("-t"),
          { env = environment() })
        assert.equal(0, status, out .. err)
      end)

      local has_webhook = block.text:find("webhook()", 1, true) ~= nil
      local has_client = block.text:find("client()", 1, true) ~= nil
      if not (has_webhook or has_client) then
        return
      end

      it("works", function()
        local _, sandbox = stage:sandbox()
        local own = stage:server()
        local nginx = stage:start("/usr/sbin/nginx", arguments(), { env = environment {
          PALENCA_BASE_URL = sandbox, NOTIFY_URL = own.url .. "/income" } })
        stage:at_end(function() -- killed outright, it would leave its workers behind
          nginx:stop()
        end)
        nginx:wait_output("stderr", "start worker process ")
        local url = "http://127.0.0.1:" .. port
        if has_client then
          local _, out = process.run("/usr/bin/env", { "curl", "-sS", url .. "/platforms" })
          assert.truthy(tonumber(out), out)
          return
        end
        local is_signed = block.text:find("palenca_signature on", 1, true)
        local login = helper.json.decode(http.request("POST", sandbox .. "/sandbox/logins",
          '{"platform": "uber"}').body).data
        local response = http.request("POST", url .. "/webhooks/palenca",
          helper.body({ account_id = login.account_id }))
        assert.equal(is_signed and 401 or 200, response.status, nginx.stderr)
        if not is_signed then
          local body = helper.json.decode(own:wait_request("/income").body)
          assert.equal(login.account_id, body.account_id)
        end
      end)
    end)
  end
end

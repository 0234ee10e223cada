--- Responds to the requests of the admin page, on a thread of its own: a search, or a purge, holds
-- up neither those who watch the process nor what it receives.
-- @module palenca.host.admin_thread
local admin_api = require("palenca.host.admin_api")
local calls = require("palenca.runtime.calls")
local core = require("palenca.core")
local host = require("palenca.host")
local json = require("palenca.util.json")
local program_log = require("palenca.host.program_log")
local user_error = require("palenca.host.user_error")

local own_thread = host.own_thread

-- Maximum seconds of a wait: it is woken by descriptors.
local IDLE = 60

local function nothing() end

--- Runs it; the options are a JSON object: `db`, `method` of the requests that are its (`GET` or
-- `POST`), `json`, `log_level`, `log_has_dates`.
-- @tparam string text the options
return function(text)
  local options = json.decode(text)
  program_log.use_json(options.json, nil, options.log_has_dates)
  program_log.use_level(options.log_level)
  local requests <close>, problem = host.page_requests(options.method)
  if not requests then
    user_error("%s", problem)
  end
  if options.method == "GET" then
    host.forget.lower_priority() -- of this thread alone: webhooks go first
  end
  local waiter, api = calls.new(core.engine()), admin_api.new(options.db)
  own_thread.ready("")
  while true do
    -- cleared before the requests are read: one that comes in between makes it readable again
    own_thread.clear_fd()
    if own_thread.requested() ~= "run" then
      break
    end
    waiter:step(IDLE, nothing, requests:fd(), own_thread.fd())
    requests:run(function(request)
      return api:handle(request)
    end)
  end
end

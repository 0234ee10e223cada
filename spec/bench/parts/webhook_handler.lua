-- What Debian's `webhook` starts for each event: the body is its argument.
local event = require "cjson".decode(arg[1]).data
assert(event.webhook_action)

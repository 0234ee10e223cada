--- The webhook actions that the API's documentation names, present and former ones, as keys.
-- @module palenca.util.webhook_actions
local actions = {}
for name in ([[
  login.created login.success login.incomplete login.error login.retry login.failed_refresh
  user.created user.deleted account.created account.connected account.requires_auth
  account.needs_auth profile.updated employment.created employment.updated earnings.updated
  events.updated clean_save.finished
]]):gmatch("%S+") do
  actions[name] = true
end

return actions

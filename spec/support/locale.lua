--- A locale with a decimal comma, for processes that a spec starts.
local process = require("spec.support.process")

local locale = { NAME = "pt_BR.UTF-8" }

local directory = process.reader():match("^(.*)/bin/") .. "/spec"

--- The environment in which it is found, and in which `setlocale(LC_ALL, "")` chooses it.
locale.environment = { LOCPATH = directory .. "/locales", LC_ALL = locale.NAME }

--- Lua text that has C's setlocale called with the environment's locale.
locale.SET_FROM_C = ("package.cpath = %q .. package.cpath; require 'process_locale'")
  :format(directory .. "/?.so;")

return locale

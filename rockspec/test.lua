-- Runs the examples' specs with what is installed: luarocks test. It needs busted.
arg = { [0] = "busted", "--directory=examples" } -- luacheck: ignore 121
require("busted.runner")({ standalone = false })

--- The fields of `palenca`, for luacheck; see palenca.luacheck.
-- Made by spec/support/annotations of the reference.
return {
  advice = { fields = {
    of_call = {}, of_login = {},
  } },
  decision = { fields = {
    record = {}, replay = {},
  } },
  every = {},
  gather = {},
  http = {},
  income = { fields = {
    analyze = {}, decide = {}, explain = {}, format = {}, load_rule = {}, merge = {}, table = {},
  } },
  json = { fields = {
    array = {}, canonical = {}, decode = {}, decode_rounded = {}, decode_strictly = {},
    encode = {}, is_array = {}, null = {},
  } },
  log = { fields = {
    encode = {}, error = {}, info = {}, is_written = {}, truncate = {}, use_context = {},
    use_level = {}, use_writer = {}, warn = {},
  } },
  new = {},
  on = {},
  on_dead = {},
  sleep = {},
  version = { other_fields = true },
  webhook = { fields = {
    parse = {}, sign = {},
  } },
}

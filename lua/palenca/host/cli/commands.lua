--- The commands of the program: in which groups the help lists them, and an example for each.
-- @module palenca.host.cli.commands
local commands = {}

--- Their names, by the headings of the help.
commands.groups = {
  { "Webhooks and decisions", { "serve", "events", "decisions", "shadow", "forget",
    "reconcile" } },
  { "Income", { "income", "decide", "report" } },
  { "Data of the API", { "earnings", "profile", "accounts", "logins", "users", "webhooks",
    "export" } },
  { "Development", { "dev", "sandbox", "trigger", "run", "check" } },
  { "The program itself", { "help", "version", "completion" } },
}

--- Examples by the command, or by the command and its part.
commands.examples = {
  [""] = { "palenca dev script.lua", "palenca serve script.lua",
    "palenca events list --state dead" },
  serve = { "palenca serve script.lua --watch", "palenca serve script.lua --listen 0.0.0.0:8443 "
    .. "--tls-cert chain.pem --tls-key key.pem --webhook-secret-file secret "
    .. "--signature-header X-Signature" },
  events = { "palenca events list --state dead", "palenca events stats" },
  ["events list"] = { "palenca events list --action login.success --since 6h",
    "palenca events list --follow" },
  ["events show"] = { "palenca events show 1742" },
  ["events replay"] = { "palenca events replay 1742 1743" },
  ["events retry-dead"] = { "palenca events retry-dead --since 2d" },
  ["events stats"] = { "palenca events stats --json" },
  ["events purge"] = { "palenca events purge --older-than 90 --dry-run" },
  ["events backup"] = { "palenca events backup palenca-2026-03-01.db" },
  ["events restore"] = { "palenca events restore palenca-2026-03-01.db --db new.db" },
  decisions = { "palenca decisions list --outcome decline", "palenca decisions verify" },
  ["decisions list"] = { "palenca decisions list --outcome decline --since 7d" },
  ["decisions show"] = { "palenca decisions show 12" },
  ["decisions explain"] = { "palenca decisions explain 12 --lang es" },
  ["decisions verify"] = { "palenca decisions verify" },
  ["decisions replay"] = { "palenca decisions replay" },
  shadow = { "palenca shadow new.lua --since 7d" },
  reconcile = { "palenca reconcile --since 1h" },
  forget = { "palenca forget --user d1c9b98b-3190-479e-99db-04060ff3997f" },
  income = { "palenca income cb39ee15-f29f-427d-9119-0c627575610d",
    "palenca income --rows rows.jsonl --as-of 2026-03-01",
    "palenca income --accounts-file accounts.csv --out incomes --csv" },
  decide = { "palenca decide --rows rows.jsonl --rule rule.lua --installment 1500" },
  report = { "palenca report cb39ee15-f29f-427d-9119-0c627575610d --lang es -o report.html",
    "palenca report --rows rows.jsonl --rule rule.lua --installment 1500 -o report.html" },
  earnings = { "palenca earnings cb39ee15-f29f-427d-9119-0c627575610d --since 2026-01-01 --csv" },
  profile = { "palenca profile cb39ee15-f29f-427d-9119-0c627575610d" },
  accounts = { "palenca accounts d1c9b98b-3190-479e-99db-04060ff3997f" },
  logins = { "palenca logins --since 2026-03-01 --status error" },
  users = { "palenca users --json" },
  webhooks = { "palenca webhooks" },
  export = { "palenca export --accounts-file accounts.txt --out export" },
  dev = { "palenca dev script.lua --login uber", "palenca dev script.lua --login "
    .. "didi,pattern=declining --once" },
  sandbox = { "palenca sandbox --accounts 5 --fast",
    "palenca sandbox --fault error,status=503,probability=0.1" },
  trigger = { "palenca trigger login.success --platform rappi",
    "palenca trigger login.success --times 100 --accounts 10" },
  run = { "palenca run script.lua", "palenca run report.lua 2026-03-01" },
  check = { "palenca check script.lua" },
  help = { "palenca help events list", "palenca help --man serve | man -l -" },
  version = { "palenca version --verbose" },
  completion = { "source <(palenca completion bash)" },
}

return commands

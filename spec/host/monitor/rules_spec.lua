--- The alert rules and the dashboard: whether Prometheus and Grafana can read them, whether each
-- rule fires, and whether all that they name is what `/metrics` has.
local cjson = require("cjson")
local documents = require("spec.support.documents")
local helper = require("spec.host.helper")
local http = require("spec.support.http")
local process = require("spec.support.process")

local RULES = "core/host/service/monitoring/alerts.yml"
local RULE_TESTS = "spec/host/monitor/alerts_test.yml"
local DASHBOARD = "core/host/service/monitoring/dashboard.json"
local GUIDE = "core/host/OPERATING.md"

-- What Prometheus itself adds to a scrape.
local OWN_METRICS = { up = true }
local OWN_LABELS = { job = true, instance = true }

local function promtool(...)
  local status, out, err = process.run("promtool", { ... })
  assert.equal(0, status, out .. err)
end

-- The text of each alert's rule, by name.
local function read_rules()
  local rules, count = {}, 0
  local text = helper.read_file(RULES):gsub("\n +%- alert: ", "\0") .. "\0"
  for name, rule in text:match("%z(.*)"):gmatch("(%w+)(.-)%z") do
    assert.is_nil(rules[name], name)
    rules[name], count = rule, count + 1
  end
  assert.is_true(count > 10)
  return rules
end

-- Of each rule; those in several lines have no other key behind them.
local function expressions_of_rules()
  local list = {}
  for name, rule in pairs(read_rules()) do
    local text = rule:match("\n +expr: >%-\n(.-)\n +%l+:") or rule:match("\n +expr: ([^\n]+)")
    list[name] = assert(text, name)
  end
  return list
end

local function read_dashboard()
  return cjson.decode(helper.read_file(DASHBOARD))
end

-- Of each target, by panel; what Grafana puts in is written as it would be.
local function expressions_of_dashboard()
  local list = {}
  for _, panel in ipairs(read_dashboard().panels) do
    for _, target in ipairs(panel.targets or {}) do
      list[panel.title .. " " .. target.refId] = target.expr:gsub("%$instance", ".*")
        :gsub("%$__rate_interval", "5m")
    end
  end
  return list
end

-- The name of the family that a sample is of; nil: there is none.
local function family_of(families, name)
  local base, part = name:match("^(.*)_(%l+)$")
  local is_part = part == "bucket" or part == "sum" or part == "count"
  local found = families[name] and name or is_part and base
  return families[found] and found
end

-- Family → label → the set of its values.
local function read_families(text)
  local families = {}
  for name in text:gmatch("# TYPE ([%l_]+) ") do
    families[name] = {}
  end
  for name, labels in text:gmatch("\n([%l_]+){(.-)} ") do
    local family = families[family_of(families, name)]
    for label, value in labels:gmatch('([%l_%d]+)="([^"]*)"') do
      family[label] = family[label] or {}
      family[label][value] = true
    end
  end
  return families
end

-- Whether a matcher's text selects one of the values; alternatives have to do so each.
local function selects(values, operator, text)
  for one in (text .. (operator == "=" and "" or "|")):gmatch(operator == "=" and ".+"
    or "([^|]*)|") do
    local pattern = "^" .. one:gsub("%p", function(mark)
      return mark == "." and "." or mark == "*" and "*" or "%" .. mark
    end) .. "$"
    local any = false
    for value in pairs(values) do
      any = any or value:find(pattern) ~= nil
    end
    if not any then
      return false
    end
  end
  return true
end

-- Records in `used` the families that an expression reads, and asserts that they are there, with
-- what its matchers and groupings name.
local function check_names(where, expression, families, used)
  local text = expression:gsub('"[^"]*"', '""')
  local labels = {}
  for name in text:gmatch("%f[%w_]([%l_]+)%f[^%w_]") do
    if name:find("^palenca_") or name:find("^process_") then
      local family = family_of(families, name)
      assert.truthy(family, where .. ": " .. name)
      used[family] = true
      for label in pairs(families[family]) do
        labels[label] = true
      end
    end
  end
  for name, matchers in expression:gmatch("([%l_]+)(%b{})") do
    local family = families[family_of(families, name)]
    assert.truthy(family or OWN_METRICS[name], where .. ": " .. name)
    for label, operator, value in matchers:gmatch('([%l_]+)(=~?)"([^"]*)"') do
      assert.truthy(OWN_LABELS[label] or family[label] and selects(family[label], operator, value),
        ("%s: %s of %s: %s"):format(where, label, name, value))
    end
  end
  for list in text:gmatch("%f[%w]by (%b())") do
    for label in list:gmatch("[%l_]+") do
      assert.truthy(OWN_LABELS[label] or labels[label], where .. ": by " .. label)
    end
  end
end

describe("the alert rules", function()
  it("are what Prometheus reads", function()
    promtool("check", "rules", RULES)
  end)

  it("fire when they should, and only then", function()
    promtool("test", "rules", RULE_TESTS)
  end)

  it("have a test each, of one instance that fires and one that does not", function()
    local tests = helper.read_file(RULE_TESTS):gsub("\n  %- name: ", "\0") .. "\0"
    local tested = {}
    for name, test in tests:gmatch("%f[%z]%z(%w+)\n(.-)%f[%z]") do
      assert.truthy(test:find(('ALERTS{alertname="%s", alertstate="firing", instance="bad"')
        :format(name), 1, true), name)
      assert.truthy(test:find("series: '[%l_]+{[^\n]*instance=\"good\""), name)
      assert.truthy(test:find('expr: ALERTS{alertstate="firing"}\n', 1, true), name)
      tested[name] = true
    end
    for name in pairs(read_rules()) do
      assert.truthy(tested[name], name)
    end
  end)

  it("say how bad it is, what it means, and what to do, with a section of the guide", function()
    local anchors = {}
    for _, heading in ipairs(documents.read(GUIDE).headings) do
      anchors["#" .. documents.anchor(heading.title)] = true
    end
    for name, rule in pairs(read_rules()) do
      local severity = rule:match("\n +severity: (%l+)")
      assert.truthy(severity == "critical" or severity == "warning", name)
      for _, text in ipairs { "summary", "description", "action" } do
        assert.truthy(rule:find("\n +" .. text .. ": %S"), name .. ": " .. text)
      end
      assert.truthy(anchors[rule:match('\n +runbook: "(#[%l-]+)"')], name)
    end
  end)

  it("are those of the guide, with their severity", function()
    local expected = {}
    for _, title in ipairs { "Alert rules", "Alert rules of events", "Alert rules of its parts" } do
      for _, row in ipairs(documents.rows_under(documents.read(GUIDE), title)) do
        local name, severity = row:match("^| `(%w+)` | (%l+) |")
        expected[name or ""] = severity
      end
    end
    local found = {}
    for name, rule in pairs(read_rules()) do
      found[name] = rule:match("\n +severity: (%l+)")
    end
    assert.same(expected, found)
  end)
end)

describe("the dashboard", function()
  it("has rows, and panels with units that do not overlap", function()
    local dashboard = read_dashboard()
    assert.is_true(dashboard.schemaVersion >= 39)
    local ids, rows, taken = {}, {}, {}
    for _, panel in ipairs(dashboard.panels) do
      assert.is_nil(ids[panel.id], panel.title)
      ids[panel.id] = true
      local place = panel.gridPos
      for x = place.x, place.x + place.w - 1 do
        for y = place.y, place.y + place.h - 1 do
          assert.is_nil(taken[x .. " " .. y], panel.title)
          assert.is_true(x < 24, panel.title)
          taken[x .. " " .. y] = true
        end
      end
      if panel.type == "row" then
        rows[#rows + 1] = panel.title
      else
        assert.truthy(panel.fieldConfig.defaults.unit, panel.title)
        assert.truthy(#panel.description > 10, panel.title)
        assert.is_true(#panel.targets > 0, panel.title)
      end
    end
    assert.same({ "Receiving", "Events", "Handlers", "API", "Process" }, rows)
  end)

  it("asks no data source but the one that its reader chooses", function()
    local text = helper.read_file(DASHBOARD)
    for uid in text:gmatch('"datasource": (%b{})') do
      assert.truthy(uid:find('"type": "prometheus"', 1, true), uid)
      assert.truthy(uid:find('"uid": "${datasource}"', 1, true), uid)
    end
    local variable = read_dashboard().templating.list[1]
    assert.same({ "datasource", "datasource", "prometheus" },
      { variable.name, variable.type, variable.query })
    assert.is_nil(text:find("__inputs", 1, true))
  end)

  it("has expressions that Prometheus reads", function()
    local directory, remove = process.directory()
    local lines = { "groups:", "  - name: dashboard", "    rules:" }
    for _, expression in pairs(expressions_of_dashboard()) do
      lines[#lines + 1] = ("      - { record: panel%d, expr: %s }"):format(#lines,
        (cjson.encode(expression):gsub("\\/", "/")))
    end
    assert.is_true(#lines > 30)
    local path = process.write_file(directory .. "/rules.yml", table.concat(lines, "\n") .. "\n")
    promtool("check", "rules", path)
    remove()
  end)
end)

describe("what the alert rules and the dashboard name", function()
  local stage = helper.stage()
  local families

  setup(function()
    local served = stage:serve({ arguments = { "--admin", "127.0.0.1:0" },
      text = 'require("palenca").on("*", function() end)' })
    local admin = served.stderr:match("metrics and health at (http://[%d.:]+)")
    helper.post(served.url, { account_id = "a" })
    helper.ask_until(function() -- of handlers, it has those that have run
      families = read_families(http.request("GET", admin .. "/metrics").body)
      return families.palenca_handler_seconds.action
    end, "the handler's time")
  end)

  teardown(function()
    stage:clear()
  end)

  it("is in the metrics, labels and their values included", function()
    for name, expression in pairs(expressions_of_rules()) do
      check_names(name, expression, families, {})
    end
    for name, expression in pairs(expressions_of_dashboard()) do
      check_names(name, expression, families, {})
    end
    for line in helper.read_file(RULE_TESTS):gmatch("series: '([^\n]+)', values") do
      check_names(line, line, families, {})
    end
  end)

  it("is each of the metrics", function()
    local used = {}
    for name, expression in pairs(expressions_of_dashboard()) do
      check_names(name, expression, families, used)
    end
    for family in pairs(families) do
      assert.truthy(used[family], family .. " is in no panel")
    end
  end)

  it("is each reason for not being ready", function()
    local text = ""
    for _, expression in pairs(expressions_of_rules()) do
      text = text .. expression
    end
    for reason in pairs(families.palenca_problem.reason) do
      assert.truthy(text:find("%f[%w_]" .. reason .. "%f[^%w_]"), reason)
    end
  end)
end)

--- A pager that several attempts of a handler share, in `palenca serve`.
local helper = require("spec.host.helper")

describe("a pager of a script's", function()
  local stage = helper.stage_for_each()

  local ACCOUNT = "cb39ee15-f29f-427d-9119-0c627575610d"

  -- Five rows, two a page. The first request for page 2 never gets a response.
  local function api()
    local is_held = false
    return stage:server(function(request)
      if request.path == "/v1/webhooks" then -- whether the key is taken
        return request.respond(200, '{"success":true,"data":[]}')
      end
      local page = helper.json.decode(request.body).options.page
      if page == 2 and not is_held then
        is_held = true
        return
      end
      local rows = {}
      for number = 2 * page - 1, math.min(2 * page, 5) do
        rows[#rows + 1] = { count_trips = number }
      end
      request.respond(200, helper.json.encode {
        success = true, data = { earnings = rows },
        pagination = { page = page, items_per_page = 2, total_items = 5, total_pages = 3 },
      })
    end)
  end

  for way, loop in pairs {
    next = "for row in pager.next, pager do print(row.count_trips) end",
    each = "for row in pager:each() do print(row.count_trips) end",
  } do
    it("is gone on with by the attempt after one that timed out: " .. way, function()
      local served = stage:serve {
        text = ([[
          local palenca = require "palenca"
          local client = palenca.new { base_url = os.getenv "SPEC_URL", rate_limit = 0 }
          local pager = client.accounts:earnings("%s", {
            start_date = "2025-01-01", end_date = "2025-02-01", items_per_page = 2,
          })
          palenca.on("*", { timeout = 0.5, retry_wait = 0.05 }, function(event)
            print("attempt", event.attempt)
            %s
            print("end", pager:next())
          end)
        ]]):format(ACCOUNT, loop),
        env = { SPEC_URL = api().url }, arguments = { "--workers", "1" },
      }
      helper.post(served.url, { account_id = "a" })
      served:wait_output("stdout", "end\tnil\n")
      -- on a slow machine the first attempt may not come as far as a row
      assert.equal("1\n2\n3\n4\n5\nend\tnil\n", (served.stdout:gsub("attempt\t%d+\n", "")))
      assert.truthy(served.stderr:find("timed out after 0.5 s", 1, true), served.stderr)
    end)
  end
end)

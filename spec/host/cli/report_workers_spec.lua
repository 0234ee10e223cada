--- Whose accounts a report is about.
local workers = require("palenca.host.cli.report.workers")

describe("the persons of a report", function()
  local function profile(account, first, last, ids, more)
    local data = { profile = { first_name = first, last_name = last }, ids_info = ids }
    for name, value in pairs(more or {}) do
      data[name] = value
    end
    return { account = account, profile = data }
  end

  local function count(...)
    return #workers.of({ ... })
  end

  local curp = { name = "CURP", type = "national", value = "XAXX010101HDFABC01" }
  local same_end = { name = "CURP", type = "national", value = "XEXX020202HDFABC01" }
  local nss = { type = "social_security", value = "12345678901" }

  it("are one for the same number, however the name is written", function()
    local list, owners = workers.of({ profile("a", "Ana", "García", { curp }),
      profile("b", "GARCÍA SALAZAR", "ANA", { nss, curp }, { metrics_info = { rating = 4 } }) })
    assert.are.equal(1, #list)
    assert.are.same({ list[1], list[1] }, { owners.a, owners.b })
    -- with all that each of the profiles says
    assert.are.same({ "Ana García / GARCÍA SALAZAR ANA", "CURP", "social_security" },
      { list[1].name, list[1].ids[1].name, list[1].ids[2].name })
  end)

  it("have every number and birthday that a profile has, and the accounts their own facts",
    function()
      local rfc = { name = "RFC", value = "XAXX010101AB1" }
      local other = { name = "RFC", value = "XAXX010101AB2" }
      local one = profile("a", "Ana", "Lopez", { rfc, curp }, { metrics_info = { rating = 4.9 } })
      local two = profile("b", "ANA", "LOPEZ", { other, curp }, { metrics_info = { rating = 4.5,
        lifetime_trips = 12 } })
      one.profile.profile.birthday, two.profile.profile.birthday = "1990-01-01", "1990-01-10"
      two.profile.profile.worker_role, two.profile.profile.city_name = "driver", "Lima"
      local list, _, facts = workers.of({ one, two }, true)
      assert.are.same({ { name = "Ana Lopez", born = "1990-01-01 / 1990-01-10", ids = {
        { name = "RFC", value = rfc.value }, { name = "CURP", value = curp.value },
        { name = "RFC", value = other.value } } } }, list)
      assert.are.same({ a = { rating = "4.9" },
        b = { rating = "4.5", trips = "12", role = "driver", city = "Lima" } }, facts)
    end)

  it("are two for different numbers of a kind, though they look alike when masked", function()
    local list, owners = workers.of({ profile("a", "Ana", "García", { curp }),
      profile("b", "Ana", "García", { same_end }) })
    assert.are.equal(2, #list)
    assert.are.equal(list[1].ids[1].value, list[2].ids[1].value)
    assert.are.same({ list[1], list[2] }, { owners.a, owners.b })
  end)

  it("are one for any number that is the same, in capitals or not, and before any name", function()
    local rfc = { name = "RFC", value = "XAXX010101AB1" }
    local lower = { name = "rfc", value = "xaxx010101ab1" }
    local other = { name = "RFC", value = "XAXX010101AB2" }
    for _, ids in ipairs({ { curp, other }, { other, curp }, { lower } }) do
      local list = workers.of({ profile("a", "Ana", "García", { rfc, curp }),
        profile("b", "Eva", "Lopez", ids) })
      assert.are.equal(1, #list)
      assert.are.equal(ids[1] == lower and 2 or 3, #list[1].ids)
    end
    local list, owners = workers.of({ profile("a", "Ana", "Lopez", { nss }),
      profile("b", "Eva", "Lopez", { curp }), profile("c", "Ana", "Lopez", { curp }) })
    assert.are.same({ list[1], list[2], list[2] }, { owners.a, owners.b, owners.c })
  end)

  it("are compared by name if no kind of number is common", function()
    assert.are.equal(1, count(profile("a", "Ana", "Lopez", { curp }),
      profile("b", "ANA", "LOPEZ", { nss }), profile("c", "ana", "lopez")))
    assert.are.equal(2, count(profile("a", "Ana", "Lopez"), profile("b", "Eva", "Lopez")))
  end)

  it("are not more for an account that names nobody", function()
    local list, owners = workers.of({ profile("a"), profile("b", "Ana", "Lopez"),
      { account = "c", profile = {} } })
    assert.are.same({ { name = "Ana Lopez", ids = {} } }, list)
    assert.are.same({ b = list[1] }, owners)
  end)

  it("are read from whatever the API sends", function()
    local list = workers.of({ profile("a", nil, false, "none", { metrics_info = 7 }),
      { account = "b", profile = { profile = "", ids_info = { { value = 42 } } } } }, true)
    assert.are.same({ { ids = { { name = "ID", value = "42" } } } }, list)
    local one, _, facts = workers.of({ profile("a", "Ana", nil, { { value = 42 } },
      { metrics_info = { lifetime_trips = 12, rating = 4.5 } }) }, true)
    assert.are.same({ { name = "Ana", ids = { { name = "ID", value = "42" } } } }, one)
    assert.are.same({ a = { trips = "12", rating = "4.5" } }, facts)
  end)
end)

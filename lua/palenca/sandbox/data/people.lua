--- Makes up the person behind an account: profile, identity numbers, bank, vehicle, metrics.
-- @module palenca.sandbox.data.people
--
-- Nobody may be hit by accident: addresses are under example.com, and phone numbers, account
-- numbers and identity numbers have the right form with contents no authority hands out.
local constants = require("palenca.sandbox.data.vendor_constants")
local random = require("palenca.sandbox.data.random")

local people = {}

local names = {
  es = {
    f = { "Ana", "Lucía", "Marisol", "Ximena", "Valentina", "Rosa", "Paola", "Camila" },
    m = { "Carlos", "José", "Miguel", "Andrés", "Mateo", "Luis", "Iván", "Rodrigo" },
    last = { "García", "Hernández", "Muñoz", "Rojas", "Salazar", "Quispe", "Vargas", "Ibarra" },
  },
  br = {
    f = { "Beatriz", "Juliana", "Conceição", "Larissa", "Aline", "Fernanda" },
    m = { "João", "Thiago", "Rafael", "Gustavo", "Anderson", "Caio" },
    last = { "Silva", "Souza", "Araújo", "Magalhães", "Ferreira", "Gonçalves" },
  },
}

local vehicles = {
  car = { { "Nissan", "Versa" }, { "Chevrolet", "Onix" }, { "Kia", "Rio" }, { "Toyota", "Yaris" } },
  motorcycle = { { "Honda", "CG 160" }, { "Yamaha", "FZ" }, { "Bajaj", "Boxer" } },
}

local plain = {
  ["á"] = "a", ["ã"] = "a", ["é"] = "e", ["í"] = "i", ["ó"] = "o", ["ú"] = "u", ["ñ"] = "n",
  ["ç"] = "c",
}

local function email_address(...)
  local word = table.concat({ ... }, "."):gsub(utf8.charpattern, plain)
  return word:lower() .. "@example.com"
end

-- The form of a CURP, with a state (XX) that does not exist.
local function curp(person)
  return "XXXX" .. person.birth .. (person.sex == "f" and "M" or "H") .. "XXXXX"
    .. person.stream:digits(2)
end

-- The form of a CPF, with check digits off by one: a right one could be somebody's.
local function cpf(person)
  local digits = "000" .. person.stream:digits(6)
  for _ = 1, 2 do
    local sum = 0
    for index = 1, #digits do
      sum = sum + tonumber(digits:sub(index, index)) * (#digits + 2 - index)
    end
    digits = digits .. sum * 10 % 11 % 10
  end
  local wrong = (tonumber(digits:sub(-1)) + 1) % 10
  return ("%s.%s.%s-%s%d"):format(
    digits:sub(1, 3), digits:sub(4, 6), digits:sub(7, 9), digits:sub(10, 10), wrong)
end

local function identity(person, country)
  if country == "mx" then
    return {
      { type = "national", name = "CURP", value = curp(person) },
      { type = "tax", name = "RFC", value = "XXXX" .. person.birth .. "XX0" },
    }
  elseif country == "br" then
    return { { type = "individual_taxpayer_registry", name = "CPF", value = cpf(person) } }
  end
  local name = country == "co" and "Cédula" or "DNI"
  return { { type = "national", name = name, value = "00" .. person.stream:digits(6) } }
end

local function make_person(stream, country)
  local pool = names[country] or names.es
  local sex = stream:pick { "f", "m" }
  local year = stream:between(1970, 2002)
  local month, day = stream:between(1, 12), stream:between(1, 28)
  return {
    stream = stream,
    sex = sex,
    first = stream:pick(pool[sex]),
    last = stream:pick(pool.last) .. " " .. stream:pick(pool.last),
    birthday = ("%04d-%02d-%02d"):format(year, month, day),
    birth = ("%02d%02d%02d"):format(year % 100, month, day),
  }
end

local function profile_of(person, account)
  local stream, place = person.stream, constants.countries[account.country]
  local surname = person.last:match("%S+")
  return {
    first_name = person.first,
    last_name = person.last,
    email = email_address(person.first, surname, stream:digits(3)),
    birthday = person.birthday,
    phone = ("+%s000%s"):format(place.dial, stream:digits(7)),
    address = ("Calle Imaginaria %d, %s"):format(stream:between(1, 400), place.city),
    city_name = place.city,
    picture_url = "https://example.com/pictures/" .. account.account_id .. ".png",
    worker_role = constants.delivers[account.platform] and "courier" or "driver",
  }
end

local function bank_of(person, profile)
  return {
    account_number = "0000" .. person.stream:digits(14),
    holder_name = person.first .. " " .. person.last,
    holder_address = profile.address,
    bank_name = "Banco de Prueba",
    bank_code = "000",
  }
end

local function vehicle_of(stream, platform)
  local kind = constants.delivers[platform] and "motorcycle" or "car"
  local make = stream:pick(vehicles[kind])
  return {
    type = kind,
    brand = make[1],
    model = make[2],
    year = stream:between(2012, 2023),
    license_plate = "XXX" .. stream:digits(3),
    vin = "00000000000" .. stream:digits(6),
  }
end

local function metrics_of(stream)
  local years = stream:between(3, 70) / 10
  return {
    acceptance_rate = stream:between(70, 99) / 100,
    cancellation_rate = stream:between(0, 12) / 100,
    thumps_up = stream:between(5, 400),
    rating = stream:between(450, 500) / 100,
    lifetime_trips = math.floor(years * stream:between(800, 2600)),
    time_since_first_trip = years,
    level_name = stream:pick { "Azul", "Oro", "Platino", "Diamante" },
    debt_pending = stream:chance(0.2) and stream:between(100, 9000) / 10 or 0.0,
    debt_paid = stream:chance(0.3) and stream:between(100, 9000) / 10 or 0.0,
    activation_status = "active",
  }
end

--- Generates the person of an account. Equal account ids have equal persons; vehicle and metrics
-- are each account's own.
-- @tparam table account with `account_id`, `platform`, `country` and maybe `warning`; `person`,
-- `{account_id=, country=}` of the first account of the same person
-- @treturn table `profile`, `ids_info`, `bank_info`, `vehicle_info`, `metrics_info`
function people.generate(account)
  local first = account.person or account
  local stream = random.new(first.account_id, "person")
  local person = make_person(stream, first.country)
  local profile = profile_of(person, account)
  local made = {
    profile = profile,
    ids_info = identity(person, account.country),
    bank_info = bank_of(person, profile),
  }
  local own = account.person and random.new(account.account_id, "person") or stream
  made.vehicle_info = vehicle_of(own, account.platform)
  made.metrics_info = metrics_of(own)
  if account.warning == "incomplete_profile_data" then
    profile.birthday, profile.phone, profile.address = nil, nil, nil
    made.bank_info = nil
  end
  return made
end

return people

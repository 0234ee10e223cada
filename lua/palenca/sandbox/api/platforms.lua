--- Responses for the platforms and countries that there are.
-- @module palenca.sandbox.api.platforms
local constants = require("palenca.sandbox.data.vendor_constants")
local random = require("palenca.sandbox.data.random")
local render = require("palenca.sandbox.data.render")
local response = require("palenca.sandbox.http.response")
local search_request = require("palenca.sandbox.http.search_request")

local platforms = {}

local platform_shape = render.shape {
  "created_at", "updated_at", "id", "code", "name", "logo", "is_active", "category", "countries",
  "status",
}
local country_shape = render.shape {
  "created_at", "updated_at", "id", "alpha_2", "alpha_3", "name", "currency", "calling_code",
  "timezone", "flag", "is_active",
}

local CREATED = "2024-01-15T00:00:00Z"

-- The ones people know, in the order in which a widget offers them: code, name, countries.
local known = {
  { "uber", "Uber", "mx co br ar cl pe cr pa ec bo sv do" },
  { "didi", "DiDi", "mx co cl pe cr pa ec ar do" },
  { "rappi", "Rappi", "co mx ar cl pe cr ec br" },
  { "didi_food", "DiDi Food", "mx co cr pe do" },
  { "uber_eats", "Uber Eats", "mx cl cr ec" },
  { "ifood", "iFood", "br" },
  { "noventa_nove", "99", "br" },
  { "indriver", "inDrive", "pe mx co cl br ec bo pa" },
  { "cabify", "Cabify", "pe co ar cl mx" },
  { "pedidos_ya", "PedidosYa", "ar cl pe bo pa ec cr do sv ve" },
  { "mensajeros_urbanos", "Mensajeros Urbanos", "co mx" },
  { "picap", "Picap", "co mx" },
  { "cornershop", "Cornershop", "mx cl pe co" },
  { "beat", "Beat", "mx co pe cl ar" },
  { "rapiboy", "Rapiboy", "ar mx" },
  { "nueve_nueve_minutos", "99minutos", "mx co cl pe" },
  { "mercado_pago", "Mercado Pago", "ar mx br co cl" },
  { "clip", "Clip", "mx" },
  { "imss", "IMSS", "mx" },
  { "issste", "ISSSTE", "mx" },
  { "carteira_trabalho", "Carteira de Trabalho", "br" },
  { "microempreendedor_individual", "MEI", "br" },
}

-- Those through which employees are seen, not gigs.
local function is_employment(code)
  return code:find("^nom") or code:find("^mc_") or ({
    imss = true, issste = true, carteira_trabalho = true, workday = true, pemex = true,
    osmos = true, runa = true, grupo_tress = true, worky = true,
    microempreendedor_individual = true,
  })[code]
end

local closed = { beat = true, cornershop = true, uber_eats = true }

local function words(text)
  local list = {}
  for word in text:gmatch("%S+") do
    list[#list + 1] = word
  end
  return list
end

local function title(code)
  return (code:gsub("_", " "):gsub("%f[%w]%l", string.upper))
end

local all_platforms
do
  local named = {}
  all_platforms = {}
  local function add(code, name, countries)
    named[code] = true
    all_platforms[#all_platforms + 1] = {
      code = code,
      name = name,
      category = is_employment(code) and "employment" or "gig",
      countries = countries,
      is_active = not closed[code],
    }
  end
  for _, entry in ipairs(known) do
    add(entry[1], entry[2], words(entry[3]))
  end
  local rest = {}
  for code in pairs(constants.platforms) do
    rest[#rest + 1] = not named[code] and code or nil
  end
  table.sort(rest)
  for _, code in ipairs(rest) do
    add(code, title(code), { "mx" })
  end
end

-- code, alpha-3, name, time zone, flag; whether it is not open yet
local all_countries = {
  { "mx", "MEX", "México", "America/Mexico_City", "🇲🇽" },
  { "co", "COL", "Colombia", "America/Bogota", "🇨🇴" },
  { "br", "BRA", "Brasil", "America/Sao_Paulo", "🇧🇷" },
  { "ar", "ARG", "Argentina", "America/Argentina/Buenos_Aires", "🇦🇷" },
  { "cl", "CHL", "Chile", "America/Santiago", "🇨🇱" },
  { "pe", "PER", "Perú", "America/Lima", "🇵🇪" },
  { "cr", "CRI", "Costa Rica", "America/Costa_Rica", "🇨🇷" },
  { "pa", "PAN", "Panamá", "America/Panama", "🇵🇦" },
  { "ec", "ECU", "Ecuador", "America/Guayaquil", "🇪🇨" },
  { "bo", "BOL", "Bolivia", "America/La_Paz", "🇧🇴" },
  { "sv", "SLV", "El Salvador", "America/El_Salvador", "🇸🇻" },
  { "do", "DOM", "República Dominicana", "America/Santo_Domingo", "🇩🇴" },
  { "us", "USA", "Estados Unidos", "America/New_York", "🇺🇸", true },
  { "ve", "VEN", "Venezuela", "America/Caracas", "🇻🇪", true },
}
for at, entry in ipairs(all_countries) do
  local place = constants.countries[entry[1]]
  all_countries[at] = {
    code = entry[1],
    alpha_3 = entry[2],
    name = entry[3],
    timezone = entry[4],
    flag = entry[5],
    currency = place.currency,
    calling_code = "+" .. place.dial,
    is_active = not entry[6],
  }
end

local time_zones = {}
for _, country in ipairs(all_countries) do
  time_zones[country.code] = country.timezone
end

local function active(list)
  local kept = {}
  for _, item in ipairs(list) do
    kept[#kept + 1] = item.is_active and item or nil
  end
  return kept
end

--- The platforms that a widget offers, the best known first.
-- @treturn table each `code`, `name`, `category` (gig or employment), `countries`
function platforms.list()
  return active(all_platforms)
end

local names = {}
for _, platform in ipairs(all_platforms) do
  names[platform.code] = platform.name
end

--- What people call a platform.
-- @tparam ?string code its code
-- @treturn ?string such as DiDi Food; nil if there is none with that code
function platforms.name(code)
  return code and names[code]
end

--- The names of all platforms, also of those that a widget does not offer.
-- @treturn table name by code
function platforms.names()
  return names
end

--- The countries that a widget offers.
-- @treturn table each `code`, `name`, `currency`, `calling_code`, `flag`
function platforms.countries()
  return active(all_countries)
end

--- Whether a platform shows employment instead of gigs.
-- @tparam string code its code
-- @treturn boolean whether it does
function platforms.is_employment(code)
  return is_employment(code) ~= nil and is_employment(code) ~= false
end

--- The time zone of a country.
-- @tparam string code its code
-- @treturn string such as America/Bogota
function platforms.time_zone(code)
  return time_zones[code]
end

local function list_platforms()
  local list = {}
  for at, platform in ipairs(all_platforms) do
    list[at] = platform_shape {
      created_at = CREATED,
      updated_at = CREATED,
      id = random.new("platform", platform.code):uuid(),
      code = platform.code,
      name = platform.name,
      logo = "https://example.com/logos/" .. platform.code .. ".svg",
      is_active = platform.is_active,
      category = platform.category,
      countries = render.array({ table.unpack(platform.countries) }),
      status = platform.is_active and "up" or "deprecated",
    }
  end
  return response.success(render.array(list))
end

local function list_countries(_, request)
  local only_active, rejection = search_request.query_switch(request.query, "only_active", true)
  if rejection then
    return rejection
  end
  local list = {}
  for at, country in ipairs(only_active and active(all_countries) or all_countries) do
    list[at] = country_shape {
      created_at = CREATED,
      updated_at = CREATED,
      id = random.new("country", country.code):uuid(),
      alpha_2 = country.code,
      -- the case of letters and the bare code are those of the published example
      alpha_3 = country.alpha_3:lower(),
      name = country.name,
      currency = country.currency:upper(),
      calling_code = country.calling_code:sub(2),
      timezone = country.timezone,
      flag = "https://example.com/flags/" .. country.code .. ".svg",
      is_active = country.is_active,
    }
  end
  return response.success(render.array(list))
end

--- The routes of this module; as published, they need no key.
platforms.routes = {
  { "GET", "/v1/platforms", list_platforms, public = true },
  { "GET", "/v1/countries", list_countries, public = true },
}

return platforms

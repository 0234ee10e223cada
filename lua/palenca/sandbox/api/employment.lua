--- Responses for employment: what formal platforms report, and loans paid back from a salary.
-- @module palenca.sandbox.api.employment
local accounts = require("palenca.sandbox.api.accounts")
local date = require("palenca.util.date")
local paging = require("palenca.sandbox.http.paging")
local platforms = require("palenca.sandbox.api.platforms")
local query_string = require("palenca.sandbox.http.query_string")
local random = require("palenca.sandbox.data.random")
local render = require("palenca.sandbox.data.render")
local response = require("palenca.sandbox.http.response")

local employment = {}

local response_shape = render.shape {
  "platform", "account_id", "external_id", "employment_info", "employment_history",
}
local info_shape = render.shape {
  "id_type", "quoted_weeks", "discounted_weeks", "reintegrated_weeks", "end_of_rights", "status",
  "employment_files", "employment_history_status",
}
local file_shape = render.shape { "url", "file_type", "account_id" }
local job_shape = render.shape {
  "employer", "employer_registration", "start_date", "end_date", "job_title", "job_title_code",
  "federal_entity",
}
local loans_shape = render.shape { "account_id", "consignados" }
local loan_shape = render.shape {
  "lender", "contract", "start_date", "end_date", "instalment", "balance", "currency",
}

local employers = {
  "Comercial Imaginaria SA", "Transportes de Prueba SA", "Servicios Ficticios SC",
  "Restaurante Inventado", "Almacenes del Ejemplo",
}
local titles = { "Auxiliar", "Operador", "Cajero", "Chofer", "Supervisor" }
local regions = { "Ciudad de México", "Jalisco", "Nuevo León", "Puebla", "São Paulo" }
local file_types = { imss = "imss_employment_record", issste = "issste_employment_file" }

-- The newest job first; it has not ended.
local function jobs_of(account)
  local stream = random.new(account.account_id, "employment")
  local day = date.day_of(account.connected) - stream:between(30, 900)
  local jobs, until_day, days = {}, nil, 0
  for at = 1, stream:between(2, 6) do
    local ends = until_day or date.day_of(account.connected)
    days = days + ends - day
    jobs[at] = job_shape {
      employer = stream:pick(employers),
      employer_registration = "X00" .. stream:digits(8),
      start_date = date.text(day),
      end_date = until_day and date.text(until_day),
      job_title = stream:pick(titles),
      job_title_code = stream:digits(4),
      federal_entity = stream:pick(regions),
    }
    until_day = day - stream:between(1, 120)
    day = until_day - stream:between(60, 900)
  end
  return jobs, days // 7
end

local function info_of(account, weeks)
  local kind = file_types[account.platform]
  local files = kind and {
    file_shape {
      url = "https://example.com/files/" .. account.account_id .. ".pdf",
      file_type = kind,
      account_id = account.account_id,
    },
  } or {}
  return info_shape {
    id_type = "national",
    quoted_weeks = weeks,
    discounted_weeks = 0,
    reintegrated_weeks = 0,
    status = "employed",
    employment_files = render.array(files),
    employment_history_status = "complete",
  }
end

--- What a platform of employment reports of an account.
-- @tparam table account the account
-- @treturn table its jobs, the newest first
-- @treturn ?table weeks and status; nil for other platforms, and if it was never connected
function employment.of(account)
  if not account.connected or not platforms.is_employment(account.platform) then
    return {}, nil
  end
  local jobs, weeks = jobs_of(account)
  return jobs, info_of(account, weeks)
end

local function get(sandbox, account, request)
  local options, rejection = paging.from_query(query_string.parameters(request.query))
  if not options then
    return rejection
  end
  local user = sandbox.store.user:get(account.user_id)
  local jobs, info = employment.of(account)
  local first, last = paging.range(options, #jobs)
  return response.success(response_shape {
    platform = account.platform,
    account_id = account.account_id,
    external_id = user and user.external_id,
    employment_info = info,
    employment_history = render.array(table.move(jobs, first, last, 1, {})),
  }, 200, paging.describe(options, #jobs))
end

-- Brazil's loans that an employer pays back; the shape of one is not published.
local function get_loans(_, account)
  local loans = {}
  if account.connected and account.platform == "carteira_trabalho" then
    local stream = random.new(account.account_id, "loans")
    for at = 1, stream:between(0, 2) do
      local started = date.day_of(account.connected) - stream:between(30, 700)
      loans[at] = loan_shape {
        lender = "Banco de Prueba",
        contract = stream:digits(10),
        start_date = date.text(started),
        end_date = date.text(started + 36 * 30),
        instalment = stream:between(8000, 60000) / 100,
        balance = stream:between(50000, 900000) / 100,
        currency = "brl",
      }
    end
  end
  return response.success(loans_shape {
    account_id = account.account_id, consignados = render.array(loans),
  })
end

--- The routes of this module.
employment.routes = {
  { "GET", "/v1/accounts/{account_id}/employment", accounts.of(get) },
  { "GET", "/v1/accounts/{account_id}/consignados", accounts.of(get_loans) },
}

return employment

--- What the last login of an account means for the data that are read of it: after one that failed
-- they are those of an earlier login, and while one is going on they change.
-- @module palenca.host.cli.account_state
local advice = require("palenca.advice")
local api_command = require("palenca.host.cli.api_command")
local login_words = require("palenca.host.cli.login_words")
local program_log = require("palenca.host.program_log")

local account_state = {}

local SUCCESS = "success"

local texts = {
  error = { es = "el último inicio de sesión falló{on}{reason}",
    pt = "o último login falhou{on}{reason}",
    en = "the last login failed{on}{reason}" },
  incomplete = { es = "la persona no terminó el último inicio de sesión{on}{reason}",
    pt = "a pessoa não terminou o último login{on}{reason}",
    en = "the worker did not finish the last login{on}{reason}" },
  pending = { es = "el último inicio de sesión{on} aún se está leyendo",
    pt = "o último login{on} ainda está sendo lido",
    en = "the last login{on} is still being read" },
  retry = { es = "el último inicio de sesión{on} se está repitiendo{reason}",
    pt = "o último login{on} está sendo repetido{reason}" },
}

local other_text = { es = "el último inicio de sesión{on} está en el estado {status}{reason}",
  pt = "o último login{on} está na situação {status}{reason}",
  en = "the last login{on} has the status {status}{reason}" }

local on_day = { es = " el %s", pt = " em %s", en = " on %s" }

local connected = { es = "los datos son del %s", pt = "os dados são de %s",
  en = "the data are as of %s" }
local never_connected = { es = "la cuenta nunca se conectó", pt = "a conta nunca foi conectada",
  en = "the account was never connected" }

-- What the analyst does about it.
local actions = {
  error = { es = "Pide a la persona que conecte la cuenta de nuevo.",
    pt = "Peça à pessoa que conecte a conta de novo.",
    en = "Ask the worker to connect the account again." },
  incomplete = { es = "Pide a la persona que termine de conectar la cuenta.",
    pt = "Peça à pessoa que termine de conectar a conta.",
    en = "Ask the worker to finish connecting the account." },
  pending = { es = "Repite el cálculo cuando termine.", pt = "Repita o cálculo quando terminar.",
    en = "Compute it again when that has ended." },
}

-- The sentence for the worker on an account that was never connected. `{advice}` says what to do.
local for_worker = {
  error = {
    es = "Todavía no podemos decidir, porque el último inicio de sesión en tu cuenta falló y no "
      .. "pudimos leer tus ganancias. No es un rechazo. {advice}",
    pt = "Ainda não podemos decidir, porque o último login na sua conta falhou e não "
      .. "conseguimos ler os seus ganhos. Não é uma recusa. {advice}",
    en = "We cannot decide yet, because the last login to your account failed and we could not "
      .. "read your earnings. This is not a no. {advice}",
  },
  incomplete = {
    es = "Todavía no podemos decidir, porque no terminaste de conectar tu cuenta. No es un "
      .. "rechazo: conéctala de nuevo y sigue hasta el final.",
    pt = "Ainda não podemos decidir, porque você não terminou de conectar a sua conta. Não "
      .. "é uma recusa: conecte-a de novo e siga até o fim.",
    en = "We cannot decide yet, because you did not finish connecting your account. This "
      .. "is not a no: please connect it again, up to the end.",
  },
}

local others_for_worker = {
  es = "Todavía no podemos decidir, porque aún estamos leyendo tu cuenta. No es un rechazo, y "
    .. "no tienes que hacer nada más; te avisaremos.",
  pt = "Ainda não podemos decidir, porque ainda estamos lendo a sua conta. Não é uma recusa, "
    .. "e você não precisa fazer mais nada; avisaremos você.",
  en = "We cannot decide yet, because we are still reading your account. This is not a no, "
    .. "and there is nothing else you have to do; we will let you know.",
}

local function lookup(texts_by_code, code, language)
  local own = texts_by_code[code]
  return own and own[language]
end

--- The day of a time of the API.
-- @param time
-- @treturn ?string
function account_state.day_of(time)
  return type(time) == "string" and time:match("^%d%d%d%d%-%d%d%-%d%d") or nil
end

local function text_of(value)
  return type(value) == "string" and value ~= "" and value or nil
end

local function newest(logins)
  local last
  for _, login in ipairs(logins or {}) do
    local time = text_of(login.created_at)
    if not last or (time or "") > (last.created_at or "") then
      last = login
    end
  end
  return last or {}
end

--- What is to be known of it. Only of an account whose last login is no success anything is sent.
-- @tparam Client api
-- @tparam Account account as the API has it
-- @treturn ?table `status`; maybe `reason`, a code, and days: `day`, of the last login;
-- `connected`, of the last one that was a success. Nil: there is nothing to say
-- @treturn ?error of palenca.errors: it is not known
function account_state.read(api, account)
  local status = text_of(account.status)
  if not status or status == SUCCESS then
    return nil
  end
  local data, err = api.accounts:logins(account.account_id)
  if not data then
    return nil, err
  end
  local login = newest(data.logins)
  return {
    status = status,
    reason = status ~= "pending" and text_of(account.status_details) or nil,
    day = account_state.day_of(login.created_at),
    connected = account_state.day_of(account.last_successful_connection),
  }
end

--- Describes it.
-- @tparam table state of @{read}
-- @tparam string language `es`, `pt` or `en`
-- @treturn string such as `the last login failed on 2026-03-01: banned; the data are as of
-- 2026-02-01`
function account_state.describe(state, language)
  local text = lookup(texts, state.status, language) or other_text[language]
  local reason = lookup(login_words, state.reason, language) or state.reason
  local sentence = text:gsub("{(%a+)}", {
    on = state.day and on_day[language]:format(state.day) or "",
    reason = reason and ": " .. reason or "",
    status = state.status,
  })
  return sentence .. "; " .. (state.connected and connected[language]:format(state.connected)
    or never_connected[language])
end

--- Describes it, with what to do about it, in sentences for the analyst.
-- @tparam table state of @{read}
-- @tparam string language `es`, `pt` or `en`
-- @treturn string
function account_state.advise(state, language)
  -- of an account that the platform has suspended no login helps
  local can_help = state.status ~= "error" or advice.of_login(state.reason).can_repeat
  local action = can_help and lookup(actions, state.status, language)
  return account_state.describe(state, language) .. "." .. (action and " " .. action or "")
end

--- Tells the worker about it, if the account was never connected.
-- @tparam table state of @{read}
-- @tparam string language `es`, `pt` or `en`
-- @treturn string
function account_state.tell_worker(state, language)
  local text = lookup(for_worker, state.status, language) or others_for_worker[language]
  return (text:gsub("{advice}", advice.of_login(state.reason).text[language]))
end

--- Logs it.
-- @tparam string account its id
-- @tparam ?table state of @{read}
function account_state.log(account, state)
  if state then
    program_log.warn_of_account(account, account_state.describe(state, "en"))
  end
end

--- Reads the account first.
-- @tparam Client api
-- @tparam string account its id
-- @treturn ?table as of @{read}
-- @treturn ?error of palenca.errors: it is not known
function account_state.find(api, account)
  local found, err = api.accounts:get(account)
  if not found then
    return nil, err
  end
  return account_state.read(api, found)
end

--- Reads and logs it. Raises if it cannot be read.
-- @tparam Client api
-- @tparam string account its id
function account_state.check(api, account)
  local state, err = account_state.find(api, account)
  if err then
    api_command.must(nil, err, "account " .. account)
  end
  account_state.log(account, state)
end

return account_state

--- The last day that can be whole in what the API has of an account: it has the data of the last
-- login that was a success, and the days from then on were not read.
-- @module palenca.host.cli.last_day
local account_state = require("palenca.host.cli.account_state")
local date = require("palenca.util.date")
local date_argument = require("palenca.host.cli.date_argument")
local program_log = require("palenca.host.program_log")

local last_day = {}

-- So many hours behind UTC is the westernmost calendar of the API's countries: where it is later, a
-- day is over all the more.
local HOURS_BEHIND = 8
-- Data that are older than so many days are worth a word.
local AGE_MAX = 7

-- Behind the day, by the reason of @{last_day.choose}.
local reasons = {
  last_login = { es = ", el día antes del último inicio de sesión",
    pt = ", o dia antes do último login", en = ", the day before the last login" },
  last_logins = { es = ", el día antes del más antiguo de los últimos inicios de sesión",
    pt = ", o dia antes do mais antigo dos últimos logins",
    en = ", the day before the earliest of the last logins" },
  yesterday = { es = " (ayer)", pt = " (ontem)", en = " (yesterday)" },
}

local old = {
  es = "los datos son del %s: tienen %d días; pide a la persona que conecte la cuenta de nuevo",
  pt = "os dados são de %s: têm %d dias; peça à pessoa que conecte a conta de novo",
  en = "the data are of %s: %d days old; ask the worker to connect again",
}

local unread = {
  es = "los datos son del %s; los días posteriores, hasta el %s, no se leyeron y cuentan "
    .. "como días sin ingresos",
  pt = "os dados são de %s; os dias seguintes, até %s, não foram lidos e contam como dias "
    .. "sem renda",
  en = "the data are of %s; the days after it, up to %s, were not read and count as days "
    .. "without income",
}

--- The day of a login, by the worker's calendar or by one further west.
-- @param time of the API, in UTC
-- @treturn ?string
function last_day.of_login(time)
  local day = account_state.day_of(time)
  local number = day and date.parse(day)
  if not number then
    return nil
  end
  local hour = tonumber(time:match("^[T ](%d%d)", #day + 1))
  return date.text(hour and hour < HOURS_BEHIND and number - 1 or number)
end

--- The last day that counts: of several accounts it is the earliest of theirs.
-- @tparam ?string as_of what is asked for
-- @tparam string latest the last day, whatever the logins are
-- @tparam {[string]=table} details account → what the API says of it, with `data_of`, the day of
-- the last login that was a success, if there was one
-- @treturn string the day
-- @treturn string why it is that one: `option`, `last_login`, `last_logins` or `yesterday`
function last_day.choose(as_of, latest, details)
  if as_of then
    return as_of, "option"
  end
  local earliest, count = nil, 0
  for _, found in pairs(details) do
    count = count + 1
    if found.data_of and (not earliest or found.data_of < earliest) then
      earliest = found.data_of
    end
  end
  local before = earliest and date.text(date.parse(earliest) - 1)
  if not before or before > latest then
    return latest, "yesterday"
  end
  return before, count > 1 and "last_logins" or "last_login"
end

--- What must be known of the age of an account's data.
-- @tparam table found of the account, with `data_of` and maybe `state`
-- @tparam string as_of
-- @tparam string reason of @{choose}
-- @treturn ?table for @{describe}: `is_old` or `is_unread`; nil if there is nothing to say
function last_day.age_of(found, as_of, reason)
  local data_of = found.data_of
  if not data_of then
    return nil
  end
  local days = date.parse(date_argument.today()) - date.parse(data_of)
  local age = { data_of = data_of, days = days, as_of = as_of,
    is_unread = reason == "option" and as_of > data_of,
    -- after a login that failed the days are said with that, and so is what to do
    is_old = reason ~= "option" and days > AGE_MAX and not found.state }
  return (age.is_unread or age.is_old) and age or nil
end

--- Describes it.
-- @tparam table age of @{age_of}
-- @tparam string language `es`, `pt` or `en`
-- @treturn string such as `the data are of 2026-10-03: 57 days old; …`
function last_day.describe(age, language)
  if age.is_unread then
    return unread[language]:format(age.data_of, age.as_of)
  end
  return old[language]:format(age.data_of, age.days)
end

--- Says why a day is the last one that counts.
-- @tparam ?string reason of @{choose}
-- @tparam string language `es`, `pt` or `en`
-- @treturn string to follow the day, such as `, the day before the last login`
function last_day.explain(reason, language)
  local texts = reasons[reason]
  return texts and texts[language] or ""
end

--- Logs what must be known of an account's data.
-- @tparam string account its id
-- @tparam ?table age of @{age_of}
function last_day.log(account, age)
  if age then
    program_log.warn_of_account(account, last_day.describe(age, "en"))
  end
end

return last_day

--- Who must act on a code of the API, whether a repeat can help, and what to say to the worker.
--
-- The codes are those of the API's documentation: of failed calls, and of logins that ended badly
-- (an event's `status_details`). How long to wait is documented for three of them.
-- @module palenca.advice
local argcheck = require("palenca.util.argcheck")

local advice = {}

local MINUTE, HOUR = 60, 3600
local DAY = 24 * HOUR

local sentences = {
  ours = {
    es = "Hubo un problema de nuestro lado. No tienes que hacer nada; te avisaremos.",
    pt = "Houve um problema do nosso lado. Você não precisa fazer nada; avisaremos você.",
    en = "Something went wrong on our side. There is nothing you have to do; we will let you know.",
  },
  later = {
    es = "No pudimos conectar con la plataforma. Inténtalo de nuevo en unos minutos.",
    pt = "Não conseguimos falar com a plataforma. Tente de novo em alguns minutos.",
    en = "The platform could not be reached. Please try again in a few minutes.",
  },
  credentials = {
    es = "El usuario o la contraseña no son correctos. Revísalos e inténtalo de nuevo.",
    pt = "O usuário ou a senha não estão corretos. Confira e tente de novo.",
    en = "The user name or the password is wrong. Please check them and try again.",
  },
  wrong_code = {
    es = "El código no es correcto. Pide uno nuevo y escríbelo tal como llega.",
    pt = "O código não está correto. Peça um novo e digite como chegou.",
    en = "The code is wrong. Ask for a new one and type it as it arrives.",
  },
  old_code = {
    es = "El código ya no es válido. Pide uno nuevo y escríbelo enseguida.",
    pt = "O código não vale mais. Peça um novo e digite logo.",
    en = "The code is no longer valid. Ask for a new one and type it right away.",
  },
  no_code = {
    es = "La plataforma no pudo enviarte el código. Inténtalo de nuevo en unos minutos.",
    pt = "A plataforma não conseguiu enviar o código. Tente de novo em alguns minutos.",
    en = "The platform could not send you the code. Please try again in a few minutes.",
  },
  start_again = {
    es = "El inicio de sesión tardó demasiado. Empieza de nuevo desde el principio.",
    pt = "O login demorou demais. Comece de novo desde o início.",
    en = "The login took too long. Please start again from the beginning.",
  },
  confirm_email = {
    es = "Confirma primero tu correo en la plataforma e inténtalo de nuevo.",
    pt = "Confirme primeiro o seu e-mail na plataforma e tente de novo.",
    en = "First confirm your e-mail address with the platform, then try again.",
  },
  phone = {
    es = "El número de teléfono no es válido. Escríbelo como lo tienes en la plataforma.",
    pt = "O número de telefone não é válido. Digite como está na plataforma.",
    en = "The phone number is not valid. Type it as the platform has it.",
  },
  email = {
    es = "El correo no es válido. Escríbelo como lo tienes en la plataforma.",
    pt = "O e-mail não é válido. Digite como está na plataforma.",
    en = "The e-mail address is not valid. Type it as the platform has it.",
  },
  rejected = {
    es = "La plataforma rechazó el inicio de sesión. Espera 30 minutos e inténtalo de nuevo.",
    pt = "A plataforma recusou o login. Espere 30 minutos e tente de novo.",
    en = "The platform rejected the login. Please wait 30 minutes and try again.",
  },
  tomorrow = {
    es = "La plataforma recibió demasiados intentos. Inténtalo de nuevo mañana.",
    pt = "A plataforma recebeu tentativas demais. Tente de novo amanhã.",
    en = "The platform has seen too many attempts. Please try again tomorrow.",
  },
  connected = {
    es = "Ya conectaste esta cuenta hace menos de 12 horas. No tienes que hacer nada.",
    pt = "Você conectou esta conta há menos de 12 horas. Não precisa fazer nada.",
    en = "You connected this account less than 12 hours ago. There is nothing you have to do.",
  },
  unreadable = {
    es = "La plataforma no nos deja leer tus datos por ahora. Inténtalo de nuevo más tarde.",
    pt = "A plataforma não permite ler seus dados agora. Tente de novo mais tarde.",
    en = "The platform does not let us read your data for now. Please try again later.",
  },
  banned = {
    es = "La plataforma suspendió esta cuenta. Comunícate con su soporte.",
    pt = "A plataforma suspendeu esta conta. Fale com o suporte dela.",
    en = "The platform has suspended this account. Please contact its support.",
  },
  not_registered = {
    es = "No hay una cuenta con estos datos en la plataforma. Revisa que sea la correcta.",
    pt = "Não há conta com estes dados na plataforma. Confira se é a certa.",
    en = "The platform has no account with these data. Check that it is the right one.",
  },
}

-- Who must act, whether the same or a corrected try can help, seconds to wait if they are
-- documented, and the sentence.
local codes = {
  missing_api_key = { "integrator", false, nil, "ours" },
  invalid_api_key = { "integrator", false, nil, "ours" },
  bad_request = { "integrator", false, nil, "ours" },
  invalid_credentials = { "worker", true, nil, "credentials" },
  platform_unavailable = { "platform", true, nil, "later" },
  too_many_requests = { "integrator", true, nil, "ours" },
  service_unavailable = { "platform", true, nil, "later" },
  request_timeout = { "platform", true, nil, "later" },
  platform_error = { "platform", true, nil, "later" },
  invalid_otp = { "worker", true, nil, "wrong_code" },
  expired_otp = { "worker", true, nil, "old_code" },
  email_not_validated = { "worker", true, nil, "confirm_email" },
  invalid_phone_number = { "worker", true, nil, "phone" },
  invalid_email = { "worker", true, nil, "email" },
  lambda_error = { "platform", true, nil, "later" },
  login_refused = { "platform", true, 30 * MINUTE, "rejected" },
  invalid_otp_auth_key = { "worker", true, nil, "start_again" },
  could_not_send_otp = { "platform", true, nil, "no_code" },
  unable_to_get_performance = { "platform", true, nil, "unreadable" },
  recent_login_successful = { "integrator", true, 12 * HOUR, "connected" },
  invalid_otp_session = { "worker", true, nil, "start_again" },
  banned = { "worker", false, nil, "banned" },
  not_registered = { "worker", true, nil, "not_registered" },
  -- the module's own: a history that changed while it was read
  inconsistent_pages = { "platform", true, nil, "later" },
}

-- As a login's outcome it is the rate limit of the platform, not of the API.
local of_logins = {
  too_many_requests = { "platform", true, DAY, "tomorrow" },
}

-- The advice for a failure without a known code, by the kind of the error.
local kinds = {
  network = { "platform", true, nil, "later" },
  timeout = { "platform", true, nil, "later" },
  rate_limited = { "integrator", true, nil, "ours" },
  server = { "platform", true, nil, "later" },
  platform = { "platform", true, nil, "later" },
}
local unknown = { "integrator", false, nil, "ours" }

local function make(row)
  return { actor = row[1], can_repeat = row[2], repeat_after = row[3], text = sentences[row[4]] }
end

--- The advice for the outcome of a login.
-- @tparam ?string code a login's or an event's `status_details`
-- @treturn Advice
function advice.of_login(code)
  argcheck.dot("palenca.advice.of_login", code, 2)
  return make(of_logins[code] or codes[code] or kinds.platform)
end

--- The advice for a call that failed.
-- @tparam ?string code the API's
-- @tparam string kind that of the error
-- @treturn Advice
function advice.of_call(code, kind)
  argcheck.dot("palenca.advice.of_call", code, 2)
  return make(codes[code] or kinds[kind] or unknown)
end

--- Who must act.
-- @table Advice
-- @tfield string actor who must act: `worker`, `integrator` or `platform`
-- @tfield boolean can_repeat whether another try can help
-- @tfield ?integer repeat_after seconds to wait before it, where they are documented
-- @tfield AdviceText text for the worker

--- A sentence for the worker, in an @{Advice}.
-- @table AdviceText
-- @tfield string es
-- @tfield string pt
-- @tfield string en

return advice

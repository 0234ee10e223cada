--- Sentences that explain verdicts, in Spanish, Portuguese and English.
--
-- In a sentence `{value}` and `{limit}` stand for a reason's, `{max}` for the highest installment,
-- `{detail}` for what follows the colon of a code, `{cause}` for why a figure is unknown.
-- @module palenca.income.sentences
local sentences = {}

--- Numbers of days and weeks: one, and any other.
sentences.units = {
  es = { days = { "día", "días" }, weeks = { "semana", "semanas" } },
  pt = { days = { "dia", "dias" }, weeks = { "semana", "semanas" } },
  en = { days = { "day", "days" }, weeks = { "week", "weeks" } },
}

--- How a metric's values are written: as a number of something, as percent, with a currency, or as
-- one.
sentences.formats = {
  days_observed = "days",
  days_since_last_income = "days",
  longest_gap = "days",
  active_weeks = "weeks",
  regularity = "percent",
  stability = "percent",
  trend = "percent",
  installment = "money",
  currency = "currency",
}

--- The first sentence for the analyst.
sentences.outcomes = {
  approve = {
    es = "Aprobar: se cumplen todas las condiciones de la regla {version}.",
    pt = "Aprovar: todas as condições da regra {version} foram atendidas.",
    en = "Approve: every condition of rule {version} is met.",
  },
  refer = {
    es = "Requiere la revisión de una persona, según la regla {version}.",
    pt = "Requer a análise de uma pessoa, conforme a regra {version}.",
    en = "Review by a person, under rule {version}.",
  },
  decline = {
    es = "Rechazar, según la regla {version}.",
    pt = "Recusar, conforme a regra {version}.",
    en = "Decline, under rule {version}.",
  },
  undecidable = {
    es = "No se puede decidir, según la regla {version}; no es un rechazo.",
    pt = "Não é possível decidir, conforme a regra {version}; não é uma recusa.",
    en = "No decision is possible under rule {version}; this is not a decline.",
  },
}

--- What the highest installment is, for the analyst.
sentences.max_installment = {
  es = "Pago mensual máximo: {max}.",
  pt = "Parcela mensal máxima: {max}.",
  en = "Maximum monthly installment: {max}.",
}

--- What each reason means, for the analyst.
sentences.reasons = {
  incomplete = {
    es = "El historial está incompleto.",
    pt = "O histórico está incompleto.",
    en = "The history is incomplete.",
  },
  completeness_unknown = {
    es = "No se sabe si el historial está completo.",
    pt = "Não se sabe se o histórico está completo.",
    en = "It is not known whether the history is complete.",
  },
  no_rows = {
    es = "No hay ganancias registradas en el periodo.",
    pt = "Não há ganhos registrados no período.",
    en = "There are no earnings on record in the period.",
  },
  future_rows = {
    es = "Hay ganancias con fecha posterior al último día considerado.",
    pt = "Há ganhos com data posterior ao último dia considerado.",
    en = "There are earnings dated after the last day considered.",
  },
  mixed_currencies = {
    es = "Hay ganancias en más de una moneda.",
    pt = "Há ganhos em mais de uma moeda.",
    en = "There are earnings in more than one currency.",
  },
  other_currency = {
    es = "El ingreso está en {value} y el pago solicitado, en {limit}.",
    pt = "A renda está em {value} e a parcela solicitada, em {limit}.",
    en = "The income is in {value}, and the requested installment in {limit}.",
  },
  unknown_currency = {
    es = "Hay montos sin una moneda válida.",
    pt = "Há valores sem uma moeda válida.",
    en = "There are amounts without a valid currency.",
  },
  conflicting_days = {
    es = "Una misma cuenta tiene registros distintos para un mismo día.",
    pt = "Uma mesma conta tem registros diferentes para o mesmo dia.",
    en = "One account has different records for the same day.",
  },
  unknown_amounts = {
    es = "Falta el monto en más de uno de cada cuatro días del historial, o del de una cuenta.",
    pt = "Falta o valor em mais de um a cada quatro dias do histórico, ou do de uma conta.",
    en = "The amount is missing on more than one day in four of the history, or of one account's.",
  },
  account_warning = {
    es = "La cuenta se conectó con una advertencia: {detail}.",
    pt = "A conta foi conectada com um aviso: {detail}.",
    en = "The account was connected with a warning: {detail}.",
  },
  insufficient_history = {
    es = "El historial abarca {value}; se necesitan {limit}.",
    pt = "O histórico abrange {value}; são necessários {limit}.",
    en = "The history covers {value}; {limit} are needed.",
  },
  unknown_monthly_income = {
    es = "No se puede calcular el ingreso mensual{cause}.",
    pt = "Não é possível calcular a renda mensal{cause}.",
    en = "The monthly income cannot be calculated{cause}.",
  },
  unknown_qualifying_income = {
    es = "No se puede calcular el ingreso computable{cause}.",
    pt = "Não é possível calcular a renda considerada{cause}.",
    en = "The qualifying income cannot be calculated{cause}.",
  },
  unknown_regularity = {
    es = "No se puede calcular la regularidad{cause}.",
    pt = "Não é possível calcular a regularidade{cause}.",
    en = "The regularity cannot be calculated{cause}.",
  },
  unknown_stability = {
    es = "No se puede calcular la estabilidad{cause}.",
    pt = "Não é possível calcular a estabilidade{cause}.",
    en = "The stability cannot be calculated{cause}.",
  },
  no_recent_income = {
    es = "El último ingreso fue hace {value}; el máximo es de {limit}.",
    pt = "O último ganho foi há {value}; o máximo é de {limit}.",
    en = "The last income was {value} ago; the maximum is {limit}.",
  },
  no_income = {
    es = "Ningún día del historial tiene ingresos.",
    pt = "Nenhum dia do histórico tem ganhos.",
    en = "No day of the history has an income.",
  },
  few_active_weeks = {
    es = "Hubo ingresos en {value}; el mínimo es de {limit}.",
    pt = "Houve ganhos em {value}; o mínimo é de {limit}.",
    en = "There was income in {value}; the minimum is {limit}.",
  },
  irregular_income = {
    es = "Hubo ingresos en el {value} de las semanas; el mínimo es el {limit}.",
    pt = "Houve ganhos em {value} das semanas; o mínimo é de {limit}.",
    en = "There was income in {value} of the weeks; the minimum is {limit}.",
  },
  long_gap = {
    es = "El periodo más largo sin ingresos fue de {value}; el máximo es de {limit}.",
    pt = "O período mais longo sem ganhos foi de {value}; o máximo é de {limit}.",
    en = "The longest time without income was {value}; the maximum is {limit}.",
  },
  unstable_income = {
    es = "Una semana baja equivale al {value} de la semana mediana; el mínimo es el {limit}.",
    pt = "Uma semana baixa equivale a {value} da semana mediana; o mínimo é de {limit}.",
    en = "A low week is {value} of the median week; the minimum is {limit}.",
  },
  declining_income = {
    es = "El ingreso reciente varió {value}; el límite es {limit}.",
    pt = "A renda recente variou {value}; o limite é {limit}.",
    en = "Recent income changed by {value}; the limit is {limit}.",
  },
  installment_too_high = {
    es = "El pago mensual solicitado es de {value}; el máximo es de {limit}.",
    pt = "A parcela pedida é de {value}; a máxima é de {limit}.",
    en = "The installment asked for is {value}; the highest is {limit}.",
  },
}

--- What the API's warnings of accounts mean; of one that is not here the code itself is shown.
sentences.warnings = {
  rider_account = {
    es = "es de pasajero, no de quien trabaja",
    pt = "é de passageiro, não de quem trabalha",
    en = "it is a rider's, not a worker's",
  },
  fleet_account = {
    es = "es de una flotilla, y puede tener las ganancias de varias personas",
    pt = "é de uma frota, e pode ter os ganhos de várias pessoas",
    en = "it is a fleet's, and may have the earnings of several people",
  },
  incomplete_profile_data = {
    es = "faltan datos del perfil",
    pt = "faltam dados do perfil",
    en = "data of the profile are missing",
  },
  id_mismatch = {
    es = "los números de identidad no coinciden",
    pt = "os números de identidade não coincidem",
    en = "the identity numbers do not match",
  },
}

--- What is to be known of an income beside its problems: `{count}` of records, `{of}` which
-- platforms.
sentences.notes = {
  uncounted_rows = {
    es = "Registros sin monto en días con otros montos: {count}{of}. Cuentan como cero: el ingreso "
      .. "puede ser mayor.",
    pt = "Registros sem valor em dias com outros valores: {count}{of}. Contam como zero: a renda "
      .. "pode ser maior.",
    en = "Records without an amount on days with other amounts: {count}{of}. They count as "
      .. "nothing: the income may be higher.",
  },
}

--- The sentences for the worker, without codes.
sentences.worker = {
  approve = {
    es = "¡Buenas noticias! Aprobamos tu solicitud.",
    pt = "Boas notícias! Aprovamos o seu pedido.",
    en = "Good news! We have approved your application.",
  },
  refer = {
    es = "Recibimos tu solicitud y una persona de nuestro equipo la está revisando. "
      .. "No tienes que hacer nada más; te avisaremos.",
    pt = "Recebemos o seu pedido e uma pessoa da nossa equipe está analisando. "
      .. "Você não precisa fazer mais nada; avisaremos você.",
    en = "We have received your application and a person on our team is looking at it. "
      .. "There is nothing else you have to do; we will let you know.",
  },
  no_recent_income = {
    es = "Por ahora no podemos ofrecerte este crédito, porque no vemos ganancias recientes en tu "
      .. "cuenta. Cuando vuelvas a tener ganancias durante unas semanas, con gusto revisaremos "
      .. "una nueva solicitud.",
    pt = "Por enquanto não podemos oferecer este crédito, porque não vemos ganhos recentes na sua "
      .. "conta. Quando você voltar a ter ganhos por algumas semanas, teremos prazer em analisar "
      .. "um novo pedido.",
    en = "We cannot offer you this loan for now, because we see no recent earnings in your "
      .. "account. Once you have had earnings again for a few weeks, we will gladly look at a new "
      .. "application.",
  },
  irregular_income = {
    es = "Por ahora no podemos ofrecerte este crédito, porque todavía no vemos ganancias en "
      .. "suficientes semanas. Si sigues trabajando con regularidad, con gusto revisaremos una "
      .. "nueva solicitud más adelante.",
    pt = "Por enquanto não podemos oferecer este crédito, porque ainda não vemos ganhos em semanas "
      .. "suficientes. Se você continuar trabalhando com regularidade, teremos prazer em analisar "
      .. "um novo pedido mais adiante.",
    en = "We cannot offer you this loan for now, because we do not see earnings in enough weeks "
      .. "yet. If you keep working regularly, we will gladly look at a new application later.",
  },
  installment_too_high = {
    es = "El pago mensual que pediste es más alto de lo que podemos ofrecerte según tus ganancias. "
      .. "Podemos revisar una solicitud con un pago de hasta {max} al mes.",
    pt = "A parcela que você pediu é mais alta do que podemos oferecer com base nos seus ganhos. "
      .. "Podemos analisar um pedido com parcela de até {max} por mês.",
    en = "The installment you asked for is higher than we can offer, given your earnings. "
      .. "We can look at an application with an installment of up to {max} a month.",
  },
  no_installment = {
    es = "Según tus ganancias y los pagos que ya tienes, por ahora no podemos ofrecerte un pago "
      .. "mensual más. Si tu situación cambia, con gusto revisaremos una nueva solicitud.",
    pt = "Com os seus ganhos e pagamentos atuais, por enquanto não podemos oferecer mais uma "
      .. "parcela. Se a sua situação mudar, teremos prazer em analisar um novo pedido.",
    en = "With your earnings and your current payments, we cannot offer you another installment "
      .. "for now. If your situation changes, we will gladly look at a new application.",
  },
  short_history = {
    es = "Todavía no podemos decidir, porque tu historial de ganancias aún es corto. No es un "
      .. "rechazo: vuelve a intentarlo cuando tengas algunas semanas más.",
    pt = "Por enquanto não podemos decidir, porque o seu histórico de ganhos ainda é curto. Não é "
      .. "uma recusa: tente de novo quando tiver mais algumas semanas.",
    en = "We cannot decide yet, because your history of earnings is still short. This is not a "
      .. "no: please try again when you have a few more weeks.",
  },
  no_rows = {
    es = "Todavía no podemos decidir, porque no encontramos ganancias en la cuenta que "
      .. "conectaste. No es un rechazo: revisa que sea la cuenta con la que trabajas y conéctala "
      .. "de nuevo.",
    pt = "Ainda não podemos decidir, porque não encontramos ganhos na conta que você conectou. "
      .. "Não é uma recusa: confira se é a conta com que você trabalha e conecte-a de novo.",
    en = "We cannot decide yet, because we found no earnings in the account you connected. This "
      .. "is not a no: please check that it is the account you work with and connect it again.",
  },
  account_warning = {
    es = "Todavía no podemos decidir, porque no pudimos confirmar la cuenta que conectaste. No es "
      .. "un rechazo: revisa que sea tu propia cuenta de trabajo y conéctala de nuevo.",
    pt = "Ainda não podemos decidir, porque não conseguimos confirmar a conta que você conectou. "
      .. "Não é uma recusa: confira se é a sua própria conta de trabalho e conecte-a de novo.",
    en = "We cannot decide yet, because we could not confirm the account you connected. This is "
      .. "not a no: please check that it is your own work account and connect it again.",
  },
  other_currency = {
    es = "Todavía no podemos decidir, porque tus ganancias están en otra moneda que el pago que "
      .. "pediste. No es un rechazo: vuelve a intentarlo con la moneda de tus ganancias.",
    pt = "Ainda não podemos decidir, porque os seus ganhos estão em outra moeda que a da parcela "
      .. "pedida. Não é uma recusa: tente de novo com a moeda dos seus ganhos.",
    en = "We cannot decide yet, because your earnings are in another currency than the installment "
      .. "you asked for. This is not a no: please try again with the currency of your earnings.",
  },
  mixed_currencies = {
    es = "Todavía no podemos decidir, porque tus ganancias están en más de una moneda y no se "
      .. "pueden sumar. No es un rechazo: vuelve a intentarlo con cuentas de una sola moneda.",
    pt = "Ainda não podemos decidir, porque os seus ganhos estão em mais de uma moeda e não podem "
      .. "ser somados. Não é uma recusa: tente de novo com contas de uma só moeda.",
    en = "We cannot decide yet, because your earnings are in more than one currency and cannot be "
      .. "added up. This is not a no: please try again with accounts of one currency.",
  },
  unclear_data = {
    es = "Todavía no podemos decidir, porque no pudimos leer bien todas tus ganancias. No es un "
      .. "rechazo ni es culpa tuya: vuelve a intentarlo más tarde.",
    pt = "Ainda não podemos decidir, porque não conseguimos ler bem todos os seus ganhos. Não é "
      .. "uma recusa nem culpa sua: tente de novo mais tarde.",
    en = "We cannot decide yet, because we could not read all of your earnings properly. This is "
      .. "not a no, and it is not your fault: please try again later.",
  },
}

return sentences

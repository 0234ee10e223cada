--- The words on an income's figures, in Spanish, Portuguese and English.
-- @module palenca.income.labels
local sentences = require("palenca.income.sentences")

local labels = {}

--- The figures of a table, in their order: field, kind, and what it is called. `note` says what the
-- figure means in a few words.
labels.figures = {
  { "as_of", "text", es = { "Hasta el día", "último día considerado" },
    pt = { "Até o dia", "último dia considerado" },
    en = { "As of", "last day considered" } },
  { "days_observed", "count", es = { "Días observados", "del primer registro al último día" },
    pt = { "Dias observados", "do primeiro registro ao último dia" },
    en = { "Days observed", "from the first record to the last day" } },
  { "window_days", "count", es = { "Días del cálculo", "los últimos, para el ingreso mensual" },
    pt = { "Dias do cálculo", "os últimos, para a renda mensal" },
    en = { "Days averaged", "the last ones, for the monthly income" } },
  { "unknown_days", "count", es = { "Días sin monto", "ni ingreso ni falta de él" },
    pt = { "Dias sem valor", "nem ganho nem falta dele" },
    en = { "Days without amount", "neither income nor its absence" } },
  { "uncounted_rows", "count",
    es = { "Montos ausentes", "de días con otro monto; cuentan como cero" },
    pt = { "Valores ausentes", "de dias com outro valor; contam como zero" },
    en = { "Missing amounts", "of days with another; count as nothing" } },
  { "monthly_income", "money", es = { "Ingreso mensual", "promedio diario por 365 / 12" },
    pt = { "Renda mensal", "média diária vezes 365 / 12" },
    en = { "Monthly income", "daily average times 365 / 12" } },
  { "qualifying_income", "money", es = { "Ingreso computable", "el menor si el ingreso cae" },
    pt = { "Renda considerada", "a menor se a renda cai" },
    en = { "Qualifying income", "the lower one if income declines" } },
  { "income_30d", "money", es = { "Últimos 30 días", "suma" },
    pt = { "Últimos 30 dias", "soma" }, en = { "Last 30 days", "sum" } },
  { "income_60d", "money", es = { "Últimos 60 días", "suma" },
    pt = { "Últimos 60 dias", "soma" }, en = { "Last 60 days", "sum" } },
  { "income_90d", "money", es = { "Últimos 90 días", "suma" },
    pt = { "Últimos 90 dias", "soma" }, en = { "Last 90 days", "sum" } },
  { "median_week", "money", es = { "Semana mediana", "en la mitad de las semanas gana más" },
    pt = { "Semana mediana", "em metade das semanas ganha mais" },
    en = { "Median week", "half of the weeks bring more" } },
  { "low_week", "money", es = { "Semana baja", "en una de cada cuatro gana esto o menos" },
    pt = { "Semana baixa", "em uma a cada quatro ganha isto ou menos" },
    en = { "Low week", "one in four brings this or less" } },
  { "regularity", "percent", es = { "Regularidad", "semanas con ingresos" },
    pt = { "Regularidade", "semanas com ganhos" },
    en = { "Regularity", "weeks with income" } },
  { "stability", "percent", es = { "Estabilidad", "semana baja / semana mediana" },
    pt = { "Estabilidade", "semana baixa / semana mediana" },
    en = { "Stability", "low week / median week" } },
  { "trend", "percent", es = { "Tendencia", "últimas semanas frente a las anteriores" },
    pt = { "Tendência", "últimas semanas ante as anteriores" },
    en = { "Trend", "last weeks against those before" } },
  { "active_days", "count", es = { "Días con ingresos", "de los días del cálculo" },
    pt = { "Dias com ganhos", "dos dias do cálculo" },
    en = { "Days with income", "of the days averaged" } },
  { "days_worked_per_week", "number", es = { "Días por semana", "con ingresos" },
    pt = { "Dias por semana", "com ganhos" }, en = { "Days a week", "with income" } },
  { "longest_gap", "count", es = { "Pausa más larga", "días seguidos sin ingresos" },
    pt = { "Pausa mais longa", "dias seguidos sem ganhos" },
    en = { "Longest gap", "days in a row without income" } },
  { "days_since_last_income", "count", es = { "Último ingreso", "hace tantos días" },
    pt = { "Último ganho", "há tantos dias" },
    en = { "Last income", "so many days ago" } },
  { "cash_share", "percent", es = { "Efectivo", "parte del ingreso donde se informa" },
    pt = { "Dinheiro vivo", "parte da renda onde é informado" },
    en = { "Cash", "share of the income where it is reported" } },
  { "cash_known", "percent", es = { "Efectivo informado", "parte del ingreso que tiene este dato" },
    pt = { "Dinheiro vivo informado", "parte da renda que tem este dado" },
    en = { "Cash reported", "share of the income that has this figure" } },
  { "adjustments", "count", es = { "Ajustes", "registros negativos" },
    pt = { "Ajustes", "registros negativos" }, en = { "Adjustments", "negative records" } },
  { "adjustments_total", "money", es = { "Total de ajustes", "incluido en todas las sumas" },
    pt = { "Total de ajustes", "incluído em todas as somas" },
    en = { "Total adjustments", "included in all sums" } },
}

--- Headings and the rest.
labels.words = {
  es = {
    weeks = "Semanas completas", months = "Meses", platforms = "Plataformas",
    from = "desde", to = "hasta", days = "días", unknown = "sin monto", total = "total",
    platform = "plataforma",
    partial = "* mes incompleto, solo estos días; el ingreso mensual promedia días, no meses",
    problems = "Problemas", notes = "Notas", currency = "Moneda",
    not_known = "no se sabe",
  },
  pt = {
    weeks = "Semanas completas", months = "Meses", platforms = "Plataformas",
    from = "de", to = "até", days = "dias", unknown = "sem valor", total = "total",
    platform = "plataforma",
    partial = "* mês incompleto, só estes dias; a renda mensal é média de dias, não de meses",
    problems = "Problemas", notes = "Observações", currency = "Moeda",
    not_known = "não se sabe",
  },
  en = {
    weeks = "Full weeks", months = "Months", platforms = "Platforms",
    from = "from", to = "to", days = "days", unknown = "no amount", total = "total",
    platform = "platform",
    partial = "* part of the month, these days only; the monthly income averages days, not months",
    problems = "Problems", notes = "Notes", currency = "Currency",
    not_known = "not known",
  },
}

--- Why a figure is not known.
labels.unknown = {
  no_rows = { es = "no hay registros", pt = "não há registros", en = "there are no records" },
  insufficient_history = { es = "historial corto", pt = "histórico curto", en = "short history" },
  unknown_amounts = { es = "faltan montos", pt = "faltam valores", en = "amounts are missing" },
  mixed_currencies = { es = "varias monedas", pt = "várias moedas", en = "several currencies" },
  unknown_currency = { es = "moneda desconocida", pt = "moeda desconhecida",
    en = "unknown currency" },
  no_income = { es = "no hay ingresos", pt = "não há ganhos", en = "there is no income" },
  no_cash_amounts = { es = "no se informa", pt = "não é informado", en = "not reported" },
  incomplete = { es = "historial incompleto", pt = "histórico incompleto",
    en = "incomplete history" },
  too_large = { es = "demasiado grande", pt = "grande demais", en = "too large" },
}

--- What a warning of an account means.
-- @tparam string code
-- @tparam string language
-- @treturn string words; the code itself, if it is not a known one
function labels.warning(code, language)
  local texts = sentences.warnings[code]
  return texts and texts[language] or code
end

return labels

--- What people read of an income and a verdict, in three languages.
local histories = require("spec.support.income_histories")
local income = require("palenca.income")
local labels = require("palenca.income.labels")
local sentences = require("palenca.income.sentences")

local LANGUAGES = { "es", "pt", "en" }
local RULE = { version = "2026-11" }

local analyze = histories.analyze

local function decide(changes, installment, currency)
  local figures = analyze(histories.rows("2026-01-01", 60, 500), "2026-03-01")
  for name, value in pairs(changes) do
    figures[name] = value or nil
  end
  return income.decide(figures, RULE, { installment = installment or "3000.00",
    currency = currency })
end

describe("verdict:explain", function()
  it("lists every reason for the analyst with its value and limit", function()
    local verdict = decide { days_since_last_income = 30, active_weeks = 1, trend = -0.255 }
    assert.equal("Decline, under rule 2026-11. The last income was 30 days ago; the maximum is 14 "
      .. "days. There was income in 1 week; the minimum is 5 weeks. Recent income changed by "
      .. "-25.5 %; the limit is -20 %.", verdict:explain("en").analyst)
    assert.equal("Rechazar, según la regla 2026-11. El último ingreso fue hace 30 días; el máximo "
      .. "es de 14 días. Hubo ingresos en 1 semana; el mínimo es de 5 semanas. El ingreso reciente "
      .. "varió -25.5 %; el límite es -20 %.", verdict:explain("es").analyst)
    assert.equal("Recusar, conforme a regra 2026-11. O último ganho foi há 30 dias; o máximo é de "
      .. "14 dias. Houve ganhos em 1 semana; o mínimo é de 5 semanas. A renda recente variou -25.5 "
      .. "%; o limite é -20 %.", verdict:explain("pt").analyst)
    assert.equal("Aprobar: se cumplen todas las condiciones de la regla 2026-11. Pago mensual "
      .. "máximo: 4562.50 MXN.", decide({}):explain("es").analyst)
  end)

  it("advises the worker what to do, without reasons for figures", function()
    assert.equal("El pago mensual que pediste es más alto de lo que podemos ofrecerte según tus "
      .. "ganancias. Podemos revisar una solicitud con un pago de hasta 4562.50 MXN al mes.",
      decide({}, "5000"):explain("es").worker)
    -- with the reason the highest installment is said, and not again
    assert.equal("Rechazar, según la regla 2026-11. El pago mensual solicitado es de 5000.00 MXN; "
      .. "el máximo es de 4562.50 MXN.", decide({}, "5000"):explain("es").analyst)
    for _, language in ipairs(LANGUAGES) do
      assert.equal(sentences.worker.short_history[language],
        decide({ days_observed = 20 }):explain(language).worker)
      assert.equal(sentences.worker.account_warning[language],
        decide({ problems = { "account_warning:x" } }):explain(language).worker)
      assert.equal(sentences.worker.mixed_currencies[language],
        decide({ problems = { "mixed_currencies" } }):explain(language).worker)
      assert.equal(sentences.worker.other_currency[language],
        decide({ currency = "cop" }, "3000.00", "mxn"):explain(language).worker)
      assert.equal(sentences.worker.unclear_data[language],
        decide({ problems = { "unknown_currency", "mixed_currencies" } }):explain(language).worker)
      assert.equal(sentences.worker.no_recent_income[language],
        decide({ days_since_last_income = 50 }):explain(language).worker)
      assert.equal(sentences.worker.irregular_income[language],
        decide({ regularity = 0.5 }):explain(language).worker)
      assert.equal(sentences.worker.refer[language], decide({ stability = 0 }):explain(language)
        .worker)
      assert.equal(sentences.worker.approve[language], decide({}):explain(language).worker)
    end
  end)

  it("says of a figure that is unknown why it is", function()
    local rows = histories.rows("2026-01-01", 90, function(number)
      return number < 60 and 1000 or number >= 68 and 850
    end)
    local verdict = income.decide(analyze(rows, "2026-03-31"), RULE, { installment = 1 })
    assert.same({ code = "unknown_qualifying_income", metric = "qualifying_income",
      value = "unknown_amounts" }, verdict.reasons[1])
    local said = verdict:explain("es")
    assert.equal("No se puede decidir, según la regla 2026-11; no es un rechazo. No se puede "
      .. "calcular el ingreso computable: faltan montos. El ingreso reciente varió -28.08 %; el "
      .. "límite es -20 %.", said.analyst)
    -- 90 days are not a short history
    assert.equal(sentences.worker.unclear_data.es, said.worker)
    local short = income.decide(analyze(histories.rows("2026-01-01", 34, 500), "2026-02-03"),
      { version = 1, min_days_observed = 30 }, { installment = 1 })
    assert.equal("unknown_regularity", short.reasons[1].code)
    assert.equal(sentences.worker.short_history.pt, short:explain("pt").worker)
    assert.matches("The regularity cannot be calculated: short history.",
      short:explain("en").analyst, 1, true)
    assert.matches("calcular el ingreso mensual%.$",
      decide({ monthly_income = false }):explain("es").analyst)
  end)

  -- Whatever the reasons are: sentences without a gap, and without a code for the worker.
  it("has words for every reason, alone and together, in every language", function()
    local problems = { "incomplete", "completeness_unknown", "no_rows", "future_rows",
      "mixed_currencies", "unknown_currency", "conflicting_days", "unknown_amounts",
      "account_warning:id_mismatch" }
    local faults = {
      { days_observed = 1 }, { monthly_income = false }, { qualifying_income = false },
      { regularity = false }, { stability = false }, { days_since_last_income = false },
      { active_weeks = 0 }, { regularity = 0.1 }, { longest_gap = 90 }, { stability = 0.1 },
      { trend = -1 }, { currency = "cop" }, {},
    }
    for _, problem in ipairs(problems) do
      faults[#faults + 1] = { problems = { problem } }
    end
    for _, changes in ipairs(faults) do
      local verdict = decide(changes, 99999, changes.currency and "mxn")
      for _, language in ipairs(LANGUAGES) do
        local said = verdict:explain(language)
        for who, text in pairs(said) do
          assert.is_nil(text:find("[{}]"), text)
          assert.is_nil(text:find("nil", 1, true), text)
          assert.matches("%.$", text)
          if who == "worker" or not changes.problems then
            assert.is_nil(text:find("_", 1, true), text)
          end
        end
        if verdict.outcome == "undecidable" then
          assert.matches(({ es = "No es un rechazo", pt = "Não é uma recusa", en = "not a no" })[
            language], said.worker)
        end
      end
    end
  end)

  it("has words for every warning that the API documents, and shows the code of another", function()
    local api_values = require("palenca.util.api_values")
    for code in pairs(api_values.warnings) do
      local verdict = decide { problems = { "account_warning:" .. code } }
      for _, language in ipairs(LANGUAGES) do
        local text = verdict:explain(language).analyst
        assert.is_nil(text:find("_", 1, true), text)
        assert.matches(sentences.warnings[code][language] .. ".", text, 1, true)
      end
    end
    assert.matches("con una advertencia: other_%%1.",
      decide({ problems = { "account_warning:other_%1" } }):explain("es").analyst)
  end)

  it("does the same for a verdict that was JSON meanwhile", function()
    local json = require("palenca.util.json")
    local verdict = decide({ stability = 0.1 })
    assert.same(verdict:explain("pt"), income.explain(json.decode(json.canonical(verdict)), "pt"))
    assert.has_error(function() verdict:explain("de") end,
      'palenca.income: explain: expected "es", "pt" or "en", got "de"')
    assert.has_error(function() income.explain({}, "es") end,
      "palenca.income: explain: expected a verdict of palenca.income.decide")
  end)

  it("has each sentence in each language", function()
    for _, group in ipairs { "outcomes", "reasons", "worker" } do
      for name, texts in pairs(sentences[group]) do
        for _, language in ipairs(LANGUAGES) do
          assert.is_string(texts[language], name)
        end
      end
    end
    for _, figure in ipairs(labels.figures) do
      for _, language in ipairs(LANGUAGES) do
        assert.equal(2, #figure[language], figure[1])
      end
    end
  end)
end)

describe("palenca.income.table", function()
  local rows = histories.rows("2026-01-15", 50, function(number)
    return number ~= 3 and 100.5
  end)

  it("writes the figures with a word on each, weeks and months with their ranges", function()
    local text = income.table(analyze(rows, "2026-03-05"), "es")
    for _, line in ipairs {
      "Moneda                     mxn",
      "Días observados             50  del primer registro al último día",
      "Ingreso mensual        3056.87  promedio diario por 365 / 12",
      "Últimos 60 días              -  no se sabe: historial corto",
      "Regularidad              100 %  semanas con ingresos",
      "desde       hasta       días  sin monto   total",
      "2026-01-19  2026-01-25     7          0  703.50",
      "2026-01-15  2026-01-31*    16          1  1608.00",
      "2026-02-01  2026-02-28     28          0  2814.00",
      "* mes incompleto, solo estos días; el ingreso mensual promedia días, no meses",
    } do
      assert.truthy(("\n" .. text .. "\n"):find("\n" .. line .. "\n", 1, true),
        line .. "\nis not in\n" .. text)
    end
  end)

  it("aligns columns by their characters, in every language", function()
    for _, language in ipairs(LANGUAGES) do
      local text = income.table(analyze(rows, "2026-03-05"), language)
      assert.is_nil(text:find(" \n", 1, true))
      local weeks = text:match(labels.words[language].weeks .. "\n(.-)\n\n")
      for line in weeks:gmatch("[^\n]+") do -- their last column ends at the right
        assert.equal(#"2026-01-19  2026-01-25     7          0  703.50",
          #line:gsub("[\128-\191]", ""))
      end
    end
    assert.equal(income.table(analyze(rows, "2026-03-05")),
      income.table(analyze(rows, "2026-03-05"), "en"))
  end)

  it("writes problems, platforms, and each currency of several", function()
    rows[1].currency = "usd"
    local figures = income.analyze(income.merge({
      { rows = rows, platform = "uber", warning = "100%_real" },
    }), { as_of = "2026-03-05" })
    local text = income.table(figures, "pt")
    for _, part in ipairs {
      "Problemas\n- Não se sabe se o histórico está completo.\n- Há ganhos em mais de uma moeda.\n"
        .. "- A conta foi conectada com um aviso: 100%_real.",
      "\n\nmxn\nRenda mensal", "\n\nusd\nRenda mensal",
      "\nEstabilidade               100 %  semana baixa / semana mediana\n",
      "\n\nPlataformas (2026-01-15 – 2026-03-05)\nplataforma  dias  total\nuber          49      -",
      "não se sabe: várias moedas",
    } do
      assert.truthy(text:find(part, 1, true), part .. "\nis not in\n" .. text)
    end
    rows[1].currency = "mxn"
  end)

  it("writes a history without rows", function()
    assert.matches("not known: there are no records", income.table(analyze({}, "2026-03-05")))
  end)

  it("rejects what is no income, and other languages", function()
    assert.has_error(function() income.table({}) end,
      "palenca.income: table: expected what palenca.income.analyze returned")
    assert.has_error(function() income.table(analyze(rows, "2026-03-05"), "fr") end,
      'palenca.income: table: expected "es", "pt" or "en", got "fr"')
  end)
end)

-- The rule that the examples decide by. Whoever changes it gives it a new version, which each
-- verdict names.
return {
  version = "2026-11",
  min_days_observed = 42,   -- fewer: undecidable
  max_days_since_last = 14, -- days without income up to the last one; more: decline
  min_active_weeks = 5,
  min_regularity = 0.75,    -- weeks with income, of all full weeks
  max_gap = 21,             -- days in a row without income; more: a person decides
  min_stability = 0.5,      -- a low week, of the median week
  max_decline = 0.2,
  ratio = 0.3,              -- of the income, for all installments together
}

"""The decision of the reference: checks of an exact income against a rule."""
from decimal import Decimal
from fractions import Fraction
from math import floor

from amounts import Invalid, Nil, decimals_of, money, to_amount, to_decimal, to_minor

WHOLE = {"min_days_observed": 42, "max_days_since_last": 14, "min_active_weeks": 5, "max_gap": 21}
PARTS = {"min_regularity": "0.75", "min_stability": "0.5", "max_decline": "0.2", "ratio": "0.3"}


def read_limit(name, value):
    number = None if isinstance(value, str) else to_decimal(value)
    if number is not None:
        number = Fraction(number)
        if name in WHOLE and number.denominator == 1 and 0 <= number <= 100000:
            return number
        if name in PARTS and 0 <= number <= 1 and (number * 10000).denominator == 1:
            return number
    raise Invalid("invalid_limit", f"rule.{name}")


def read_rule(rule):
    """The version, and every limit as it was given and exactly."""
    version = rule.get("version")
    if not (isinstance(version, str) and version or type(version) is int):
        raise Invalid("invalid_version", "rule.version")
    given = {name: rule.get(name) for name in rule if name != "version"}
    for name in given:
        if name not in WHOLE and name not in PARTS:
            raise Invalid("unknown_field", name)
    shown = dict(WHOLE, **{name: float(text) for name, text in PARTS.items()})
    exact = {name: Fraction(Decimal(text)) for name, text in dict(WHOLE, **PARTS).items()}
    for name, value in given.items():
        if value is not None:
            shown[name], exact[name] = value, read_limit(name, value)
    return version, shown, exact


def read_request(request, currency):
    """Installment and obligations in minor units."""
    found = []
    owed = request.get("obligations")
    for name, value in (("installment", request.get("installment")),
                        ("obligations", 0 if owed is None else owed)):
        is_whole = isinstance(value, (int, float)) and value == floor(value)
        if isinstance(value, bool) or not (isinstance(value, str) or is_whole):
            raise Invalid("invalid_amount", f"request.{name}")
        minor = to_amount(value, decimals_of(currency), f"request.{name}")
        # three decimals may be meant as thousands, also three zeros
        is_long = isinstance(value, str) and len(value.partition(".")[2]) > max(2, decimals_of(currency))
        if Fraction(minor).denominator != 1 or minor < 0 or is_long:
            raise Invalid("invalid_amount", f"request.{name}")
        found.append(minor)
    return found


class Checks:
    """Reasons of each outcome, in the order of the checks."""

    def __init__(self, shown, exact):
        self.shown, self.exact, self.failed = shown, exact, []

    def add(self, outcome, code, metric, value=None, limit=None):
        reason = {"code": code, "metric": metric, "value": value, "limit": limit}
        self.failed.append((outcome, {key: item for key, item in reason.items() if item is not None}))

    def limit(self, outcome, code, metric, exact, value, name):
        """Fails if a figure that is known is outside: below a min, above a max."""
        bound = self.exact[name]
        if exact is not None and not isinstance(exact, Nil) \
                and (exact < bound if name.startswith("min") else exact > bound):
            self.add(outcome, code, metric, value, self.shown[name])


def check_all(checks, income, exact):
    for problem in income["problems"]:
        checks.add("undecidable", problem, "problems")
    days = income["days_observed"]
    checks.limit("undecidable", "insufficient_history", "days_observed", days, days, "min_days_observed")
    for name in ("monthly_income", "qualifying_income", "regularity", "stability"):
        if isinstance(exact[name], Nil):
            checks.add("undecidable", "unknown_" + name, name, str(exact[name]))

    last = income.get("days_since_last_income")
    if last is None:
        checks.add("decline", "no_recent_income", "days_since_last_income",
                   limit=checks.shown["max_days_since_last"])
    checks.limit("decline", "no_recent_income", "days_since_last_income", last, last,
                 "max_days_since_last")
    weeks = income["active_weeks"]
    checks.limit("decline", "few_active_weeks", "active_weeks", weeks, weeks, "min_active_weeks")
    checks.limit("decline", "irregular_income", "regularity", exact["regularity"],
                 income.get("regularity"), "min_regularity")

    gap = income["longest_gap"]
    checks.limit("refer", "long_gap", "longest_gap", gap, gap, "max_gap")
    checks.limit("refer", "unstable_income", "stability", exact["stability"],
                 income.get("stability"), "min_stability")
    if not isinstance(exact["trend"], Nil) and -exact["trend"] > checks.exact["max_decline"]:
        checks.add("refer", "declining_income", "trend", income["trend"], -checks.shown["max_decline"])


def decide(income, exact, rule, request):
    """The first group of checks that fails decides; all that fail are in `reasons`."""
    version, shown, limits = read_rule(rule)
    currency = income.get("currency")
    installment, obligations = read_request(request, currency)
    checks = Checks(shown, limits)
    check_all(checks, income, exact)
    is_shown = not checks.failed or checks.failed[0][0] == "refer"
    greatest = None
    if not isinstance(exact["qualifying_income"], Nil):
        greatest = floor(exact["qualifying_income"] * limits["ratio"] - obligations)
        if installment > greatest:
            checks.add("decline", "installment_too_high", "installment",
                       money(installment, currency), money(greatest, currency))
    verdict = {"outcome": checks.failed[0][0] if checks.failed else "approve",
               "reasons": [reason for _, reason in checks.failed], "rule_version": version}
    if currency:
        verdict["currency"] = currency
    if greatest is not None and is_shown:
        verdict["max_installment"] = money(greatest, currency)
        verdict["max_installment_minor"] = greatest
    return verdict

#!/usr/bin/env python3
"""Income and decision in exact fractions: what palenca.income is compared with.

Reads JSON lines {"streams": [{"rows", "report", "account", "platform", "warning"}], "options",
"rule", "request"}; writes for each a canonical line {"income", "verdict"} or {"error", …}.
Written from the definitions, not from the Lua: slow, literal, no float, one rounding at the end.
"""
import json
import re
import sys
from collections import namedtuple
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from math import floor

# ISO 4217: minor digits of the currencies that do not have two
DECIMALS = dict.fromkeys("bif clp djf gnf isk jpy kmf krw pyg rwf ugx uyi vnd vuv xaf xof xpf".split(), 0)
DECIMALS.update(dict.fromkeys("bhd iqd jod kwd lyd omr tnd".split(), 3), clf=4, uyw=4)

MONEY = ("monthly_income", "income_30d", "income_60d", "income_90d", "median_week", "low_week",
         "qualifying_income", "adjustments_total")
RATIOS = ("regularity", "stability", "trend", "cash_share", "cash_known", "days_worked_per_week")

RULE = {"min_days_observed": 42, "max_days_since_last": 14, "min_active_weeks": 5,
        "min_regularity": Decimal("0.75"), "max_gap": 21, "min_stability": Decimal("0.5"),
        "max_decline": Decimal("0.2"), "ratio": Decimal("0.3")}

Row = namedtuple("Row", "day amount cash currency account platform others")


class Invalid(Exception):
    """An input that is an error: its code, and the row (from 1) and field it is in."""

    def __init__(self, code, field, row=None):
        super().__init__(code, field, row)
        self.found = {"error": code, "field": field}
        if row:
            self.found["row"] = row


class Nil(str):
    """What cannot be known: the reason."""


# Input

def to_day(value, field, row=None):
    """A date of this century as YYYY-MM-DD."""
    if not isinstance(value, str) or not re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", value):
        raise Invalid("invalid_date", field, row)
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise Invalid("invalid_date", field, row) from None


def to_fraction(value):
    """A finite number of at most 15 significant digits, exactly; else None."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    number = Decimal(value)
    if not number.is_finite() or not -30 < number.adjusted() < 15 and number != 0:
        return None
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    return Fraction(number) if len(digits) <= 15 else None


def to_amount(value, decimals, field, row):
    """An amount or None for null; its minor units have at most 15 digits."""
    if value is None:
        return None
    amount = to_fraction(value)
    if amount is None or abs(amount) * 10**decimals >= 10**15:
        raise Invalid("invalid_amount", field, row)
    return amount


def to_currency(value):
    """Trimmed, lower case, three letters; else None."""
    text = value.strip().lower() if isinstance(value, str) else ""
    return text if re.fullmatch(r"[a-z]{3}", text) else None


def decimals_of(currency):
    return DECIMALS.get(currency, 2)


def to_row(source, stream, number):
    """A row of the API as a Row, in the account of its stream."""
    currency = to_currency(source.get("currency"))
    decimals = decimals_of(currency)
    day = to_day(source.get("earning_date"), "earning_date", number)
    amount = to_amount(source.get("amount"), decimals, "amount", number)
    cash = to_amount(source.get("cash_amount"), decimals, "cash_amount", number)
    known = ("earning_date", "amount", "currency", "cash_amount", "account", "platform")
    others = [item for item in sorted(source.items()) if item[0] not in known and item[1] is not None]
    if currency is None and isinstance(source.get("currency"), str):
        others.append(("currency", source["currency"].strip().lower()))
    return Row(day, amount, cash, currency, source.get("account") or stream.get("account"),
               source.get("platform") or stream.get("platform"), tuple(others))


def read(streams):
    """All rows of all streams; rows of streams without an account are in accounts of their own."""
    rows = []
    for at, stream in enumerate(streams):
        for number, source in enumerate(stream["rows"], 1):
            row = to_row(source, stream, number)
            rows.append(row if row.account else row._replace(account=at))
    return rows


# Output

def rounded_down(value, decimals):
    return floor(value * 10**decimals)


def money(minor, decimals):
    """Minor units as decimal text."""
    digits = str(abs(minor)).rjust(decimals + 1, "0")
    sign = "-" if minor < 0 else ""
    if not decimals:
        return sign + digits
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def put_money(result, name, value, currency):
    """Sets NAME and NAME_minor, or why it is not known."""
    if isinstance(value, Nil):
        result.setdefault("unknown", {})[name] = str(value)
        return
    decimals = decimals_of(currency)
    minor = rounded_down(value, decimals)
    result[name] = money(minor, decimals)
    result[name + "_minor"] = minor


def put_ratio(result, name, value):
    """Sets NAME with four decimals, or why it is not known."""
    if isinstance(value, Nil):
        result.setdefault("unknown", {})[name] = str(value)
        return
    scaled = rounded_down(value, 4)
    result[name] = scaled // 10000 if scaled % 10000 == 0 else scaled / 10000


# Figures of the rows of one currency

def observed_days(rows, start, as_of):
    """From start, if given and later than the first row's day, else from that day, to as_of."""
    first = min((row.day for row in rows if row.day <= as_of), default=None)
    if first is None:
        return []
    first = max(first, start) if start else first
    return [first + timedelta(n) for n in range((as_of - first).days + 1)]


def sums_by_day(rows):
    sums = {}
    for row in rows:
        if row.amount is not None:
            sums[row.day] = sums.get(row.day, 0) + row.amount
    return sums


def window_days(days):
    return max(30, min(90, len(days)))


def too_unknown(days, unknown):
    """Whether more than one in four of the days is unknown."""
    return 4 * len(unknown.intersection(days)) > len(days)


def median(values):
    values, half = sorted(values), len(values) // 2
    return values[half] if len(values) % 2 else Fraction(values[half - 1] + values[half]) / 2


def whole_weeks(days):
    """Monday to Sunday, each with all its days in the given days."""
    return [days[at:at + 7] for at, day in enumerate(days) if day.weekday() == 0 and at + 7 <= len(days)]


def week_figures(total, window, unknown):
    weeks = whole_weeks(window)
    full = [week for week in weeks if not too_unknown(week, unknown)]
    reason = Nil("unknown_amounts" if len(weeks) >= 5 else "insufficient_history")
    sums = sorted(total(week) for week in full)
    active = sum(1 for value in sums if value > 0)
    if not sums:
        reason = Nil("unknown_amounts" if weeks else "insufficient_history")
        middle = low = regularity = stability = reason
    else:
        middle, low = median(sums), sums[(len(sums) + 3) // 4 - 1]
        regularity = Fraction(active, len(sums))
        stability = min(max(Fraction(low) / middle, 0), 1) if middle > 0 else Fraction(0)
    if len(sums) < 5:
        regularity = stability = reason
    return {"median_week": middle, "low_week": low, "regularity": regularity, "stability": stability,
            "full_weeks": len(sums), "active_weeks": active}


def trend_of(total, days, unknown):
    half = 7 * (min(28, len(days) // 2) // 7)
    if len(days) < 42:
        return Nil("insufficient_history")
    last, before = days[-half:], days[-2 * half:-half]
    if too_unknown(last, unknown) or too_unknown(before, unknown):
        return Nil("unknown_amounts")
    if total(before) <= 0:
        return Nil("no_income_before")
    return Fraction(total(last) - total(before)) / total(before)


def income_of(total, days, unknown, count):
    """Plain sum of the last COUNT days."""
    if len(days) < count:
        return Nil("insufficient_history")
    if too_unknown(days[-count:], unknown):
        return Nil("unknown_amounts")
    return Fraction(total(days[-count:]))


def monthly_of(total, days, unknown):
    width = window_days(days)
    window = days[-width:]
    if len(days) < 28:
        return Nil("insufficient_history")
    if too_unknown(window, unknown):
        return Nil("unknown_amounts")
    return Fraction(total(window)) * 365 / (12 * (width - len(unknown.intersection(window))))


def qualifying_of(monthly, trend, last_30):
    if isinstance(monthly, Nil) or isinstance(trend, Nil) or trend >= Fraction(-1, 10):
        return monthly
    return last_30 if isinstance(last_30, Nil) else min(monthly, last_30 * 365 / 360)


def cash_figures(rows):
    both = [row for row in rows if row.amount is not None and row.cash is not None]
    amount, total = sum(row.amount for row in both), sum(row.amount or 0 for row in rows)
    share = Fraction(sum(row.cash for row in both)) / amount if amount > 0 else None
    return {"cash_share": Nil("unknown_cash" if not both else "no_income") if share is None else share,
            "cash_known": Fraction(amount) / total if total > 0 else Nil("no_income")}


def figures_of(rows, days, unknown):
    """Every figure that is made of sums of one currency, exact."""
    sums = sums_by_day(rows)

    def total(of):
        return sum(sums.get(day, 0) for day in of)

    figures = {"monthly_income": monthly_of(total, days, unknown),
               "trend": trend_of(total, days, unknown)}
    for count in (30, 60, 90):
        figures[f"income_{count}d"] = income_of(total, days, unknown, count)
    figures["qualifying_income"] = qualifying_of(
        figures["monthly_income"], figures["trend"], figures["income_30d"])
    figures["adjustments_total"] = sum(row.amount for row in rows if (row.amount or 0) < 0)
    figures.update(week_figures(total, days[-window_days(days):], unknown))
    figures.update(cash_figures(rows))
    return figures


def check_sums(rows):
    """Every sum of a currency has at most 15 digits of minor units."""
    sums = {}
    for row in rows:
        size = abs(row.amount or 0) * 10**decimals_of(row.currency)
        sums[row.currency] = sums.get(row.currency, 0) + size
    if any(size >= 10**15 for size in sums.values()):
        raise Invalid("sum_too_large", "amount")


# Days, whatever the currency

def active_days_of(rows):
    """Days on which the known amounts (of a currency) sum to more than 0."""
    active = set()
    for currency in {row.currency for row in rows}:
        sums = sums_by_day(row for row in rows if row.currency == currency)
        active.update(day for day, value in sums.items() if value > 0)
    return active


def longest_gap(days, filled):
    longest = run = 0
    for day in days:
        run = 0 if day in filled else run + 1
        longest = max(longest, run)
    return longest


def day_figures(rows, days, unknown):
    window = days[-window_days(days):]
    active = active_days_of(rows)
    in_window = len(active.intersection(window))
    known = len(window) - len(unknown.intersection(window))
    result = {"days_observed": len(days), "window_days": window_days(days),
              "unknown_days": len(unknown), "active_days": in_window,
              "longest_gap": longest_gap(days, active | unknown)}
    reason = Nil("no_rows" if not days else "unknown_amounts")
    put_ratio(result, "days_worked_per_week", Fraction(in_window * 7, known) if known else reason)
    if active:
        result["days_since_last_income"] = (days[-1] - max(active)).days
    else:
        result.setdefault("unknown", {})["days_since_last_income"] = "no_active_day"
    return result


def months_of(rows, days, currency):
    active, months = active_days_of(rows), []
    for name in sorted({day.strftime("%Y-%m") for day in days}):
        touched = [day for day in days if day.strftime("%Y-%m") == name]
        full = touched[0].day == 1 and (touched[-1] + timedelta(1)).day == 1
        month = {"month": name, "from": str(touched[0]), "to": str(touched[-1]), "full": full,
                 "active_days": len(active.intersection(touched))}
        if currency:
            total = sum(row.amount or 0 for row in rows if touched[0] <= row.day <= touched[-1])
            put_money(month, "total", total, currency)
        months.append(month)
    return months


def platforms_of(streams, rows, currency):
    names = {row.platform for row in rows} | {stream.get("platform") for stream in streams}
    platforms = {}
    for name in names - {None}:
        own = [row for row in rows if row.platform == name]
        platforms[name] = {"active_days": len(active_days_of(own))}
        if currency:
            put_money(platforms[name], "total", sum(row.amount or 0 for row in own), currency)
    return platforms


# Problems

def is_incomplete(stream):
    report, count = stream.get("report"), len(stream["rows"])
    return report is not None and (
        report.get("complete") is not True
        or any(report.get(key) not in (None, count) for key in ("rows", "total_items")))


def problems_of(streams, options, facts):
    """In the order of the definition."""
    incomplete = any(is_incomplete(stream) for stream in streams)
    without = any(stream.get("report") is None for stream in streams)
    allowed = options.get("allow_incomplete") is True
    codes = [("incomplete", incomplete and not allowed),
             ("completeness_unknown", without and not allowed)] + facts
    warnings = dict.fromkeys(s["warning"] for s in streams if s.get("warning"))
    return [code for code, found in codes if found] + [f"account_warning:{w}" for w in warnings]


def has_conflict(rows):
    """Two different rows of one account for one day (identical ones are one by now)."""
    return len({(row.account, row.day) for row in rows}) < len(rows)


def money_problem(rows, currencies, nameless):
    """Why sums over all rows are not money of a currency, or None."""
    if not rows:
        return Nil("no_rows")
    if len(currencies) > 1:
        return Nil("mixed_currencies")
    if nameless:
        return Nil("unknown_currency")
    return None if currencies else Nil("unknown_amounts")


# The two functions

def put_figures(result, figures, currency):
    for name in MONEY:
        put_money(result, name, figures[name], currency)
    for name in RATIOS:
        if name in figures:
            put_ratio(result, name, figures[name])
    for name in ("full_weeks", "active_weeks"):
        if not isinstance(figures[name], Nil):
            result[name] = figures[name]


def analyze(streams, options):
    """The income of the rows of one or several streams; `_exact` holds what decide needs."""
    as_of = to_day(options.get("as_of"), "as_of")
    start = options.get("start_date")
    start = to_day(start, "start_date") if start is not None else None
    given = read(streams)
    days = observed_days(given, start, as_of)
    inside = [row for row in given if row.day <= as_of and (not start or row.day >= start)]
    rows = list(dict.fromkeys(inside))
    check_sums(rows)

    known = {row.day for row in rows if row.amount is not None}
    unknown = {row.day for row in rows} - known
    currencies = sorted({row.currency for row in rows if row.amount is not None and row.currency})
    nameless = any(row.amount is not None and not row.currency for row in rows)
    problem = money_problem(rows, currencies, nameless)
    currency = None if problem else currencies[0]

    income = day_figures(rows, days, unknown)
    if problem:
        figures = dict.fromkeys(MONEY + RATIOS + ("full_weeks", "active_weeks"), problem)
        del figures["days_worked_per_week"]
    else:
        figures = figures_of(rows, days, unknown)
        income["currency"] = currency
    put_figures(income, figures, currency)
    income["as_of"] = str(as_of)
    income["identical_rows"] = len(inside) - len(rows)
    income["adjustments"] = sum(1 for row in rows if (row.amount or 0) < 0)
    income["months"] = months_of(rows, days, currency)
    income["problems"] = problems_of(streams, options, [
        ("no_rows", not rows), ("future_rows", any(row.day > as_of for row in given)),
        ("mixed_currencies", len(currencies) > 1), ("unknown_currency", nameless),
        ("conflicting_days", has_conflict(rows)),
        ("unknown_amounts", too_unknown(days[-window_days(days):], unknown))])
    platforms = platforms_of(streams, rows, currency)
    if platforms:
        income["platforms"] = platforms
    if len(currencies) > 1:
        income["by_currency"] = {}
        for name in currencies:
            own = income["by_currency"][name] = {}
            put_figures(own, figures_of([r for r in rows if r.currency == name], days, unknown), name)
    income["_exact"] = figures
    return income


def to_limit(value, name):
    try:
        number = Decimal(value)
        if number.is_finite():
            return Fraction(number)
    except (InvalidOperation, TypeError, ValueError):
        pass
    raise Invalid("invalid_number", name)


def decide(income, rule, request):
    """The verdict: the first group of checks that fails decides, all that fail are in reasons."""
    rule = rule or {}
    limit = {name: to_limit(rule.get(name, default), name) for name, default in RULE.items()}
    exact, groups = income["_exact"], []

    def fails(metric, value, code, bound, failed):
        """A reason if the value is known and the check fails."""
        if value is None or isinstance(value, Nil) or not failed(value, limit[bound]):
            return []
        return [{"code": code, "metric": metric}]

    def below(value, least):
        return value < least

    def above(value, greatest):
        return value > greatest

    last = income.get("days_since_last_income")
    decline = None if isinstance(exact["trend"], Nil) else -exact["trend"]
    groups.append(("undecidable", [{"code": code} for code in income["problems"]]))
    groups.append(("undecidable", fails(
        "days_observed", income["days_observed"], "insufficient_history", "min_days_observed", below)))
    nil = [name for name in ("monthly_income", "regularity", "stability")
           if isinstance(exact[name], Nil)]
    if isinstance(exact["qualifying_income"], Nil) and "monthly_income" not in nil:
        nil.append("qualifying_income")
    groups.append(("undecidable", [{"code": str(exact[n]), "metric": n} for n in nil]))
    none = [] if last is not None else [{"code": "no_recent_income", "metric": "days_since_last_income"}]
    groups.append(("decline", none + fails(
        "days_since_last_income", last, "no_recent_income", "max_days_since_last", above) + fails(
        "active_weeks", exact["active_weeks"], "few_active_weeks", "min_active_weeks", below) + fails(
        "regularity", exact["regularity"], "low_regularity", "min_regularity", below)))
    groups.append(("refer", fails(
        "longest_gap", income["longest_gap"], "long_gap", "max_gap", above) + fails(
        "stability", exact["stability"], "low_stability", "min_stability", below) + fails(
        "trend", decline, "declining_income", "max_decline", above)))
    return conclude(income, rule, request or {}, limit, groups)


def conclude(income, rule, request, limit, groups):
    """Adds the check of the installment, and makes the verdict of all."""
    exact = income["_exact"]["qualifying_income"]
    installment = request.get("installment")
    installment = None if installment is None else to_limit(installment, "installment")
    obligations = to_limit(request.get("obligations") or 0, "obligations")
    greatest = None
    if not isinstance(exact, Nil):
        decimals = decimals_of(income["currency"])
        greatest = rounded_down(exact * limit["ratio"] - obligations, decimals)
        if installment is not None and installment * 10**decimals > greatest:
            groups.append(("decline", [{"code": "installment_too_high", "metric": "installment"}]))
    failed = [(outcome, reasons) for outcome, reasons in groups if reasons]
    outcome = failed[0][0] if failed else "approve"
    verdict = {"outcome": outcome, "reasons": [reason for _, reasons in failed for reason in reasons]}
    if rule.get("version") is not None:
        verdict["rule_version"] = rule["version"]
    alone = outcome == "decline" and verdict["reasons"][0]["code"] == "installment_too_high"
    if greatest is not None and (outcome in ("approve", "refer") or alone):
        verdict["max_installment"] = money(greatest, decimals)
        verdict["max_installment_minor"] = greatest
    return verdict


def respond(case):
    """The result for one decoded line."""
    try:
        income = analyze(case["streams"], case.get("options") or {})
        verdict = decide(income, case.get("rule"), case.get("request"))
    except Invalid as invalid:
        return invalid.found
    del income["_exact"]
    return {"income": income, "verdict": verdict}


def main():
    for line in sys.stdin:
        result = respond(json.loads(line, parse_float=Decimal))
        print(json.dumps(result, sort_keys=True, separators=(",", ":"), default=float))


if __name__ == "__main__":
    main()

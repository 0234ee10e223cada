#!/usr/bin/env python3
"""Income and decision in exact fractions: what palenca.income is compared with.

Reads JSON lines {"streams": [{"rows", "report", "account", "platform", "warning"}], "options",
"rule", "request"}; writes for each a canonical line {"income", "verdict"} or {"error", …}.
Written from the definitions, not from the Lua: slow, literal, no float, one rounding at the end.
"""
import json
import sys
from collections import namedtuple
from datetime import timedelta
from fractions import Fraction
from math import ceil

from amounts import (SIZE, Invalid, Nil, bounded, decimals_of, exact_text, put, put_money, put_ratio,
                     normalized_currency, to_amount, to_currency, to_day)
from verdict import decide

MONEY = ("monthly_income", "income_30d", "income_60d", "income_90d", "median_week", "low_week",
         "qualifying_income", "adjustments_total")
QUOTIENTS = ("stability", "trend", "cash_share", "cash_known")

Row = namedtuple("Row", "day amount cash currency account platform others")
# the days of a history, oldest first; those of its window; those that are unknown
Days = namedtuple("Days", "observed window unknown")


# Input

def to_row(source, stream, account, number):
    """A row of the API as a Row, in the account of its stream."""
    currency = to_currency(source.get("currency"))
    decimals = decimals_of(currency)
    day = to_day(source.get("earning_date"), "earning_date", number)
    amount = to_amount(source.get("amount"), decimals, "amount", number)
    cash = to_amount(source.get("cash_amount"), decimals, "cash_amount", number)
    known = ("earning_date", "amount", "currency", "cash_amount")
    others = [(name, json.dumps(value, sort_keys=True) if isinstance(value, (dict, list)) else value)
              for name, value in sorted(source.items()) if name not in known and value is not None]
    if currency is None and isinstance(source.get("currency"), str):
        others.append(("currency", normalized_currency(source["currency"])))
    # a currency that is blank is none
    others = tuple(item for item in others if item != ("currency", ""))
    return Row(day, amount, cash, currency, account, stream.get("platform"), others)


def read(streams):
    """All rows of all streams; a stream without an account is an account of its own."""
    return [to_row(source, stream, stream.get("account") or at, number)
            for at, stream in enumerate(streams) for number, source in enumerate(stream["rows"], 1)]


def check_sums(rows):
    """Every sum of a currency has at most 15 digits of minor units, parts of one counted as one."""
    sums = {}
    for row in rows:
        if row.amount is not None:
            for key, value in ((row.currency, row.amount), ((row.currency, "cash"), row.cash or 0)):
                sums[key] = sums.get(key, 0) + ceil(abs(value))
    if any(size >= SIZE for size in sums.values()):
        raise Invalid("sum_too_large", "amount")


# Days, whatever the currency

def observed_days(rows, start, as_of):
    """From start, if given and later than the first row's day, else from that day, to as_of."""
    first = min((row.day for row in rows if row.day <= as_of), default=None)
    if first is None:
        return []
    first = max(first, start) if start else first
    return [first + timedelta(n) for n in range((as_of - first).days + 1)]


def days_of(rows, start, as_of, inside):
    observed = observed_days(rows, start, as_of)
    known = {row.day for row in inside if row.amount is not None}
    return Days(observed, observed[-max(30, min(90, len(observed))):],
                {row.day for row in inside} - known)


def too_unknown(days, unknown):
    """Whether more than one in four of the days is unknown."""
    return 4 * len(unknown.intersection(days)) > len(days)


def sums_by_day(rows):
    sums = {}
    for row in rows:
        if row.amount is not None:
            sums[row.day] = sums.get(row.day, 0) + row.amount
    return sums


def sums_by_currency(rows):
    by_currency = {}
    for row in rows:
        by_currency.setdefault(row.currency, []).append(row)
    return [sums_by_day(own) for own in by_currency.values()]


def active_days_of(rows):
    """Days on which the known amounts (of a currency) sum to more than 0."""
    return {day for sums in sums_by_currency(rows) for day, value in sums.items() if value > 0}


def longest_gap(days, filled):
    longest = run = 0
    for day in days:
        run = 0 if day in filled else run + 1
        longest = max(longest, run)
    return longest


def day_figures(income, rows, days, active):
    in_window = len(active.intersection(days.window))
    known = len(days.window) - len(days.unknown.intersection(days.window))
    income.update({
        "days_observed": len(days.observed), "window_days": max(30, len(days.window)),
        "unknown_days": len(days.unknown), "active_days": in_window,
        "longest_gap": longest_gap(days.observed, active | days.unknown)})
    put_ratio(income, "days_worked_per_week", Fraction(in_window * 7, known) if known
              else Nil("unknown_amounts" if rows else "no_rows"))
    put(income, "days_since_last_income", (days.observed[-1] - max(active)).days if active
        else Nil("no_income" if rows else "no_rows"))


# Weeks and months

def whole_weeks(days):
    """Monday to Sunday, each with all its days in the given days."""
    return [days[at:at + 7] for at, day in enumerate(days) if day.weekday() == 0 and at + 7 <= len(days)]


def full_weeks(days):
    """And why there are not five, if there are not."""
    weeks = whole_weeks(days.window)
    full = [week for week in weeks if not too_unknown(week, days.unknown)]
    is_long = len(weeks) >= 5 and len(full) < len(weeks)
    return full, Nil("unknown_amounts" if is_long else "insufficient_history")


def span(touched, days, active, sums, currency):
    """What a week and a month have."""
    result = {"from": str(touched[0]), "to": str(touched[-1]),
              "active_days": len(active.intersection(touched)),
              "unknown_days": len(days.unknown.intersection(touched))}
    if sums is not None:
        put_money(result, "total", sum(sums.get(day, 0) for day in touched), currency)
    return result


def add_weeks(income, rows, days, active, sums, currency):
    weeks, reason = full_weeks(days)
    income["weeks"] = [span(week, days, active, sums, currency) for week in weeks]
    earning = sums_by_currency(rows)
    count = sum(1 for week in weeks
                if any(sum(own.get(day, 0) for day in week) > 0 for own in earning))
    income["full_weeks"], income["active_weeks"] = len(weeks), count
    regularity = Fraction(count, len(weeks)) if len(weeks) >= 5 else reason if rows else Nil("no_rows")
    put_ratio(income, "regularity", regularity)
    return regularity


def months_of(days, active, sums, currency):
    months = {}
    for day in days.observed:
        months.setdefault(str(day)[:7], []).append(day)
    result = []
    for name, touched in months.items():
        month = span(touched, days, active, sums, currency)
        month["month"] = name
        month["full"] = touched[0].day == 1 and (touched[-1] + timedelta(1)).day == 1
        result.append(month)
    return result


# Figures of the rows of one currency

def median(values):
    values, half = sorted(values), len(values) // 2
    return values[half] if len(values) % 2 else Fraction(values[half - 1] + values[half]) / 2


def week_figures(total, days):
    full, reason = full_weeks(days)
    sums = sorted(total(week) for week in full)
    if not sums:
        return {"median_week": reason, "low_week": reason, "stability": reason}
    middle, low = median(sums), sums[(len(sums) + 3) // 4 - 1]
    stability = min(max(Fraction(low) / middle, 0), 1) if middle > 0 else Fraction(0)
    return {"median_week": middle, "low_week": low, "stability": stability if len(sums) >= 5 else reason}


def trend_of(total, days):
    observed = days.observed
    half = 7 * (min(28, len(observed) // 2) // 7)
    if len(observed) < 42:
        return Nil("insufficient_history")
    last, before = observed[-half:], observed[-2 * half:-half]
    if too_unknown(last, days.unknown) or too_unknown(before, days.unknown):
        return Nil("unknown_amounts")
    if total(before) <= 0:
        return Nil("no_income")
    quotient = bounded(Fraction(total(last)) / total(before))
    return quotient if isinstance(quotient, Nil) else quotient - 1


def income_of(total, days, count):
    """Plain sum of the last COUNT days."""
    if len(days.observed) < count:
        return Nil("insufficient_history")
    if too_unknown(days.observed[-count:], days.unknown):
        return Nil("unknown_amounts")
    return total(days.observed[-count:])


def window_income(total, days):
    """Sum and days of the monthly income."""
    if len(days.observed) < 28:
        return Nil("insufficient_history")
    if too_unknown(days.window, days.unknown):
        return Nil("unknown_amounts")
    width = max(30, len(days.window))
    return total(days.window), width - len(days.unknown.intersection(days.window))


def monthly(basis):
    return basis if isinstance(basis, Nil) else Fraction(basis[0]) * 365 / (12 * basis[1])


def qualifying_basis(window, trend, last_30, withheld):
    """Sum and days of the qualifying income; 365 / 360 of 30 days is 365 / (12 × 30) of them."""
    if isinstance(window, Nil):
        return window
    if withheld:
        return Nil("incomplete")
    if isinstance(trend, Nil):
        return trend if trend == "too_large" else window
    if trend >= Fraction(-1, 10):
        return window
    if isinstance(last_30, Nil):
        return last_30
    return min(window, (last_30, 30), key=monthly)


def cash_figures(rows):
    both = [row for row in rows if row.amount is not None and row.cash is not None]
    amount, total = sum(row.amount for row in both), sum(row.amount or 0 for row in rows)
    none, idle = Nil("no_cash_amounts"), Nil("no_income")
    share = bounded(Fraction(sum(row.cash for row in both)) / amount) if amount > 0 else idle
    return {"cash_share": share if both else none,
            "cash_known": bounded(Fraction(amount) / total) if total > 0 else idle}


def figures_of(rows, days, withheld):
    """Every figure that is made of sums of one currency, exact."""
    sums = sums_by_day(rows)

    def total(of):
        return sum(sums.get(day, 0) for day in of)

    window = window_income(total, days)
    figures = {"monthly_income": monthly(window), "trend": trend_of(total, days)}
    for count in (30, 60, 90):
        figures[f"income_{count}d"] = income_of(total, days, count)
    basis = qualifying_basis(window, figures["trend"], figures["income_30d"], withheld)
    figures["qualifying_basis"], figures["qualifying_income"] = basis, monthly(basis)
    figures["adjustments_total"] = sum(row.amount for row in rows if (row.amount or 0) < 0)
    figures.update(week_figures(total, days))
    figures.update(cash_figures(rows))
    return figures


def put_figures(result, figures, currency):
    for name in MONEY:
        put_money(result, name, figures[name], currency)
    for name in QUOTIENTS:
        put_ratio(result, name, figures[name])
    basis = figures["qualifying_basis"]
    if not isinstance(basis, Nil):
        result["qualifying_basis"] = {"sum": exact_text(basis[0], currency), "days": basis[1]}


# Platforms and problems

def uncounted(rows, days):
    """How many rows without an amount are of days that another row makes known."""
    return sum(1 for row in rows if row.amount is None and row.day not in days.unknown)


def lacks_amounts(given, start, as_of, inside):
    """Whether the days of one account, as if there were no other, are too unknown."""
    for account in {row.account for row in given}:
        own = [[row for row in rows if row.account == account] for rows in (given, inside)]
        days = days_of(own[0], start, as_of, own[1])
        if too_unknown(days.window, days.unknown):
            return True
    return False


def platforms_of(streams, rows, days, currency):
    platforms = {}
    for name in {stream["platform"] for stream in streams if stream.get("platform")}:
        own = [row for row in rows if row.platform == name]
        platforms[name] = {"active_days": len(active_days_of(own)),
                           "uncounted_rows": uncounted(own, days)}
        if currency:
            put_money(platforms[name], "total", sum(row.amount or 0 for row in own), currency)
    return platforms


def is_incomplete(stream):
    report, count = stream.get("report"), len(stream["rows"])
    return report is not None and (
        report.get("complete") is not True
        or any(report.get(key) not in (None, count) for key in ("rows", "total_items")))


def problems_of(streams, facts):
    """In the order of the definition; warnings are sorted."""
    codes = [("incomplete", any(is_incomplete(stream) for stream in streams)),
             ("completeness_unknown", any(stream.get("report") is None for stream in streams))] + facts
    warnings = sorted({s["warning"] for s in streams if s.get("warning")})
    return [code for code, found in codes if found] + [f"account_warning:{w}" for w in warnings]


def has_conflict(rows):
    """Two different rows of one account for one day (identical ones are one by now)."""
    return len({(row.account, row.day) for row in rows}) < len(rows)


def only_named(rows):
    """The currency of rows without amounts, if it is one."""
    named = {row.currency for row in rows if row.currency}
    return named.pop() if len(named) == 1 else None


def money_problem(rows, currencies, nameless):
    """Why sums over all rows are not money of a currency, or None."""
    if not rows:
        return Nil("no_rows")
    if len(currencies) > 1:
        return Nil("mixed_currencies")
    if nameless:
        return Nil("unknown_currency")
    return None if currencies else Nil("unknown_amounts")


# The whole

def read_options(options):
    as_of = to_day(options.get("as_of"), "as_of")
    start = options.get("start_date")
    start = to_day(start, "start_date") if start is not None else None
    if start and start > as_of:
        raise Invalid("invalid_date", "start_date")
    return as_of, start


def analyze(streams, options):
    """The income of the rows of one or several streams, and the exact figures for `decide`."""
    as_of, start = read_options(options)
    given = read(streams)
    inside = [row for row in given if row.day <= as_of and (not start or row.day >= start)]
    rows = list(dict.fromkeys(inside))
    check_sums(rows)

    days, active = days_of(given, start, as_of, inside), active_days_of(rows)
    currencies = sorted({row.currency for row in rows if row.amount is not None and row.currency})
    nameless = any(row.amount is not None and not row.currency for row in rows)
    income = {"as_of": str(as_of), "identical_rows": len(inside) - len(rows), "unknown": {},
              "adjustments": sum(1 for row in rows if (row.amount or 0) < 0)}
    income["problems"] = problems_of(streams, [
        ("no_rows", not rows), ("future_rows", any(row.day > as_of for row in given)),
        ("mixed_currencies", len(currencies) > 1), ("unknown_currency", nameless),
        ("conflicting_days", has_conflict(rows)),
        ("unknown_amounts", too_unknown(days.window, days.unknown)
         or lacks_amounts(given, start, as_of, inside))])
    withheld = "incomplete" in income["problems"] and options.get("allow_incomplete") is not True

    problem = money_problem(rows, currencies, nameless)
    currency = None if problem else currencies[0]
    figures = dict.fromkeys(MONEY + QUOTIENTS + ("qualifying_basis",), problem) if problem \
        else figures_of(rows, days, withheld)
    named = currency or (only_named(rows) if problem == "unknown_amounts" else None)
    put(income, "currency", named or problem)
    put_figures(income, figures, currency)
    sums = None if problem else sums_by_day(rows)
    day_figures(income, rows, days, active)
    income["uncounted_rows"] = uncounted(rows, days)
    figures["regularity"] = add_weeks(income, rows, days, active, sums, currency)
    income["months"] = months_of(days, active, sums, currency)
    income["platforms"] = platforms_of(streams, rows, days, currency)
    if len(currencies) > 1:
        income["by_currency"] = {name: {"unknown": {}} for name in currencies}
        for name, own in income["by_currency"].items():
            put_figures(own, figures_of([r for r in rows if r.currency == name], days, withheld), name)
    return income, figures


def respond(case):
    """The result for one decoded line."""
    try:
        income, figures = analyze(case["streams"], case.get("options") or {})
        verdict = decide(income, figures, case["rule"], case["request"])
    except Invalid as invalid:
        return invalid.found
    return {"income": income, "verdict": verdict}


def main():
    for line in sys.stdin:
        print(json.dumps(respond(json.loads(line)), sort_keys=True, separators=(",", ":")))


if __name__ == "__main__":
    main()

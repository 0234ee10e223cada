#!/usr/bin/env python3
"""Random histories of earnings as JSON lines, the same for the same seed.

histories.py [--seed N] [--count N]: a line is what reference.py reads. The seed is printed to stderr.
"""
import argparse
import json
import random
import sys
from datetime import date, timedelta
from decimal import Decimal

import reference

PLATFORMS = ("uber", "rappi", "didi", "indriver", "cabify")
WARNINGS = ("rider_account", "fleet_account", "id_mismatch", "incomplete_profile_data")
LENGTHS = (27, 28, 29, 30, 31, 41, 42, 43, 59, 60, 61, 89, 90, 91)


def encode(value):
    text = json.dumps(value, separators=(",", ":"), default=float)
    return text.replace(":Infinity", ":1e400")  # JSON has no name for it


def row(day, amount, currency="mxn", cash=None, trips=None):
    return {"earning_date": str(day), "amount": amount, "currency": currency, "cash_amount": cash,
            "count_trips": trips}


def report_of(rows):
    return {"complete": True, "rows": len(rows), "total_items": len(rows)}


def history(rng, rows, as_of, installment="2000"):
    return {"streams": [{"rows": rows, "report": report_of(rows), "account": "a1",
                         "platform": rng.choice(PLATFORMS), "warning": None}],
            "options": {"as_of": str(as_of)}, "rule": {"version": "1"},
            "request": {"installment": installment, "obligations": "0"}}


def random_day(rng):
    return date(2019, 1, 1) + timedelta(rng.randrange(4400))


def daily(as_of, amounts):
    """One row a day, the last on as_of; none where the amount is False."""
    first = as_of - timedelta(len(amounts) - 1)
    return [row(first + timedelta(n), amount) for n, amount in enumerate(amounts) if amount is not False]


# Histories at a boundary

def at_length(rng, as_of):
    return daily(as_of, [rng.choice((500, 333, Decimal("99.99")))] * rng.choice(LENGTHS))


def at_weeks(rng, as_of):
    return daily(as_of, [500] * rng.randrange(28, 49))


def at_unknown(rng, as_of):
    """About one day in four unknown: of a week, of a trend's half, of 30, 60 or 90 days."""
    length = rng.choice(LENGTHS)
    span = min(length, rng.choice((7, 21, 28, 30, 60, 90, 90, 90)))
    amounts = [500] * length
    skip = rng.choice((0, 0, 28, 30)) if span < length else 0
    for at in rng.sample(range(span), span // 4 + rng.choice((0, 0, 1))):
        amounts[max(0, length - 1 - skip - at)] = None
    return daily(as_of, amounts)


def at_trend(rng, as_of):
    """A decline of exactly 10 or 20 percent, or a cent off it."""
    half, last = rng.choice((21, 28)), rng.choice((90, 80))
    amounts = [100] * half + [last] * half
    cent = Decimal("0.01")
    amounts[-1 - rng.randrange(half)] += rng.choice((-cent, 0, cent, -cent / 100))
    return daily(as_of, amounts)


def at_regularity(rng, as_of):
    """6 (9) of 8 (12) weeks active, or one more or fewer."""
    weeks, active = rng.choice(((8, 6), (8, 5), (12, 9), (12, 8), (12, 10), (5, 4), (5, 3), (6, 5)))
    sunday = as_of - timedelta((as_of.weekday() + 1) % 7)
    chosen = rng.sample(range(weeks), active)
    amounts = [rng.choice((0, False)) for _ in range(7 * weeks)]
    amounts[0] = amounts[0] or 0
    for week in chosen:
        amounts[7 * week + rng.randrange(7)] = 1000
    return daily(sunday, amounts)


def at_stability(rng, as_of):
    """The low week half of the median, or a cent off it."""
    weeks = rng.choice((8, 12))
    sunday = as_of - timedelta((as_of.weekday() + 1) % 7)
    low = 500 + rng.choice((Decimal("-0.01"), 0, Decimal("0.01")))
    amounts = [0] * (7 * weeks)
    for week in range(weeks):
        amounts[7 * week] = low if week % 4 == 0 else 1000
    return daily(sunday, amounts)


def at_gap(rng, as_of):
    gap, length = rng.choice((20, 21, 22)), rng.randrange(60, 120)
    at = rng.randrange(1, length - gap)
    filler = rng.choice((0, False, -1))
    return daily(as_of, [filler if at <= n < at + gap else 500 for n in range(length)])


def at_last_income(rng, as_of):
    return daily(as_of, [500] * rng.randrange(50, 100) + [rng.choice((0, False))] * rng.choice((13, 14, 15)))


def at_unknown_30_days(rng, as_of):
    """A decline, with 7 or 8 of the last 30 days unknown, but few of the last 28."""
    amounts = [1000] * 62 + [rng.choice((850, 900, 950))] * 28
    unknown = rng.choice((7, 8))
    for at in [*rng.sample(range(28), unknown - 2), 28, 29]:
        amounts[-1 - at] = None
    return daily(as_of, amounts)


def at_large_trend(rng, as_of):
    """The last days 2**53 / 10**4 times those before, or a bit less, with either sign."""
    cents = 9007199254740991 // 10**4 + rng.choice((-1, 0, 1, 2))
    amounts = [0] * 62 + [0] * 28
    amounts[0], amounts[40] = Decimal(rng.choice((0, 10**14))) / 100, Decimal("0.01")
    amounts[-1 - rng.randrange(28)] = Decimal(rng.choice((-1, 1)) * cents) / 100
    return daily(as_of, amounts)


def at_nothing_known(rng, as_of):
    """A few rows, none of which has the amount."""
    amounts = [None] + [rng.choice((False, False, False, False, None)) for _ in range(rng.randrange(90))]
    return daily(as_of, amounts)


BOUNDARIES = (at_unknown_30_days, at_large_trend, at_nothing_known, at_length, at_weeks, at_unknown, at_trend, at_regularity, at_stability, at_gap,
              at_last_income)


def at_installment(rng, case):
    """Asks for exactly what is allowed, or a cent off it."""
    case["request"]["obligations"] = rng.choice(("0", 0, "1000", 99999))
    verdict = reference.respond(json.loads(encode(case))).get("verdict", {})
    greatest = verdict.get("max_installment", "0")
    if Decimal(greatest) > 1:
        unit = Decimal(1).scaleb(Decimal(greatest).as_tuple().exponent)
        case["request"]["installment"] = str(Decimal(greatest) + rng.choice((0, unit, -unit)))


# Histories at random

def any_amount(rng, kind):
    if kind == "whole":
        return rng.randrange(0, 2000)
    if kind == "cents":
        return Decimal(rng.randrange(0, 200000)) / 100
    if kind == "many":
        return Decimal(rng.randrange(0, 10**9)).scaleb(-rng.choice((3, 4, 6)))
    if kind == "tiny":
        return rng.choice((Decimal("0.01"), Decimal("0.001"), Decimal("0.02"), Decimal("-1e-30")))
    if kind == "noise":
        return rng.choice((0.1 + 0.2, 1234.5600000000001, 1.1 * 1.1, rng.random() * 1000))
    if kind == "text":
        return rng.choice(("179.00", "0.30000000000000004", "-12.5", "007.1", f"{rng.random() * 500:.3f}"))
    if kind == "negative":
        return Decimal(rng.randrange(-100000, 150000)) / 100
    return Decimal(rng.randrange(10**11, 10**12)) / 100  # 800 of them are below 15 digits


def pattern(rng, as_of, length):
    """Amounts of a way to be paid; False where there is no row, None where it is not known."""
    kind = rng.choice(("whole", "whole", "cents", "cents", "many", "tiny", "negative", "huge", "noise",
                       "text"))
    way = rng.choice(("daily", "some", "weekly", "weekend", "monthly", "stops", "declines", "steady"))
    first, steady = as_of - timedelta(length - 1), any_amount(rng, kind)
    empty = rng.choice((0, False))
    density, stop = rng.random(), rng.randrange(length) + 1
    amounts = []
    for n in range(length):
        day = first + timedelta(n)
        works = {"some": rng.random() < density, "weekly": day.weekday() == 2,
                 "weekend": day.weekday() > 4, "monthly": day.day == 28,
                 "stops": n < stop}.get(way, True)
        amount = steady if way == "steady" else any_amount(rng, kind)
        if way == "declines":
            amount = max(0, 2000 - n * 2000 // length)
        amounts.append(amount if works else empty)
    for _ in range(rng.choice((0, 0, 0, 1, length // 8, length // 3))):
        amounts[rng.randrange(length)] = rng.choice((None, None, 0, False))
    return amounts


def half_of(amount):
    return "89.50" if isinstance(amount, str) else amount // 2


def size(rows):
    return sum(abs(float(one["amount"] or 0)) for one in rows)


def any_rows(rng, as_of):
    longest = rng.choice((60, 60, 90, 130, 130, 130, 200, 200, 801))
    rows = daily(as_of, pattern(rng, as_of, rng.randrange(1, longest)))
    currency = rng.choice(("mxn", "mxn", "mxn", "brl", "clp", "cop", "usd", "pyg", "kwd", "clf"))
    tells_cash = rng.random()
    for one in rows:
        one["currency"] = currency
        if rng.random() < tells_cash and one["amount"] is not None and rng.random() < 0.9:
            one["cash_amount"] = rng.choice((0, one["amount"], half_of(one["amount"])))
        one["count_trips"] = rng.choice((None, rng.randrange(20)))
    return rows


# What makes a history dirty: each changes the case or one of its streams

def duplicate_rows(rng, case, rows):
    rows += [dict(one) for one in rng.sample(rows, rng.randrange(len(rows)) + 1)]


def differ_in_case(rng, case, rows):
    rows += [dict(one, currency=" " + one["currency"].upper() + "\t") for one in rng.sample(rows, 1)
             if isinstance(one["currency"], str)]


def conflict(rng, case, rows):
    """Another row for a day of the same account."""
    one = dict(rng.choice(rows))
    key = rng.choice(("amount", "cash_amount", "count_trips"))
    one[key] = 1 if isinstance(one[key], str) else (one[key] or 0) + 1
    rows.append(one)


def second_currency(rng, case, rows):
    for one in rng.sample(rows, rng.randrange(len(rows)) + 1):
        one["currency"] = rng.choice(("usd", "USD ", "clp"))


def same_amount(rng, case, rows):
    """Rows again that have the same amount in another form."""
    for one in rng.sample(rows, rng.randrange(len(rows)) + 1):
        if type(one["amount"]) is int:
            rows.append(dict(one, amount=rng.choice((float(one["amount"]), f"{one['amount']}.00"))))


def own_field(rng, case, rows):
    """A field that the API does not have, on a row and on a copy of it."""
    one = rng.choice(rows)
    one["note"] = rng.choice(("a", 1, {"a": [1, {}]}))
    rows.append(dict(one, note=rng.choice((one["note"], "a", {"a": [2, {}]}))))


def odd_currency(rng, case, rows):
    for one in rng.sample(rows, min(len(rows), rng.randrange(3) + 1)):
        one["currency"] = rng.choice((None, "", "  ", "pesos", "mx", "m1n", "$"))


def extreme_amount(rng, case, rows):
    """15 digits of minor units, if the sum then has no more."""
    if size(rows) < 10**9:
        rng.choice(rows)["amount"] = rng.choice((9000000000000.01, -9 * 10**12, "9990000000000.999"))


def shuffle(rng, case, rows):
    rng.shuffle(rows)


def newest_first(rng, case, rows):
    rows.reverse()


def start_date(rng, case, rows):
    day = date.fromisoformat(rng.choice(rows)["earning_date"])
    case["options"]["start_date"] = str(day + timedelta(rng.choice((-40, -1, 0, 0, 1, 5, 900))))


def earlier_as_of(rng, case, rows):
    day = date.fromisoformat(case["options"]["as_of"]) - timedelta(rng.choice((1, 1, 3, 30, 900)))
    case["options"]["as_of"] = str(day)


def later_as_of(rng, case, rows):
    day = date.fromisoformat(case["options"]["as_of"]) + timedelta(rng.choice((1, 5, 14, 15, 21, 60)))
    case["options"]["as_of"] = str(day)


def no_report(rng, case, rows):
    case["streams"][-1]["report"] = None


def incomplete(rng, case, rows):
    last = case["streams"][-1]
    other = len(last["rows"]) + rng.choice((-1, 1))
    key, value = rng.choice((("complete", False), ("rows", other), ("total_items", other)))
    last["report"] = dict(report_of(last["rows"]), **{key: value})


def warning(rng, case, rows):
    for stream in case["streams"]:
        stream["warning"] = rng.choice(WARNINGS)


def second_account(rng, case, rows):
    as_of = date.fromisoformat(case["options"]["as_of"])
    own = [dict(one, currency=rows[0]["currency"]) for one in any_rows(rng, as_of)]
    if size(own + rows) >= 10**12:
        own = own[:5]
    case["streams"].append({"rows": own, "report": report_of(own), "account": "a2",
                            "platform": rng.choice(PLATFORMS), "warning": None})


def unknown_account(rng, case, rows):
    """A second account, itself with about one day in four unknown, beside days with income."""
    as_of = date.fromisoformat(case["options"]["as_of"])
    own = [dict(one, currency=rows[0]["currency"]) for one in at_unknown(rng, as_of)]
    case["streams"].append({"rows": own, "report": report_of(own), "account": rng.choice(("a1", "a3", None)),
                            "platform": case["streams"][0]["platform"], "warning": None})


def same_account(rng, case, rows):
    """A second search of the account that covers a part of the first."""
    own = [dict(one) for one in rng.sample(rows, rng.randrange(len(rows) + 1))]
    case["streams"].append(dict(case["streams"][0], rows=own, report=report_of(own)))


def no_rows(rng, case, rows):
    rows.clear()


def invalid_date(rng, case, rows):
    rng.choice(rows)["earning_date"] = rng.choice(
        (None, "", "2026-02-30", "2025-02-29", "2026-13-01", "2026-1-01", "1999-12-31", "20260101",
         "2026-01-01T00:00:00", " 2026-01-01", "2026-00-10", "2026-01-00", 20260101, "2101-01-01"))


def invalid_amount(rng, case, rows):
    rng.choice(rows)[rng.choice(("amount", "cash_amount"))] = rng.choice(
        ("abc", "1e3", "", "5.", "12345678901234567", True, 1e400, 10**16, -10**16, {"value": 1}))


def invalid_as_of(rng, case, rows):
    case["options"]["as_of"] = rng.choice((None, "2026-02-30", "yesterday"))


def other_rule(rng, case, rows):
    case["rule"].update(rng.choice((
        {"min_days_observed": 30}, {"max_days_since_last": 0}, {"min_active_weeks": 6},
        {"min_regularity": 1}, {"max_gap": 2}, {"min_stability": 0.9},
        {"max_decline": 0.05}, {"ratio": 0.3333}, {"ratio": 0.0029})))


def invalid_rule(rng, case, rows):
    case["rule"].update(rng.choice((
        {"version": None}, {"version": ""}, {"min_active_weeks": 2.5}, {"max_gap": "21"}, {"ratio": 30},
        {"min_regularity": 0.33333}, {"max_decline": -0.1}, {"min_days": 5})))


def invalid_request(rng, case, rows):
    case["request"].update(rng.choice((
        {"installment": None}, {"installment": "3,000"}, {"installment": "0.00001"}, {"installment": 10.5},
        {"installment": "900.00"}, {"installment": "900.000"}, {"obligations": "1.500"},
        {"obligations": -1}, {"obligations": "x"}, {"installment": "1000000000000000"})))


def allow_incomplete(rng, case, rows):
    case["options"]["allow_incomplete"] = True
    rng.choice((no_report, incomplete))(rng, case, rows)


# in the order in which they are applied: what reads rows before what makes them unreadable
ROW_CHANGES = (duplicate_rows, differ_in_case, same_amount, own_field, conflict, second_currency,
               odd_currency, extreme_amount, second_account, unknown_account, same_account, earlier_as_of, later_as_of, start_date, shuffle,
               newest_first, invalid_date, invalid_amount, no_rows)
CASE_CHANGES = (invalid_as_of, no_report, incomplete, warning, other_rule, allow_incomplete,
                invalid_rule, invalid_request)
INVALID = {invalid_date, invalid_amount, invalid_as_of, invalid_rule, invalid_request}


def apply(rng, case, changes):
    """Changes rows first: the reports then count the rows that are there."""
    changes = [c for n, c in enumerate(changes) if c not in INVALID or not INVALID.intersection(changes[:n])]
    for change in ROW_CHANGES:
        if change in changes:
            change(rng, case, case["streams"][0]["rows"])
    for stream in case["streams"]:
        stream["report"] = report_of(stream["rows"])
    for change in CASE_CHANGES:
        if change in changes:
            change(rng, case, case["streams"][0]["rows"])


def any_case(rng):
    as_of = random_day(rng)
    if rng.random() < 0.4:
        case = history(rng, rng.choice(BOUNDARIES)(rng, as_of), as_of)
        changes = rng.choice(([], [], [shuffle], [newest_first], [other_rule]))
    else:
        rows = any_rows(rng, as_of)
        case = history(rng, rows or [row(as_of, 0)], as_of, rng.choice(("1", "100", 3000)))
        changes = rng.sample(ROW_CHANGES + CASE_CHANGES, rng.choice((0, 0, 1, 1, 1, 2, 3)))
    apply(rng, case, changes)
    if rng.random() < 0.2:
        at_installment(rng, case)
    return case


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    print(f"seed {options.seed}", file=sys.stderr)
    for number in range(options.count):
        # of its own seed, so that a history is the same whatever comes before it
        print(encode(any_case(random.Random(f"{options.seed} {number}"))))


if __name__ == "__main__":
    main()

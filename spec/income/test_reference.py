#!/usr/bin/env python3
"""The values that are expected of an income, worked out by hand, against the reference."""
import unittest
from datetime import date, timedelta
from decimal import Decimal

import reference


def row(day, amount, **more):
    return {"earning_date": str(day), "amount": amount, "currency": "mxn", **more}


def daily(first, last, amount):
    first, last = date.fromisoformat(first), date.fromisoformat(last)
    return [row(first + timedelta(n), amount) for n in range((last - first).days + 1)]


def run(rows, as_of, request=None, start_date=None, **stream):
    report = {"complete": True, "rows": len(rows), "total_items": len(rows)}
    stream = {"rows": rows, "report": report, **stream}
    result = reference.respond({"streams": [stream], "options": {"as_of": as_of, "start_date": start_date},
                                "rule": {"version": "1"}, "request": request or {"installment": 1}})
    return result.get("income", result), result.get("verdict")


def codes(verdict):
    return [reason["code"] for reason in verdict["reasons"]]


class Expected(unittest.TestCase):
    def test_steady_on_every_date(self):
        for n in range(366):
            last = date(2026, 1, 1) + timedelta(n)
            rows = daily(str(last - timedelta(59)), str(last), 500)
            income, verdict = run(rows, str(last), {"installment": "3000.00", "obligations": "0.00"})
            self.assertEqual(income["monthly_income"], "15208.33")
            self.assertEqual(income["monthly_income_minor"], 1520833)
            self.assertEqual(income["income_30d"], "15000.00")
            self.assertEqual(income["income_60d"], "30000.00")
            self.assertEqual(income["median_week"], "3500.00")
            self.assertEqual([income[k] for k in ("regularity", "stability", "trend", "longest_gap")],
                             [1, 1, 0, 0])
            self.assertEqual(income["unknown"]["income_90d"], "insufficient_history")
            self.assertEqual(verdict["outcome"], "approve")
            self.assertEqual(verdict["max_installment"], "4562.50")

    def test_stopped_in_june(self):
        income, verdict = run(daily("2026-01-01", "2026-06-30", 500), "2026-11-28")
        self.assertEqual(income["monthly_income"], "0.00")
        self.assertEqual((income["longest_gap"], income["days_since_last_income"]), (151, 151))
        self.assertEqual((verdict["outcome"], codes(verdict)[0]), ("decline", "no_recent_income"))
        self.assertNotIn("max_installment", verdict)

    def test_declining_pay_once_a_month(self):
        amounts = "20000 17000 14450 12282.50 10440.13 8874.11".split()
        rows = [row(f"2026-0{n}-28", Decimal(amount)) for n, amount in enumerate(amounts, 1)]
        income, verdict = run(rows, "2026-06-30", {"installment": "3000.00"})
        self.assertEqual(income["monthly_income"], "10678.52")
        self.assertEqual(income["trend"], -0.1501)
        self.assertEqual(income["qualifying_income"], "8997.36")
        self.assertNotEqual(verdict["outcome"], "approve")

    def test_three_days_in_three_months(self):
        rows = [row(day, 10000) for day in ("2026-01-31", "2026-02-01", "2026-03-31")]
        income, verdict = run(rows, "2026-03-31")
        self.assertEqual(income["days_observed"], 60)
        self.assertEqual((income["active_weeks"], income["full_weeks"]), (0, 8))
        self.assertEqual(income["longest_gap"], 57)
        self.assertNotEqual(verdict["outcome"], "approve")

    def test_paid_three_times_in_90_days(self):
        rows = daily("2026-09-01", "2026-11-29", 0)
        for at in (0, 30, 60):
            rows[at]["amount"] = 10000
        income, verdict = run(rows, "2026-11-29")
        self.assertEqual(income["days_worked_per_week"], 0.2333)
        self.assertEqual((income["active_weeks"], income["full_weeks"]), (2, 12))
        self.assertEqual(verdict["outcome"], "decline")

    def test_every_row_twice(self):
        rows = daily("2026-01-01", "2026-07-31", 500)
        income, verdict = run(rows + [dict(r, currency=" MXN ") for r in rows], "2026-07-31")
        self.assertEqual(income["identical_rows"], 212)
        self.assertEqual(income["monthly_income"], "15208.33")
        self.assertEqual(verdict["outcome"], "approve")

    def test_two_amounts_for_one_day(self):
        rows = daily("2026-01-01", "2026-03-31", 179) + [row("2026-03-31", 180)]
        income, verdict = run(rows, "2026-03-31")
        self.assertEqual(income["problems"], ["conflicting_days"])
        self.assertEqual(verdict["outcome"], "undecidable")

    def test_twenty_days(self):
        income, verdict = run(daily("2026-01-01", "2026-01-20", 400), "2026-01-20")
        self.assertNotIn("monthly_income", income)
        self.assertEqual(income["unknown"]["monthly_income"], "insufficient_history")
        self.assertEqual(verdict["outcome"], "undecidable")

    def test_a_month_of_nulls(self):
        rows = daily("2026-01-01", "2026-04-30", 500)
        for r in rows:
            if "2026-02-02" <= r["earning_date"] <= "2026-02-28":
                r["amount"] = None
        income, verdict = run(rows, "2026-04-30")
        self.assertEqual((income["window_days"], income["unknown_days"]), (90, 27))
        self.assertEqual(income["problems"], ["unknown_amounts"])
        self.assertEqual(income["unknown"]["monthly_income"], "unknown_amounts")
        self.assertEqual(income["income_30d"], "15000.00")
        self.assertEqual(verdict["outcome"], "undecidable")

    def test_an_account_without_amounts_beside_a_steady_one(self):
        for unknown, problems in ((22, []), (23, ["unknown_amounts"])):
            steady = daily("2026-01-01", "2026-03-31", 500)
            other = daily("2026-01-01", "2026-03-31", 10)
            for r in other[-unknown:]:
                r["amount"] = None
            streams = [{"rows": rows, "report": {"complete": True}, "account": name, "platform": name}
                       for name, rows in (("a", steady), ("b", other))]
            result = reference.respond({"streams": streams, "options": {"as_of": "2026-03-31"},
                                        "rule": {"version": "1"}, "request": {"installment": 1}})
            income = result["income"]
            self.assertEqual((income["unknown_days"], income["uncounted_rows"]), (0, unknown))
            self.assertEqual([income["platforms"][name]["uncounted_rows"] for name in "ab"], [0, unknown])
            self.assertEqual(income["income_90d"], f"{90 * 500 + (90 - unknown) * 10}.00")
            self.assertEqual(income["problems"], problems)
            self.assertEqual(result["verdict"]["outcome"], "undecidable" if problems else "approve")

    def test_weekends_on_every_date(self):
        for n in range(365):
            last = date(2026, 1, 1) + timedelta(n)
            rows = daily(str(last - timedelta(49)), str(last), 500)
            rows = [r for r in rows if date.fromisoformat(r["earning_date"]).weekday() > 4] \
                + [row(last - timedelta(49), 0, count_trips=0)]
            rows = list({r["earning_date"]: r for r in reversed(rows)}.values())
            income, verdict = run(rows, str(last))
            self.assertEqual(income["trend"], 0)
            self.assertNotEqual(verdict["outcome"], "decline")


class Boundaries(unittest.TestCase):
    def test_low_week_is_the_third_of_twelve(self):
        rows = [row(date(2026, 1, 5) + timedelta(7 * n), 100 * (n + 1)) for n in range(12)]
        income, _ = run(rows, "2026-03-29")
        self.assertEqual((income["low_week"], income["median_week"]), ("300.00", "650.00"))
        self.assertEqual(income["stability"], 0.4615)

    def test_halves_of_42_days_are_three_weeks(self):
        rows = daily("2026-01-01", "2026-01-21", 100) + daily("2026-01-22", "2026-02-11", 50)
        self.assertEqual(run(rows, "2026-02-11")[0]["trend"], -0.5)
        self.assertNotIn("trend", run(rows[1:], "2026-02-11")[0])


    def test_days_before_the_start_date_were_observed(self):
        income, verdict = run([row("2026-01-01", 5)], "2026-03-01", start_date="2026-02-20")
        self.assertEqual((income["days_observed"], income["problems"]), (10, ["no_rows"]))
        self.assertEqual(verdict["outcome"], "undecidable")

    def test_a_trend_without_a_number_is_lent_on_by_nobody(self):
        rows = daily("2026-01-01", "2026-03-31", 0)
        rows[0]["amount"], rows[40]["amount"], rows[89]["amount"] = 10**12, 0.01, -9007199254.75
        income, verdict = run(rows, "2026-03-31")
        self.assertEqual(income["unknown"]["qualifying_income"], "too_large")
        self.assertEqual(verdict["outcome"], "undecidable")

    def test_nothing_known(self):
        income, verdict = run([row("2026-01-01", None)], "2026-03-01")
        self.assertEqual(income["unknown"]["monthly_income"], "unknown_amounts")
        self.assertEqual(verdict["outcome"], "undecidable")


class Inputs(unittest.TestCase):
    def test_errors(self):
        for key, value, code in (
                ("earning_date", "2026-02-30", "invalid_date"), ("earning_date", None, "invalid_date"),
                ("earning_date", "1999-12-31", "invalid_date"), ("amount", "1e3", "invalid_amount"),
                ("amount", True, "invalid_amount"), ("amount", Decimal("1e400"), "invalid_amount"),
                ("amount", 10**13, "invalid_amount"), ("cash_amount", "x", "invalid_amount")):
            rows = daily("2026-01-01", "2026-01-03", 1)
            rows[1][key] = value
            self.assertEqual(run(rows, "2026-01-03")[0], {"error": code, "field": key, "row": 2})

    def test_amounts_of_many_digits(self):
        income, _ = run(daily("2026-01-01", "2026-01-30", 0.1 + 0.2), "2026-01-30")
        self.assertEqual(income["income_30d"], "9.00")
        self.assertEqual(income["qualifying_basis"], {"sum": "9.0000000000000012", "days": 30})
        self.assertEqual(run(daily("2026-01-01", "2026-01-30", "0.003"), "2026-01-30")[0]["income_30d"], "0.09")

    def test_requests(self):
        rows = daily("2026-01-01", "2026-03-01", 500)
        for request, field in (({"installment": "0.001"}, "installment"), ({"installment": 0.5}, "installment"),
                               ({"installment": "900.000"}, "installment"),
                               ({"installment": 1, "obligations": "1.500"}, "obligations"),
                               ({"installment": 1, "obligations": -1}, "obligations")):
            self.assertEqual(run(rows, "2026-03-01", request)[0]["field"], f"request.{field}")

    def test_largest_amount(self):
        income, _ = run([row("2026-01-01", Decimal("9999999999999.99"))], "2026-03-01")
        self.assertEqual(income["months"][0]["total"], "9999999999999.99")
        self.assertEqual(run([row("2026-01-01", Decimal("6e12")), row("2026-01-02", Decimal("6e12"))],
                             "2026-03-01")[0]["error"], "sum_too_large")


if __name__ == "__main__":
    unittest.main()

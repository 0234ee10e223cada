"""Dates, amounts and currencies of the reference of income: how they are read and written.

Money is in minor units, as an int or, with more decimals than the currency has, as a Fraction.
"""
import re
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import floor

# ISO 4217: minor digits of the currencies that do not have two
DECIMALS = dict.fromkeys("bif clp djf gnf isk jpy kmf krw pyg rwf ugx uyi vnd vuv xaf xof xpf".split(), 0)
DECIMALS.update(dict.fromkeys("bhd iqd jod kwd lyd omr tnd".split(), 3), clf=4, uyw=4)
SIZE = 10**15  # one more than an amount or a sum may have, in minor units
LARGEST = 2**53 - 1


class Invalid(Exception):
    """An input that is an error: its code, and the row (from 1) and field it is in."""

    def __init__(self, code, field, row=None):
        super().__init__(code, field, row)
        self.found = {"error": code, "field": field}
        if row:
            self.found["row"] = row


class Nil(str):
    """What cannot be known: the reason."""


# Reading

@lru_cache(None)
def read_day(text):
    if not re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def to_day(value, field, row=None):
    """A date of this century as YYYY-MM-DD."""
    day = read_day(value) if isinstance(value, str) else None
    if day is None:
        raise Invalid("invalid_date", field, row)
    return day


def to_decimal(value):
    """A finite number, or decimal text, exactly; else None.

    A number of JSON is a double: it is the shortest decimal that reads back as that double.
    """
    if isinstance(value, str):
        return Decimal(value) if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) else None
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    number = Decimal(value) if isinstance(value, int) else Decimal(repr(float(value)))
    return number if number.is_finite() else None


def to_minor(number, decimals):
    """A Decimal in minor units, exactly."""
    minor = Fraction(number) * 10**decimals
    return minor.numerator if minor.denominator == 1 else minor


def to_amount(value, decimals, field, row=None):
    """Minor units of at most 15 digits, or None for null."""
    if value is None:
        return None
    number = to_decimal(value)
    if number is None or number.adjusted() > 30 or abs(to_minor(number, decimals)) >= SIZE:
        raise Invalid("invalid_amount", field, row)
    return to_minor(number, decimals)


@lru_cache(None)
def normalized_currency(text):
    """Trimmed and lower case."""
    return text.strip(" \t\r\n\v\f").lower()


def to_currency(value):
    """Trimmed, lower case, three letters; else None."""
    text = normalized_currency(value) if isinstance(value, str) else ""
    return text if re.fullmatch(r"[a-z]{3}", text) else None


def decimals_of(currency):
    return DECIMALS.get(currency, 2)


# Writing

def money(minor, currency):
    """Whole minor units as decimal text."""
    return exact_text(Fraction(minor), currency)


def exact_text(value, currency):
    """Minor units as decimal text, of as many decimals as needed and at least the currency's."""
    decimals, value = decimals_of(currency), Fraction(value)
    while value.denominator > 1:
        decimals, value = decimals + 1, value * 10
    digits = str(abs(value.numerator)).rjust(decimals + 1, "0")
    whole, rest = digits[:len(digits) - decimals], digits[len(digits) - decimals:]
    return ("-" if value < 0 else "") + whole + ("." + rest if rest else "")


def put(result, name, value):
    """Sets NAME, or why it is not known."""
    if isinstance(value, Nil):
        result["unknown"][name] = str(value)
    else:
        result[name] = value


def put_money(result, name, value, currency):
    """Sets NAME and NAME_minor, or why they are not known."""
    if isinstance(value, Nil):
        result["unknown"][name] = str(value)
        return
    result[name + "_minor"] = floor(value)
    result[name] = money(floor(value), currency)


def ratio(value):
    """With four decimals."""
    scaled = floor(value * 10000)
    return scaled // 10000 if scaled % 10000 == 0 else scaled / 10000


def put_ratio(result, name, value):
    """Sets NAME with four decimals, or why it is not known."""
    put(result, name, value if isinstance(value, Nil) else ratio(value))


def bounded(value):
    """A quotient, unless it has more digits than a double."""
    return value if abs(floor(value * 10000)) <= LARGEST else Nil("too_large")

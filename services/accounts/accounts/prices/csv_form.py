"""A price list as CSV: `prefix;destination;price;valid_from;valid_until`, one line a rate, prices with a point.

The last two columns may be empty or left out; they are RFC 3339 times. An empty prefix is everything else.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

from accounts.prices.price_list import Rate
from carillon.runtime.clock import parse_rfc3339, rfc3339
from carillon.runtime.money import format_amount, parse_amount
from carillon.sms.tariff import MAX_PREFIX_DIGITS

HEADER = ("prefix", "destination", "price", "valid_from", "valid_until")
_PREFIX = re.compile(rf"[0-9]{{0,{MAX_PREFIX_DIGITS}}}", re.ASCII)
_MOST_ERRORS = 100


class PriceCsvError(Exception):
    """`errors`: (line from 1, what is wrong with it); nothing was taken."""

    def __init__(self, errors: Sequence[tuple[int, str]]) -> None:
        super().__init__(f"line {errors[0][0]}: {errors[0][1]}")
        self.errors = tuple(errors)


def read_rates(text: str) -> list[Rate]:
    """All rates, or `PriceCsvError` with up to 100 lines that are wrong."""
    rates: list[Rate] = []
    errors: list[tuple[int, str]] = []
    seen: set[tuple[str, int | None]] = set()
    for line, row in _rows(text):
        try:
            rate = _rate(row)
            if (rate.prefix, rate.valid_from) in seen:
                raise ValueError(f"prefix {rate.prefix or '(empty)'} has another rate from the same moment")
        except ValueError as error:
            errors.append((line, str(error)))
            if len(errors) == _MOST_ERRORS:
                break
        else:
            seen.add((rate.prefix, rate.valid_from))
            rates.append(rate)
    if not rates and not errors:
        errors.append((1, "there is no rate in it"))
    if errors:
        raise PriceCsvError(errors)
    return rates


def write_rates(rates: Iterable[Rate]) -> Iterator[str]:
    """Header and lines, each with its line end."""
    yield ";".join(HEADER) + "\r\n"
    for rate in rates:
        buffer = io.StringIO()
        price = format_amount(rate.micros, decimals=4)
        csv.writer(buffer, delimiter=";").writerow(
            (rate.prefix, rate.destination, price, _time(rate.valid_from), _time(rate.valid_until))
        )
        yield buffer.getvalue()


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";")
    try:
        for row in reader:
            blank = not any(cell.strip() for cell in row)
            header = reader.line_num == 1 and [cell.strip().lower() for cell in row[:3]] == list(HEADER[:3])
            if not blank and not header:
                yield reader.line_num, row
    except csv.Error as error:
        raise PriceCsvError([(reader.line_num, f"not CSV: {error}")]) from error


def _rate(row: Sequence[str]) -> Rate:
    if not 3 <= len(row) <= len(HEADER):
        raise ValueError(f"{len(row)} columns; expected {';'.join(HEADER)}")
    prefix, destination, price, valid_from, valid_until = (cell.strip() for cell in [*row, "", ""][: len(HEADER)])
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"prefix {prefix!r} is not at most {MAX_PREFIX_DIGITS} digits")
    micros = parse_amount(price)
    if micros < 0:
        raise ValueError("a price below zero")
    begin = parse_rfc3339(valid_from) if valid_from else None
    end = parse_rfc3339(valid_until) if valid_until else None
    if begin is not None and end is not None and end <= begin:
        raise ValueError("valid_until is not after valid_from")
    return Rate(prefix=prefix, destination=destination, micros=micros, valid_from=begin, valid_until=end)


def _time(millis: int | None) -> str:
    return "" if millis is None else rfc3339(millis)

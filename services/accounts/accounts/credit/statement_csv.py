"""A statement as CSV: `record;date;kind;country;messages;parts;amount;currency`, amounts exact and with a point."""

import csv
import io

from accounts.credit.statement import Statement
from carillon.runtime.money import format_amount

HEADER = ("record", "date", "kind", "country", "messages", "parts", "amount", "currency")


def statement_csv(statement: Statement) -> str:
    """`opening`, one `movement` a day and kind, `closing`; then one `destination` a country, which repeats captures."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=";")
    writer.writerow(HEADER)

    def amount(micros: int) -> tuple[str, str]:
        return format_amount(micros), statement.currency

    writer.writerow(("opening", statement.first_day, "", "", "", "", *amount(statement.opening)))
    for row in statement.movements:
        writer.writerow(("movement", row.day, row.kind, "", "", "", *amount(row.micros)))
    writer.writerow(("closing", statement.last_day, "", "", "", "", *amount(statement.closing)))
    for to in statement.destinations:
        counted = (to.country, to.messages, to.parts)
        writer.writerow(("destination", "", "capture", *counted, *amount(-to.micros)))
    return buffer.getvalue()

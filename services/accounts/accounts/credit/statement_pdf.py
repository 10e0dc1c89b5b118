"""A statement as PDF, in English or French, A4, with the fonts that every reader has (Windows-1252 without the euro).

Amounts are exact: micro-units are shown where there are any.
"""

from collections.abc import Sequence
from typing import Final, Literal

from fpdf import FPDF

from accounts.credit.statement import Statement
from carillon.runtime.money import format_amount

Language = Literal["en", "fr"]

_WORDS: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "title": "Credit statement", "account": "Account", "period": "Period", "to": "to", "utc": "days of UTC",
        "opening": "Opening balance", "closing": "Closing balance", "movements": "Movements",
        "destinations": "Messages by destination", "day": "Day", "kind": "Kind", "amount": "Amount",
        "country": "Country", "messages": "Messages", "parts": "Parts", "none": "None in this period.",
        "topup": "Top-up", "refund": "Refund or dispute", "adjustment": "Adjustment", "capture": "Messages",
        "unknown": "unknown", "page": "Page",
    },
    "fr": {
        "title": "Relevé de crédit", "account": "Compte", "period": "Période", "to": "au", "utc": "jours UTC",
        "opening": "Solde d'ouverture", "closing": "Solde de clôture", "movements": "Mouvements",
        "destinations": "Messages par destination", "day": "Jour", "kind": "Nature", "amount": "Montant",
        "country": "Pays", "messages": "Messages", "parts": "Segments", "none": "Aucun sur cette période.",
        "topup": "Rechargement", "refund": "Remboursement ou litige", "adjustment": "Ajustement",
        "capture": "Messages", "unknown": "inconnu", "page": "Page",
    },
}  # fmt: skip
_NO_BREAK: Final = "\N{NO-BREAK SPACE}"


class _Page(FPDF):
    """A4 with its number at the foot."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self._word = word

    def footer(self) -> None:
        self.set_y(-15)
        self.set_font("Helvetica", size=8)
        self.cell(0, 10, f"{self._word} {self.page_no()}/{{nb}}", align="C")


def statement_pdf(statement: Statement, language: Language) -> bytes:
    """The file. It takes some milliseconds: not for the event loop."""
    words = _WORDS[language]
    page = _Page(words["page"])
    page.set_title(f"{words['title']} {statement.month}")
    page.set_lang(language)
    page.add_page()
    page.set_font("Helvetica", "B", 16)
    page.cell(0, 10, words["title"], new_x="LMARGIN", new_y="NEXT")
    page.set_font("Helvetica", size=10)
    period = f"{statement.first_day} {words['to']} {statement.last_day} ({words['utc']})"
    for name, value in (
        (words["account"], f"{statement.account_name} ({statement.account})"),
        (words["period"], period),
        (words["opening"], amount(statement.opening, statement.currency, language)),
        (words["closing"], amount(statement.closing, statement.currency, language)),
    ):
        page.multi_cell(0, 6, _latin(f"{name}: {value}"), new_x="LMARGIN", new_y="NEXT")
    movements = [
        (row.day, words.get(row.kind, row.kind), amount(row.micros, statement.currency, language))
        for row in statement.movements
    ]
    _table(page, words["movements"], [words[name] for name in ("day", "kind", "amount")], movements, words["none"])
    destinations = [
        (
            to.country or words["unknown"], _grouped(to.messages, language), _grouped(to.parts, language),
            amount(-to.micros, statement.currency, language),
        )
        for to in statement.destinations
    ]  # fmt: skip
    heads = [words[name] for name in ("country", "messages", "parts", "amount")]
    _table(page, words["destinations"], heads, destinations, words["none"])
    return bytes(page.output())


def amount(micros: int, currency: str, language: Language) -> str:
    """`-1,234.50 EUR`, in French `-1 234,50 EUR` with spaces that do not break."""
    whole, _, fraction = format_amount(abs(micros)).partition(".")
    point = "," if language == "fr" else "."
    sign = "-" if micros < 0 else ""
    return f"{sign}{_grouped(int(whole), language)}{point}{fraction}{_NO_BREAK}{currency}"


def _grouped(number: int, language: Language) -> str:
    return f"{number:,}".replace(",", _NO_BREAK if language == "fr" else ",")


def _table(page: FPDF, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], none: str) -> None:
    page.ln(4)
    page.set_font("Helvetica", "B", 12)
    page.cell(0, 8, title, new_x="LMARGIN", new_y="NEXT")
    page.set_font("Helvetica", size=9)
    if not rows:
        page.cell(0, 6, none, new_x="LMARGIN", new_y="NEXT")
        return
    align = ("LEFT", *("LEFT" if len(heads) == 3 and place == 0 else "RIGHT" for place in range(len(heads) - 1)))
    with page.table(text_align=align, line_height=6) as table:
        for values in (heads, *rows):
            row = table.row()
            for value in values:
                row.cell(_latin(value))


def _latin(text: str) -> str:
    """What the built-in fonts can show; a question mark for the rest (the account's id is beside its name)."""
    return text.encode("latin-1", "replace").decode("latin-1")

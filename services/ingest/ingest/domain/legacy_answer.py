"""The legacy door's words: one line for every refusal, nothing revealed to who is not authorised."""

from typing import Final

from ingest.domain.refusal import CONTENT_EMPTY, NUMBER_EMPTY, NUMBER_NOT_NUMERIC

NOT_AUTHORISED: Final = "KO - not authorised IP"
REJECTED: Final = "KO - SMS rejected"

_LINES: Final[dict[str, str]] = {
    "not_authorised": NOT_AUTHORISED,
    NUMBER_EMPTY: "KO - Empty number parameter",
    NUMBER_NOT_NUMERIC: "KO - Not numeric number parameter",
    CONTENT_EMPTY: "KO - Empty content parameter",
}
LINES: Final = frozenset(_LINES.values()) | {REJECTED}


def ko_line(code: str) -> str:
    """The line of the contract for a reason."""
    return _LINES.get(code, REJECTED)

"""Delivery reports: what an operator says became of one part. Tolerant, and it never raises.

SMPP 3.4 appendix B gives the text `id:I sub:S dlvrd:D submit date:D done date:D stat:S err:E text:T`;
operators leave fields out, add seconds, write `Text:`, put commas. The TLVs receipted_message_id,
message_state and network_error_code (clauses 5.3.2.12, .35, .31) say the same in binary and are preferred.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct

from carillon.sms.operator_errors import NO_ERROR, report_error

ReportState = Literal["delivered", "undelivered", "expired", "deleted", "rejected", "unknown", "enroute", "accepted"]

# SMPP 3.4 appendix B, table B-2; then what operators write instead.
STATES: Final[dict[str, ReportState]] = {
    "DELIVRD": "delivered",
    "EXPIRED": "expired",
    "DELETED": "deleted",
    "UNDELIV": "undelivered",
    "ACCEPTD": "accepted",
    "UNKNOWN": "unknown",
    "REJECTD": "rejected",
    "ENROUTE": "enroute",
    "DELIVERED": "delivered",
    "DELIVERD": "delivered",
    "UNDELIVERABLE": "undelivered",
    "UNDELIVERED": "undelivered",
    "UNDELIVRD": "undelivered",
    "FAILED": "undelivered",
    "ACCEPTED": "accepted",
    "REJECTED": "rejected",
    "SKIPPED": "rejected",
    "BUFFERED": "enroute",
    "BUFFRED": "enroute",
    "SCHEDULED": "enroute",
}

# message_state: SMPP 3.4 clause 5.2.28; 0 (scheduled) and 9 (skipped) are of SMPP 5.0 clause 4.7.15.
STATE_CODES: Final[dict[int, ReportState]] = {
    0: "enroute",
    1: "enroute",
    2: "delivered",
    3: "expired",
    4: "deleted",
    5: "undelivered",
    6: "accepted",
    7: "unknown",
    8: "rejected",
    9: "rejected",
}

_USUAL: Final = re.compile(
    r"id:(\S+) sub:\S* dlvrd:\S* submit date:\d* done date:(\d*) stat:([A-Z]+) err:([0-9A-Za-z]*)(?: |\Z)",
    re.ASCII,
)
# Any order, any separator; `date` alone is not a field, "submit date" and "done date" are.
_FIELD: Final = re.compile(
    r"\b(id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat|err|text)\s*[:=][^\S\n]*([^\s,;]*)",
    re.ASCII | re.IGNORECASE,
)
_REF_SHAPE: Final = re.compile(r"[!-~]{1,65}", re.ASCII)
_ERROR_SHAPE: Final = re.compile(r"[0-9A-Za-z_.-]{1,32}", re.ASCII)


class Report(Struct, frozen=True, gc=False):
    """One report. `ref` is the operator's id as it came (empty if there was none).

    `raw_error` is the operator's code unless it says "none", `error` its stable word. `done_at` is in
    milliseconds since 1970 and takes the operator's clock as UTC, less `utc_offset_s`.
    """

    ref: str
    state: ReportState
    raw_error: str | None = None
    error: str | None = None
    done_at: int | None = None


def parse_report(
    text: bytes | str,
    *,
    receipted_id: str | bytes | None = None,
    message_state: int | None = None,
    network_error: bytes | None = None,
    errors: Mapping[str, str] | None = None,
    utc_offset_s: int = 0,
) -> Report:
    """Read a report's text (short_message or message_payload) and its TLVs, which win if they say something.

    `network_error` is the three octets of the TLV: network type and code. `errors` is the operator's own
    table. A report without a readable state is `unknown`, which is not final.
    """
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    usual = _USUAL.match(text)
    if usual is not None:
        ref, done, state_word, raw_error = usual.groups()
    else:
        ref, done, state_word, raw_error = _fields(text)
    if receipted_id:
        ref = _ref_of(receipted_id) or ref
    state = STATE_CODES.get(message_state) if message_state is not None else None
    if state is None:
        state = STATES.get(state_word) or STATES.get(state_word.upper(), "unknown")
    if network_error is not None and len(network_error) == 3 and any(network_error[1:]):
        raw_error = f"{int.from_bytes(network_error[1:], 'big'):03d}"
    if raw_error.lstrip("0") in NO_ERROR:
        return Report(ref, state, None, None, _done_at(done, utc_offset_s))
    return Report(ref, state, raw_error, report_error(raw_error, errors), _done_at(done, utc_offset_s))


def is_report_text(text: bytes | str) -> bool:
    """Whether a deliver_sm that does not say so is a report all the same: it has an id and a state."""
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    ref, _, state_word, _ = _fields(text)
    return bool(ref) and state_word.upper() in STATES


def _fields(text: str) -> tuple[str, str, str, str]:
    """Give id, done date, state, error of an unusual text: the first of each, and nothing after `text:`."""
    found: dict[str, str] = {}
    for field in _FIELD.finditer(text):
        name = field[1].lower().replace(" ", "").replace("_", "")
        if name == "text":
            break
        found.setdefault(name, field[2])
    ref = found.get("id", "")
    error = found.get("err", "")
    return (
        ref if _REF_SHAPE.fullmatch(ref) else "",
        found.get("donedate", ""),
        found.get("stat", ""),
        error if _ERROR_SHAPE.fullmatch(error) else "",
    )


def _ref_of(value: str | bytes) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    value = value.strip("\0 ")
    return value if _REF_SHAPE.fullmatch(value) else ""


@lru_cache(maxsize=4096)
def _done_at(digits: str, utc_offset_s: int) -> int | None:
    """Milliseconds of YYMMDDhhmm, YYMMDDhhmmss or YYYYMMDDhhmmss; None for anything else."""
    if len(digits) in (10, 12):
        digits = "20" + digits
    if len(digits) not in (12, 14) or not (digits.isascii() and digits.isdigit()):
        return None
    month, day, hour, minute, second = (int(digits[at : at + 2] or "0") for at in range(4, 14, 2))
    try:
        moment = datetime(int(digits[:4]), month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp() - utc_offset_s) * 1000

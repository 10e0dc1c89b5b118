"""What becomes of a message: by the last four digits of its number, so that anybody can ask for any fate.

Statuses are SMPP 3.4, 5.1.3; words and states of reports are its appendix B and 5.2.28.
"""

from typing import Final

from msgspec import Struct

from carillon.smpp.constants import MessageState, Status


class Outcome(Struct, frozen=True):
    """A final state as reports say it: `word` in the text, `state` and `network_error` in the optional parameters."""

    name: str
    word: bytes
    state: MessageState
    error: bytes = b"000"
    network_error: bytes = b"\x03\x00\x00"  # 5.3.2.31: 3 is GSM, then the code

    @property
    def failed(self) -> bool:
        """Whether the handset did not get it."""
        return self.state is not MessageState.DELIVERED


DELIVERED: Final = Outcome("delivered", b"DELIVRD", MessageState.DELIVERED)
ABSENT: Final = Outcome("undelivered", b"UNDELIV", MessageState.UNDELIVERABLE, b"001", b"\x03\x00\x1b")
UNDELIVERED: Final = Outcome("undelivered", b"UNDELIV", MessageState.UNDELIVERABLE, b"034", b"\x03\x00\x22")
EXPIRED: Final = Outcome("expired", b"EXPIRED", MessageState.EXPIRED, b"003", b"\x03\x00\x03")
REJECTED: Final = Outcome("rejected", b"REJECTD", MessageState.REJECTED, b"008", b"\x03\x00\x08")
ENROUTE: Final = Outcome("enroute", b"ENROUTE", MessageState.ENROUTE)

LATE_S: Final = 60.0


class Rule(Struct, frozen=True):
    """The fate of the numbers that end in `ending`, in words for its page and in fields for the operator.

    `refusal` answers the first `refused_tries` tries of a message, every one when that is 0. `reports` is how many
    times its final report is sent.
    """

    ending: str
    meaning: str
    outcome: Outcome = DELIVERED
    refusal: int = 0
    refused_tries: int = 0
    reports: int = 1
    extra_delay_s: float = 0.0
    report_first: bool = False
    answered: bool = True
    intermediate: bool = False


ORDINARY: Final = Rule("", "delivered")

RULES: Final = (
    Rule("0001", "undelivered: the subscriber is absent", outcome=ABSENT),
    Rule("0002", "expired", outcome=EXPIRED),
    Rule("0003", "accepted, on the handset, and never a report", reports=0),
    Rule(
        "0004", "throttled (0x58) for the first three tries, then delivered", refusal=Status.THROTTLED, refused_tries=3
    ),
    Rule("0005", f"delivered, reported {LATE_S:.0f} s late", extra_delay_s=LATE_S),
    Rule("0006", "refused for good: invalid destination (0x0B)", refusal=Status.INVDSTADR),
    Rule("0007", "delivered, reported twice", reports=2),
    Rule("0008", "delivered, reported before the submit is answered", report_first=True),
    Rule("0009", "rejected after it was accepted", outcome=REJECTED),
    Rule("0010", "system error (0x08) on the first try, then delivered", refusal=Status.SYSERR, refused_tries=1),
    Rule("0011", "queue full (0x14) on the first try, then delivered", refusal=Status.MSGQFUL, refused_tries=1),
    Rule("0012", "delivered and reported, and the submit is never answered", answered=False),
    Rule("0013", "reported as on its way (ENROUTE), then delivered", intermediate=True),
)
_BY_ENDING: Final = {rule.ending: rule for rule in RULES}


def rule_for(number: str) -> Rule:
    """The rule of a number; most are `ORDINARY`."""
    return _BY_ENDING.get(number[-4:], ORDINARY)

"""The one shape of every connector, and the closed set of answers that it may give."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from carillon.events.message import Accepted
from carillon.events.report import InboundReceived, ReportReceived
from carillon.sms.payloads import Payload

AnswerKind = Literal["taken", "throttled", "temporary", "refused", "unanswered"]


@dataclass(frozen=True, slots=True)
class OutgoingPart:
    """One part of a message, ready to be written in the operator's protocol. `place` counts from 1."""

    message: Accepted
    place: int
    payload: Payload
    text: str | None
    expires_in_s: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a submit.

    taken: the operator has it, under `ref`. throttled: too fast or full, try again here. temporary: not here and now.
    refused: never. unanswered: it left and no answer came; nobody knows.
    """

    kind: AnswerKind
    ref: str | None = None
    code: str | None = None
    detail: str | None = None


OnAnswer = Callable[[Answer], None]
Acknowledge = Callable[[bool], None]


class Inbox(Protocol):
    """Where a connector hands over what an operator sends. `acknowledge(True)` is called when it is durable."""

    def report(self, report: ReportReceived, acknowledge: Acknowledge) -> None:
        """A delivery report."""
        ...

    def inbound(self, inbound: InboundReceived, acknowledge: Acknowledge) -> None:
        """An SMS from a handset; the connector leaves `id` at 1, the inbox gives the real one."""
        ...


class Connector(Protocol):
    """A way to one operator, through however many binds this process holds."""

    on_room: Callable[[], None]

    async def hold(self, numbers: set[int], grace_s: float) -> None:
        """Keep these binds open (numbers from 0), and no others.

        Opening goes on in the background. A bind that is let go takes nothing more, waits for the answers that are
        due, at most `grace_s`, and is closed when this returns; what was not answered by then is `unanswered`.
        """
        ...

    def room(self) -> int:
        """Parts that can leave at once. 0 while there is no bind. `on_room` is called when it grows."""
        ...

    def window(self) -> int:
        """Parts that can be unanswered at once, over the binds that are up."""
        ...

    def submit(self, part: OutgoingPart, on_answer: OnAnswer) -> None:
        """Send. Only called while there is room. `on_answer` is called exactly once."""
        ...

    def binds_up(self) -> int:
        """Binds (or the like) that work now."""
        ...

"""One message at one operator: its parts, what is still to be sent, and what has been answered."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from carillon.events.message import Accepted, Routed
from carillon.sms.payloads import Payload
from dispatcher.store import journal_key


class Batch:
    """The messages of one call of the queue's handler. `done` is set when each has come to its end here."""

    def __init__(self, size: int) -> None:
        self._left = size
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not size:
            self.done.set_result(None)

    def one_done(self) -> None:
        """One message has come to its end here."""
        self._left -= 1
        if not self._left and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: BaseException) -> None:
        """The bus hands the batch over again; reservations keep it from being sent twice."""
        if not self.done.done():
            self.done.set_exception(error)


@dataclass(slots=True, eq=False)
class Job:
    """`batches`: whoever waits for it, more than one when the broker delivered it again meanwhile.

    `key` is its key in the journal. `waiting`: places (from 1) still to be sent. `unanswered`: how many are out.
    `unsaid`: events not yet confirmed. `gave_up`: the operator could not take a part; what is left is tried elsewhere,
    or here again if it `stays`. `begun`: an operator has, or may have, a part of it.
    """

    routed: Routed
    batches: list[Batch]
    redelivered: bool
    on_end: Callable[["Job"], None]
    message: Accepted = field(init=False)
    key: str = field(init=False)
    payloads: tuple[Payload, ...] = ()
    texts: tuple[str | None, ...] = ()
    waiting: list[int] = field(default_factory=list)
    done_places: list[int] = field(default_factory=list)
    unanswered: int = 0
    unsaid: int = 0
    gave_up: bool = False
    stays: bool = False
    refused: bool = False
    begun: bool = False
    ended: bool = False

    def __post_init__(self) -> None:
        self.message = self.routed.message
        self.begun = bool(self.routed.parts_done)
        self.key = journal_key(self.message.id, self.routed.attempt)

    def give_up(self, *, stays: bool) -> None:
        """Send no more of it here."""
        self.waiting.clear()
        self.gave_up = True
        self.stays = stays

    def said(self, error: BaseException | None) -> None:
        """An event of this job was confirmed, or could not be: then whoever waits handles it again."""
        self.unsaid -= 1
        if error is not None:
            self.fail(error)
        self.end_if_complete()

    def fail(self, error: BaseException) -> None:
        """It could not be reserved or said."""
        for batch in self.batches:
            batch.fail(error)

    def end_if_complete(self) -> None:
        """Tell the batches, once, when nothing is left to send, to be answered or to be confirmed."""
        if not (self.ended or self.waiting or self.unanswered or self.unsaid or self.gave_up):
            self.ended = True
            self.on_end(self)
            for batch in self.batches:
                batch.one_done()

"""The messages that this process has just recorded and that have not ended: their reports need no read.

Only what cannot mislead is answered from here: messages of one part, whose submission and report entail a status by
themselves, whatever other processes have written meanwhile.
"""

from collections import OrderedDict

from receipt.domain.milestones import Milestones
from receipt.domain.news import News
from receipt.store.histories import Known, Place


class Recent:
    """Holds at most `size` messages, about 1 kB each; the oldest make room."""

    def __init__(self, size: int = 20_000) -> None:
        self._size = size
        # a plain dict is slow to find its first item once many before it were deleted
        self._known: OrderedDict[int, Known] = OrderedDict()
        self._places: dict[str, Place] = {}

    def place(self, ref: str) -> Place | None:
        """Where an `operator:ref` belongs."""
        return self._places.get(ref)

    def known_for(self, news: News) -> Known | None:
        """The message, if this news can be told without a look at the database."""
        milestones = news.milestones
        if milestones.doubts or milestones.refused or milestones.cancelled or milestones.lost or news.accepted:
            return None
        return self._known.get(news.id)

    def remember(self, known: Known, refs: dict[str, int]) -> None:
        """After it was said: a new message, or one that has moved on. One that has ended is forgotten."""
        id_ = known.facts.id
        if known.facts.parts > 1 or _has_ended(known.milestones):
            self.forget(id_)
            return
        if id_ not in self._known and len(self._known) >= self._size:
            self.forget(next(iter(self._known)))
        self._known[id_] = known
        for ref, part in refs.items():
            self._places[ref] = Place(id_, part)

    def forget(self, id_: int) -> None:
        """It has ended, or this process no longer knows all about it."""
        known = self._known.pop(id_, None)
        if known is not None:
            for submission in known.milestones.submitted.values():
                self._places.pop(f"{submission.operator}:{submission.ref}", None)


def _has_ended(milestones: Milestones) -> bool:
    return bool(milestones.finals or milestones.refused or milestones.cancelled)

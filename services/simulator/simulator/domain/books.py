"""All that the simulator remembers of messages, forgotten together."""

from simulator.domain.counters import Counters, Peak
from simulator.domain.handsets import Handsets
from simulator.domain.repeats import Repeats


class Books:
    """Counters, the peak rate, the handsets, and what was accepted before."""

    def __init__(self, kept_messages: int) -> None:
        self._kept_messages = kept_messages
        self.forget()

    def forget(self) -> None:
        """Begin anew; who holds the old `counters` can tell."""
        self.counters = Counters()
        self.peak = Peak()
        self.handsets = Handsets(self._kept_messages)
        self.repeats = Repeats()

"""One client: its calls in order per message, its batches, and whether it may be called directly now.

A lane is an account's receipts to one origin. Whatever a lane does, others do not wait for it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

from carillon.events.message import StatusChanged
from carillon.runtime.clock import Clock
from carillon.telemetry import metrics, names, traces
from receipt.callbacks.client import Connector, Outcome
from receipt.callbacks.forms import request_of
from receipt.callbacks.pool import Call, Pool
from receipt.callbacks.targets import Target
from receipt.domain.breaker import Breaker

MAX_BATCH = 500
NOT_BEGUN = Outcome(0, "not begun")  # withdrawn before it was sent, or held behind one that failed


class Telling:
    """One status of one message to be told. `done` is called once it has its `outcome`."""

    __slots__ = ("call", "change", "done", "lane", "outcome", "target")

    def __init__(self, lane: "Lane", target: Target, change: StatusChanged, done: Callable[["Telling"], None]) -> None:
        self.lane = lane
        self.target = target
        self.change = change
        self.done = done
        self.call: Call | None = None
        self.outcome: Outcome | None = None


class Lane:
    """`backlog` says that some of this client's receipts wait in the database."""

    def __init__(self, target: Target, connector: Connector, clock: Clock) -> None:
        self.key = target.lane
        self.breaker = Breaker()
        self.backlog = False
        self.added_s = 0.0
        self._pool = Pool(target.origin, connector)
        self._clock = clock
        self._chains: dict[int, deque[Telling] | None] = {}
        self._gathered: deque[Telling] = deque()
        self._batch: list[Telling] | None = None

    @property
    def is_idle(self) -> bool:
        """Nothing waits and nothing is under way."""
        return not self._chains

    def admits(self) -> bool:
        """Whether one more may be called directly now."""
        return self.breaker.admits(self._clock.monotonic_s())

    def tell(self, telling: Telling) -> None:
        """Call as soon as it is its turn: after what was to be told earlier about the same message."""
        id_ = telling.change.id
        if id_ not in self._chains:
            self._chains[id_] = None
            self._start(telling)
            return
        chain = self._chains[id_]
        if chain is None:
            self._chains[id_] = deque((telling,))
        else:
            chain.append(telling)

    def withdraw(self, telling: Telling) -> None:
        """Take it back if it has not been sent; it then has the outcome `NOT_BEGUN`, as do those behind it."""
        if telling.outcome is not None or (telling.call is not None and telling.call.started):
            return
        chain = self._chains.get(telling.change.id)
        if chain is not None and telling in chain:
            chain.remove(telling)
            telling.outcome = NOT_BEGUN
            telling.done(telling)
            return
        if telling.call is None:
            self._gathered.remove(telling)
        elif self._batch is not None and len(self._batch) > 1:
            self._batch.remove(telling)
        else:
            telling.call.withdrawn = True
            self._batch = None
        self._done(telling, NOT_BEGUN)

    def has_backlog(self) -> None:
        """Something of this client is about to wait in the database."""
        self.backlog = True
        self.added_s = self._clock.monotonic_s()

    def slow(self) -> None:
        """A call has not come back in good time: no more direct calls for a while."""
        self.breaker.trip(self._clock.monotonic_s())

    def close(self) -> None:
        """Let all connections go."""
        self._pool.close()

    def _start(self, telling: Telling) -> None:
        if telling.target.form == "json-batch":
            self._gathered.append(telling)
            if self._batch is None:
                self._call_batch()
            return
        told = partial(self._told, telling)
        if telling.change.trace is not None:
            telling.call = Call(partial(self._write, (telling,)), _traced((telling,), told))
        else:
            telling.call = Call(partial(self._write, (telling,)), told)
        self._pool.put(telling.call)

    def _call_batch(self) -> None:
        """One call for all that waits for the same URL. One at a time: what comes meanwhile makes the next one."""
        if not self._gathered:
            return
        target = self._gathered[0].target
        batch: list[Telling] = []
        while self._gathered and len(batch) < MAX_BATCH and self._gathered[0].target is target:
            batch.append(self._gathered.popleft())
        call = Call(partial(self._write, batch), _traced(batch, partial(self._told_batch, batch)))
        for telling in batch:
            telling.call = call
        self._batch = batch
        self._pool.put(call)

    def _write(self, tellings: Sequence[Telling]) -> bytes:
        return request_of(tellings[0].target, [telling.change for telling in tellings], self._clock.now_ms())

    def _told(self, telling: Telling, outcome: Outcome) -> None:
        self._note(telling.target, outcome)
        self._done(telling, outcome)

    def _told_batch(self, batch: list[Telling], outcome: Outcome) -> None:
        self._note(batch[0].target, outcome)
        self._batch = None
        for telling in batch:
            self._done(telling, outcome)
        if self._batch is None:
            self._call_batch()

    def _note(self, target: Target, outcome: Outcome) -> None:
        self.breaker.note(outcome.status, outcome.took_ms, outcome.retry_after_s, self._clock.monotonic_s())
        metrics.record_callback(target.form, _word(outcome), outcome.took_ms / 1000)

    def _done(self, telling: Telling, outcome: Outcome) -> None:
        telling.outcome = outcome
        chain = self._chains.pop(telling.change.id)
        if chain:
            if outcome.ok:
                self._chains[telling.change.id] = chain
                self._start(chain.popleft())
            else:
                for behind in chain:
                    behind.outcome = NOT_BEGUN
                    behind.done(behind)
        telling.done(telling)


def _traced(tellings: Sequence[Telling], told: Callable[[Outcome], None]) -> Callable[[Outcome], None]:
    """In each sampled trace, a span from now, where the call waits for a connection, to its answer."""
    sampled = {telling.change.trace for telling in tellings if telling.change.trace is not None}
    if not sampled:
        return told
    begun = [traces.begin(names.CALLBACK_CALL, trace) for trace in islice(sampled, traces.MAX_JOINED_TRACES)]
    spans = [span for span in begun if span is not None]

    def ended(outcome: Outcome) -> None:
        for span in spans:
            span.set_attribute(names.OUTCOME, _word(outcome))
            span.end()
        told(outcome)

    return ended


def _word(outcome: Outcome) -> str:
    """Outcome as a label of the metric."""
    if outcome.ok:
        return "ok"
    if outcome.status == 410:
        return "gone"
    if outcome.status:
        return "refused"
    if "public internet" in outcome.error:
        return "forbidden"
    return "timeout" if outcome.error.startswith("no answer within") else "unreachable"

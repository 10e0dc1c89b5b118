"""`lost`: no final report by the account's deadline. A later report corrects it.

Ids are time-ordered, so a deadline is an id: each sweep looks once at the messages between the last deadline and the
new one. One process sweeps at a time (a lease); if two did, both would say the same.
"""

from collections.abc import Iterable

from carillon.copies import AccountCopy
from carillon.mongo import Document
from carillon.mongo.leases import Lease, Leases
from carillon.runtime.clock import Clock
from carillon.runtime.ids import first_id_at, time_ms_of
from receipt.announcer import Announcer, Said
from receipt.domain.changes import changes
from receipt.domain.milestones import Milestones, without
from receipt.domain.news import News
from receipt.domain.status import ENDED, status_of
from receipt.store.message_documents import facts_of, milestones_of
from receipt.store.messages import MessageStore
from receipt.store.sweeps import SweepStore

_BATCH = 500
_DEFAULT_LOST_AFTER_S = 259_200


class LostSweeper:
    """`sweep()` is one round over all accounts."""

    def __init__(
        self,
        messages: MessageStore,
        sweeps: SweepStore,
        announcer: Announcer,
        accounts: AccountCopy,
        leases: Leases,
        clock: Clock,
    ) -> None:
        self._messages = messages
        self._sweeps = sweeps
        self._announcer = announcer
        self._accounts = accounts
        self._leases = leases
        self._lease: Lease | None = None
        self._clock = clock

    async def sweep(self) -> int:
        """How many messages were found lost; 0 as well where another process holds the lease."""
        if self._lease is None or not await self._leases.renew(self._lease):
            self._lease = await self._leases.acquire("lost")
        if self._lease is None:
            return 0
        count = 0
        for account in list(self._accounts.all()):
            count += await self._sweep_account(account.id, account.lost_after_s * 1000)
        return count

    async def look_back(self, news: Iterable[News]) -> None:
        """Messages whose acceptance comes to us after their deadline: the sweep has passed them already."""
        now_ms = self._clock.now_ms()
        oldest: dict[str, int] = {}
        for item in news:
            if item.accepted is not None:
                account = item.accepted.account
                oldest[account] = min(item.id, oldest.get(account, item.id))
        for account, id_ in oldest.items():
            if time_ms_of(id_) + self._lost_after_ms(account) <= now_ms:
                await self._sweeps.look_back(_name(account), id_ - 1)

    def _lost_after_ms(self, account: str) -> int:
        known = self._accounts.by_id(account)
        return (known.lost_after_s if known is not None else _DEFAULT_LOST_AFTER_S) * 1000

    async def _sweep_account(self, account: str, lost_after_ms: int) -> int:
        name = _name(account)
        deadline = first_id_at(self._clock.now_ms() - lost_after_ms)
        since = await self._sweeps.until(name)
        count = 0
        while since < deadline:
            documents = await self._messages.unended(account, since, deadline, _BATCH)
            until = documents[-1]["_id"] if len(documents) == _BATCH else deadline
            count += await self._lose(documents, lost_after_ms)
            if not await self._sweeps.advance(name, since, until):
                break
            since = until
        return count

    async def _lose(self, documents: list[Document], lost_after_ms: int) -> int:
        """Mark what has not ended, read it again (a report may just have come), and say what is lost now."""
        lost: dict[int, Milestones] = {}
        for document in documents:
            if status_of(milestones_of(document), document["parts"]) not in ENDED:
                lost[document["_id"]] = Milestones(lost=time_ms_of(document["_id"]) + lost_after_ms)
        if not lost:
            return 0
        await self._messages.merge([News(id_, milestones) for id_, milestones in lost.items()])
        said: list[Said] = []
        for document in (await self._messages.by_ids(lost)).values():
            after = milestones_of(document)
            own = Milestones(lost=after.lost)
            said += [
                (change, document["country"])
                for change in changes(facts_of(document), without(after, own), after)
                if change.status == "lost"
            ]
        await self._announcer.say(said)
        return len(said)


def _name(account: str) -> str:
    return f"lost:{account}"

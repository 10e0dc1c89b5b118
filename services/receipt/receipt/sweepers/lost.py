"""`lost`: no final report by the account's deadline. A later report corrects it.

Ids are time-ordered, so a deadline is an id: each sweep looks once at the messages between the last deadline and the
new one. What was sent well after its id was made has a moment of its own, and is swept by that. One process sweeps at
a time (a lease); if two did, both would say the same.
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
from receipt.domain.status import ENDED, chain_of, status_of
from receipt.store import Stores
from receipt.store.stats import Hour, hour_of

_BATCH = 500
_DEFAULT_LOST_AFTER_S = 259_200
_ENDS = frozenset({"refused", "cancelled"})
_NONE: frozenset[str] = frozenset()


class LostSweeper:
    """`sweep()` is one round over all accounts."""

    def __init__(
        self, stores: Stores, announcer: Announcer, accounts: AccountCopy, leases: Leases, clock: Clock
    ) -> None:
        self._messages = stores.messages
        self._additions = stores.additions
        self._histories = stores.histories
        self._sweeps = stores.sweeps
        self._stats = stores.stats
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
            count += await self._sweep_due(account.id, account.lost_after_s * 1000)
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
            until = int(documents[-1]["_id"]) if len(documents) == _BATCH else deadline
            count += await self._lose(
                {id_: time_ms_of(id_) for id_ in await self._open_among(documents)}, lost_after_ms
            )
            if not await self._sweeps.advance(name, since, until):
                break
            since = until
        return count

    async def _sweep_due(self, account: str, lost_after_ms: int) -> int:
        name = f"lost due:{account}"
        deadline = self._clock.now_ms() - lost_after_ms
        since = await self._sweeps.until(name)
        count = 0
        async for moments in self._messages.due_between(account, since, deadline, _BATCH):
            count += await self._lose(moments, lost_after_ms)
        await self._sweeps.advance(name, since, deadline)
        return count

    async def _open_among(self, documents: list[Document]) -> list[int]:
        """Those that may not have ended, by what the index alone tells."""
        if not documents:
            return []
        kinds = await self._additions.kinds_between(documents[0]["_id"], documents[-1]["_id"])
        return [
            int(document["_id"])
            for document in documents
            if (added := kinds.get(document["_id"], _NONE)).isdisjoint(_ENDS)
            and not all(f"finals.{part}" in added for part in range(1, document["parts"] + 1))
        ]

    async def _lose(self, moments: dict[int, int], lost_after_ms: int) -> int:
        """Mark what has not ended, then look again (a report may just have come), and say what is lost now.

        `moments`: since when each of these messages has been awaited.
        """
        lost = [
            News(id_, Milestones(lost=moments[id_] + lost_after_ms), account=known.facts.account)
            for id_, known in (await self._histories.of(moments)).items()
            if status_of(known.milestones, known.facts.parts) not in ENDED
        ]
        if not lost:
            return 0
        await self._additions.add(lost)
        await self._stats.mark({Hour(news.account, hour_of(news.id)) for news in lost if news.account is not None})
        said: list[Said] = []
        for known in (await self._histories.of(news.id for news in lost)).values():
            after = known.milestones
            before = chain_of(without(after, Milestones(lost=after.lost)), known.facts.parts)
            said += [
                (change, known.country) for change in changes(known.facts, before, after) if change.status == "lost"
            ]
        await self._announcer.say(said)
        return len(said)


def _name(account: str) -> str:
    return f"lost:{account}"

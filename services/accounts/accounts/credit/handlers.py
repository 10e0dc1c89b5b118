"""What happens to credit: a process wants some, messages are charged and settled, leases end."""

from collections.abc import Sequence

import structlog

from accounts.credit.ledger import Charge, Ledger, UnknownLeaseError
from accounts.credit.rules import LEASE_S, ChargeState, settled
from accounts.store import AccountStore
from carillon.bus import Bus, Delivery, Reject
from carillon.events.base import MAX_RECORDS
from carillon.events.catalogue import LEASE_ANSWERED, LEASE_ENDED
from carillon.events.credit import LEASE_LATER, LeaseAnswered, LeaseEnded, LeaseRequested
from carillon.events.message import Accepted, StatusChanged
from carillon.runtime.clock import Clock

log = structlog.get_logger(__name__)

# A process stops spending by its own clock; what it said just before may take the broker's time-out to arrive.
_AFTER_EXPIRY_MS = 60_000


class LendCredit:
    """`credit.lease_requested` -> `credit.lease_answered`. Asked again it answers the same: the lease is known."""

    def __init__(self, ledger: Ledger, accounts: AccountStore, bus: Bus, clock: Clock) -> None:
        self._ledger = ledger
        self._accounts = accounts
        self._bus = bus
        self._clock = clock

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        """Lend one after the other, and answer all at once."""
        answers: list[LeaseAnswered] = []
        for delivery in deliveries:
            for asked in delivery.records:
                assert isinstance(asked, LeaseRequested)
                answers.append(await self._answer(asked))
        await self._bus.publish(LEASE_ANSWERED, answers)

    async def _answer(self, asked: LeaseRequested) -> LeaseAnswered:
        account = await self._accounts.find(asked.account)
        micros = 0
        if account is not None and account.state == "active":
            micros = await self._ledger.lend(asked, account.currency, self._clock.now_ms())
        return LeaseAnswered(
            lease=asked.lease, account=asked.account, process=asked.process, granted_micros=micros, lasts_s=LEASE_S
        )


class SettleCharges:
    """`message.accepted`, `message.status` and `credit.lease_ended`, a batch in one transaction."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        """Messages without a lease cost nothing here: their accounts are not prepaid.

        A status of a message that was paid at its release does not name the lease: its charge is looked up, and one
        that was never charged (cancelled, or refused for want of credit) has none.
        """
        charges: dict[int, Charge] = {}
        states: dict[int, ChargeState] = {}
        ended: dict[str, None] = {}
        for delivery in deliveries:
            for record in delivery.records:
                if isinstance(record, LeaseEnded):
                    ended[record.lease] = None
                elif isinstance(record, Accepted | StatusChanged) and record.lease_id is not None:
                    if record.lease_id != LEASE_LATER:
                        charges.setdefault(record.id, _charge(record))
                    if isinstance(record, StatusChanged) and record.id not in states:
                        state = settled(record.status, record.previous)
                        if state is not None:
                            states[record.id] = state
        charges |= await self._ledger.charges(states.keys() - charges.keys())
        states = {id_: state for id_, state in states.items() if id_ in charges}
        try:
            await self._ledger.settle(charges, states, ended, self._clock.now_ms())
        except UnknownLeaseError as error:
            raise Reject(f"no such lease: {error}") from error


class EndExpiredLeases:
    """Leases of processes that are gone: their end is said by the way of the messages, so that it comes after them."""

    def __init__(self, ledger: Ledger, bus: Bus, clock: Clock) -> None:
        self._ledger = ledger
        self._bus = bus
        self._clock = clock

    async def sweep(self) -> None:
        """Said again until it is heard; a lease ends once."""
        now = self._clock.now_ms()
        expired = await self._ledger.expired(now - _AFTER_EXPIRY_MS)
        for begin in range(0, len(expired), MAX_RECORDS):
            batch = expired[begin : begin + MAX_RECORDS]
            log.warning("credit.leases_expired", count=len(batch))
            await self._bus.publish(
                LEASE_ENDED, [LeaseEnded(lease=lease, account=account, at=now) for lease, account in batch]
            )


def _charge(record: Accepted | StatusChanged) -> Charge:
    assert record.lease_id is not None
    return Charge(message=record.id, account=record.account, lease=record.lease_id, micros=record.price_micros or 0)

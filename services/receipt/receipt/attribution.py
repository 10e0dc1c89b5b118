"""Whom an inbound SMS is for: the account that wrote to this handset last.

Several accounts may share the number that people answer to, and the text that a person answers may have come under a
name, as with the French "STOP au 36xxx". So a message that was sent from the very number answered to comes first, then
any other; of several, the newest of the last 30 days.
"""

from collections.abc import Callable, Iterable, Sequence

from carillon.bus import Bus
from carillon.events.account import AccountChanged
from carillon.events.catalogue import INBOUND_ATTRIBUTED
from carillon.events.report import InboundAttributed, InboundReceived
from carillon.runtime.ids import first_id_at
from receipt.store.messages import MessageStore

LOOK_BACK_MS = 30 * 86_400_000


class Attribution:
    """Says each inbound part with its account. Said again, it may be another: the first word counts for listeners."""

    def __init__(self, messages: MessageStore, accounts: Callable[[], Iterable[AccountChanged]], bus: Bus) -> None:
        self._messages = messages
        self._accounts = accounts
        self._bus = bus

    async def say(self, parts: Sequence[InboundReceived]) -> None:
        """Return when it is confirmed."""
        if parts:
            said = [InboundAttributed(inbound=part, account=await self._account_of(part)) for part in parts]
            await self._bus.publish(INBOUND_ATTRIBUTED, said)

    async def _account_of(self, part: InboundReceived) -> str | None:
        accounts = [account.id for account in self._accounts()]
        newest = await self._messages.senders_to(part.number, accounts, first_id_at(part.at - LOOK_BACK_MS))
        to = part.to.lstrip("+")
        exact = next((account for account, sender in newest if sender.lstrip("+") == to), None)
        return exact if exact is not None else next((account for account, _ in newest), None)

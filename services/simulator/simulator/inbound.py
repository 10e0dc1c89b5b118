"""Messages from a handset to a client (MO): cut where they are long, sent, acknowledged."""

import asyncio
import itertools

from carillon.smpp import EsmClass, Npi, ShortMessage, Ton
from carillon.sms.payloads import payloads
from carillon.sms.segments import segment
from simulator.operator import Operator
from simulator.outbox import Inbound, Outbox

ACKNOWLEDGED_WITHIN_S = 30.0

_UDH = int(EsmClass.UDH)


class NobodyBoundError(Exception):
    """No client that can receive is bound."""


class InboundDesk:
    """Sends what the handsets' owners write."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._references = itertools.count(1)

    async def send(self, sender: str, to: str, text: str, system_id: str | None) -> list[int]:
        """The client's command_status for each part; `NobodyBoundError`, `TimeoutError`, `PduError`, `ContentInvalid`.

        Without `system_id`, the first one that is bound. What times out is kept and sent again.
        """
        outbox = self._outbox(system_id)
        parts = [Inbound(message) for message in self._messages(sender, to, text)]
        for part in parts:
            outbox.put(part)
        outbox.pump()
        async with asyncio.timeout(ACKNOWLEDGED_WITHIN_S):
            return [await asyncio.shield(part.acknowledged) for part in parts]

    def _outbox(self, system_id: str | None) -> Outbox:
        outboxes = self._operator.outboxes
        names = outboxes if system_id is None else (system_id,)
        for name in names:
            if name in outboxes and outboxes[name].sessions:
                return outboxes[name]
        raise NobodyBoundError

    def _messages(self, sender: str, to: str, text: str) -> list[ShortMessage]:
        return [
            ShortMessage(
                source_ton=Ton.INTERNATIONAL,
                source_npi=Npi.ISDN,
                source_addr=sender,
                dest_ton=Ton.UNKNOWN,
                dest_npi=Npi.ISDN,
                dest_addr=to,
                esm_class=_UDH if payload.udh else 0,
                data_coding=payload.data_coding,
                short_message=payload.user_data,
            )
            for payload in payloads(segment(text), next(self._references), self._operator.alphabet)
        ]

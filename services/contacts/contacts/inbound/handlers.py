"""What is done when a handset writes: STOP and START take effect at once, unclear texts wait for a person."""

from collections.abc import Sequence

import structlog

from carillon.bus import Delivery
from carillon.events.report import InboundAttributed
from carillon.sms.udh import parse_udh
from contacts.inbound.keywords import wish_of
from contacts.inbound.review import ReviewStore
from contacts.suppressions.domain import Change
from contacts.suppressions.handlers import ChangeSuppressions

log = structlog.get_logger(__name__)


class HearStop:
    """`inbound.attributed`. Handled again it changes nothing: changes and reviews go by the part's id."""

    def __init__(self, change: ChangeSuppressions, reviews: ReviewStore) -> None:
        self._change = change
        self._reviews = reviews

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        """Clear wishes in the order in which they came, the rest to the reviews."""
        changes: list[Change] = []
        unclear: list[InboundAttributed] = []
        for delivery in deliveries:
            for record in delivery.records:
                assert isinstance(record, InboundAttributed)
                wish = wish_of(record.inbound.text, is_part=_is_part(record.inbound.udh))
                if wish is None:
                    continue
                if record.account is None:
                    log.warning("inbound.nobodys_stop", id=record.inbound.id, wish=wish)
                if wish == "unclear" or record.account is None:
                    unclear.append(record)
                else:
                    changes.append(_change_of(record, record.account, is_stop=wish == "stop"))
        if changes:
            await self._change.apply(sorted(changes, key=lambda change: change.at))
        if unclear:
            await self._reviews.add(unclear)


def _change_of(record: InboundAttributed, account: str, *, is_stop: bool) -> Change:
    part = record.inbound
    return Change(
        id=f"inb_{part.id}",
        account=account,
        number=part.number,
        reason="stop" if is_stop else None,
        source="stop" if is_stop else "start",
        evidence=f'inbound {part.id} to {part.to} through {part.operator}: "{part.text}"',
        at=part.at,
        is_inbound=True,
    )


def _is_part(udh: str | None) -> bool:
    """Whether it is one of several parts of a longer text."""
    if not udh:
        return False
    try:
        concatenation = parse_udh(bytes.fromhex(udh)).concatenation
    except ValueError:  # UdhInvalid is one
        return False
    return concatenation is not None and concatenation.total > 1

"""Status changes as the receipt stream tells them; `carillon.events.stream` says what it holds."""

import hashlib
import hmac
from collections.abc import Callable, Iterable

import msgspec

from carillon.events.message import StatusChanged
from carillon.events.stream import CloudEvent, Receipt, decode_event, encode_event
from carillon.runtime.clock import rfc3339
from carillon.runtime.ids import new_id
from receipt.domain.status import SEQUENCE
from receipt.domain.times import shown_time

ShowNumber = Callable[[str], str | None]


def no_number(_number: str) -> None:
    """The stream shows no numbers."""


def clear_number(number: str) -> str:
    """The stream shows numbers as they are."""
    return number


def hashed_number(key: bytes) -> ShowNumber:
    """The stream shows a pseudonym: HMAC-SHA-256 of the number, cut to 128 bits. Without the key nobody can try all."""

    def show(number: str) -> str:
        return "h_" + hmac.digest(key, number.encode(), hashlib.sha256).hex()[:32]

    return show


def cloud_event(said: Iterable[tuple[StatusChanged, str]], now_ms: int, show: ShowNumber = no_number) -> bytes:
    """One event of these changes, each with the country of its number."""
    receipts = [_receipt(change, country, show) for change, country in said]
    return encode_event(CloudEvent(id=new_id("evt"), time=rfc3339(now_ms), data=receipts))


def narrowed(body: bytes, account: str) -> bytes | None:
    """The same event with only this account's receipts; None when there are none."""
    event = decode_event(body)
    own = [receipt for receipt in event.data if receipt.account == account] if event is not None else []
    return encode_event(msgspec.structs.replace(event, data=own)) if event is not None and own else None


def _receipt(change: StatusChanged, country: str, show: ShowNumber) -> Receipt:
    return Receipt(
        message_id=str(change.id),
        account=change.account,
        campaign=change.campaign,
        status=change.status,
        previous=change.previous,
        sequence=SEQUENCE[change.status],
        operator=change.operator,
        country=country,
        parts=change.parts,
        price_micros=change.price_micros,
        error=change.error,
        lane=change.lane,
        at=shown_time(change.at),
        accepted_at=shown_time(change.accepted_at),
        number=show(change.number),
    )

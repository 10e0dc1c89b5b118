"""A part as a submit_sm (SMPP 3.4, 4.4.1)."""

from functools import lru_cache

from carillon.events.message import SenderType
from carillon.smpp.constants import EsmClass, Npi, Ton
from carillon.smpp.message import ShortMessage
from dispatcher.connectors.port import OutgoingPart

_RECEIPT_ASKED = 1  # 5.2.17: a receipt on success and on failure
_PRIORITY = {"urgent": 1, "bulk": 0}  # 5.2.14
_SENDERS: dict[SenderType, tuple[int, int]] = {  # 5.2.5, 5.2.6
    "alphanumeric": (Ton.ALPHANUMERIC, Npi.UNKNOWN),
    "international": (Ton.INTERNATIONAL, Npi.ISDN),
    "national": (Ton.UNKNOWN, Npi.ISDN),
}


def short_message(part: OutgoingPart) -> ShortMessage:
    """The fields of the submit_sm; 140 octets of user data at most, so short_message always holds them."""
    message, payload = part.message, part.payload
    ton, npi = _SENDERS[message.sender_type]
    return ShortMessage(
        source_ton=ton,
        source_npi=npi,
        source_addr=message.sender,
        dest_ton=Ton.INTERNATIONAL,
        dest_npi=Npi.ISDN,
        dest_addr=message.number,
        esm_class=EsmClass.UDH if payload.udh else 0,
        priority=_PRIORITY[message.lane],
        validity=relative_time(part.expires_in_s),
        registered_delivery=_RECEIPT_ASKED,
        data_coding=payload.data_coding,
        short_message=payload.user_data,
    )


@lru_cache(maxsize=4096)
def relative_time(seconds: int) -> str:
    """`YYMMDDhhmmss000R` (7.1.1.2), in days, hours, minutes and seconds; 99 days at most."""
    minutes, second = divmod(min(max(seconds, 1), 99 * 86_400), 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    months, day = divmod(day, 30)
    return f"00{months:02d}{day:02d}{hour:02d}{minute:02d}{second:02d}000R"

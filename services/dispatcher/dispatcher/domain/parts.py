"""A message cut into what an operator gets: octets, and the text of each part for connectors that send text."""

from carillon.events.message import Accepted
from carillon.sms.alphabet import DefaultAlphabet
from carillon.sms.data_coding import BINARY
from carillon.sms.payloads import Payload, data_payloads, payloads
from carillon.sms.segments import segment, segment_binary


def parts_of(message: Accepted, alphabet: DefaultAlphabet) -> tuple[tuple[Payload, ...], tuple[str | None, ...]]:
    """Payload and text of each part. The concatenation reference comes from the id, so a second try keeps it."""
    udh = bytes.fromhex(message.udh) if message.udh else b""
    reference = (message.id ^ message.id >> 22) & 0xFF
    if message.data is not None:
        coding = BINARY if message.data_coding is None else message.data_coding
        cut = data_payloads(segment_binary(bytes.fromhex(message.data), udh), reference, coding)
        return cut, (None,) * len(cut)
    segments = segment(message.text or "", udh=udh)
    return payloads(segments, reference, alphabet), segments.parts

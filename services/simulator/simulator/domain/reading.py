"""From what a handset received to what it shows: parts joined, octets read, headers explained."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from carillon.sms.alphabet import DefaultAlphabet
from carillon.sms.data_coding import DEFAULT, decode_text
from carillon.sms.udh import Udh, UdhInvalid, split_user_data
from carillon.sms.wap_push import PUSH_PORT
from simulator.domain.fates import DELIVERED
from simulator.domain.handsets import Received
from simulator.domain.wap_push import read_push

_NAMES = {0x00: "gsm", 0x01: "ascii", 0x03: "latin1", 0x06: "iso8859-5", 0x07: "iso8859-8", 0x08: "ucs2"}
_ASCII = 0x01
_CONTROL = re.compile(rb"[\x00-\x09\x0b\x0c\x0e-\x1f]")  # what no text in ASCII has; some clients call GSM so
_MISSING = "[…]"

_Key = tuple[str, str, int, int]
"""System id, sender, reference, total: parts that share it and a handset are one message."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as the handset shows it.

    `encoding` is gsm, ucs2, latin1, ..., `binary` (`text` is hexadecimal) or `wap_push` (`text` is title and address).
    `parts` is how many came of `parts_total`; what is missing is shown as `[…]`. Times are milliseconds since 1970.
    """

    number: str
    sender: str
    text: str
    encoding: str
    parts: int
    parts_total: int
    status: str
    received_ms: int
    done_ms: int
    system_id: str
    message_ids: tuple[int, ...]
    udh: str = ""


@dataclass(slots=True)
class _Part:
    received: Received
    udh: Udh | None
    body: bytes
    reference: int
    total: int
    place: int


def show(newest_first: Iterable[Received], alphabet: DefaultAlphabet, now_ms: int) -> list[Shown]:
    """What one handset shows, newest first. A part that comes again, or after its message was whole, begins anew."""
    groups: list[list[_Part]] = []
    gathering: dict[_Key, list[_Part]] = {}
    for received in reversed(list(newest_first)):
        part = _read(received)
        if part.total <= 1:
            groups.append([part])
            continue
        key = (received.system_id, received.sender, part.reference, part.total)
        group = gathering.get(key)
        if group is None or any(other.place == part.place for other in group):
            group = gathering[key] = []
            groups.append(group)
        group.append(part)
        if len(group) == part.total:
            del gathering[key]
    groups.sort(key=lambda group: group[-1].received.received_ms)
    return [_join(group, alphabet, now_ms) for group in reversed(groups)]


def _read(received: Received) -> _Part:
    reference, total, place = received.sar
    part = _Part(received, None, received.octets, reference, total, place)
    if received.has_udh:
        try:
            part.udh, part.body = split_user_data(received.octets)
        except UdhInvalid:
            return part
        if part.udh.concatenation is not None:
            reference, part.total, part.place, _ = part.udh.concatenation
            part.reference = reference
    return part


def _join(group: list[_Part], alphabet: DefaultAlphabet, now_ms: int) -> Shown:
    group = sorted(group, key=lambda part: part.place)
    newest = max((part.received for part in group), key=lambda received: received.received_ms)
    text, encoding = _text(group, alphabet)
    return Shown(
        number=newest.number,
        sender=newest.sender,
        text=text,
        encoding=encoding,
        parts=len(group),
        parts_total=max(group[0].total, 1),
        status=_status([part.received for part in group], now_ms),
        received_ms=newest.received_ms,
        done_ms=max(part.received.done_ms for part in group),
        system_id=newest.system_id,
        message_ids=tuple(part.received.message_id for part in group),
        udh=next((part.udh.octets.hex() for part in group if part.udh is not None), ""),
    )


def _status(parts: list[Received], now_ms: int) -> str:
    """`accepted` until all parts are final, then how they ended: one that failed counts for all."""
    if any(part.done_ms > now_ms for part in parts):
        return "accepted"
    return next((part.outcome for part in parts if part.outcome.failed), DELIVERED).name


def _text(parts: list[_Part], alphabet: DefaultAlphabet) -> tuple[str, str]:
    pieces = list(_pieces(parts))
    data_coding = parts[0].received.data_coding
    if data_coding == _ASCII and _CONTROL.search(b"".join(pieces)):
        data_coding = DEFAULT
    ports = next((part.udh.ports for part in parts if part.udh is not None and part.udh.ports is not None), None)
    if ports is not None and ports.destination == PUSH_PORT:
        push = read_push(pieces[0]) if len(pieces) == 1 else None
        if push is not None:
            return " ".join(word for word in reversed(push) if word), "wap_push"
    texts = [decode_text(piece, data_coding, alphabet) for piece in pieces]
    if ports is not None or None in texts:
        return _MISSING.join(piece.hex() for piece in pieces), "binary"
    return _MISSING.join(text or "" for text in texts), _NAMES.get(data_coding, f"0x{data_coding:02x}")


def _pieces(parts: list[_Part]) -> Iterator[bytes]:
    """The octets in order, in one piece where nothing is missing between them: a pair may straddle two parts."""
    piece, expected = b"", 1
    for part in parts:
        if part.place > expected:
            yield piece
            piece = b""
        piece += part.body
        expected = part.place + 1
    yield piece
    if expected <= parts[0].total:
        yield b""

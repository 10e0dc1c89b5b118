"""What the handset shows is what was written, however it came."""

from collections.abc import Iterable
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from carillon.sms.payloads import Payload, data_payloads, payloads
from carillon.sms.segments import segment, segment_binary
from carillon.sms.udh import ports_udh
from carillon.sms.wap_push import wap_push
from simulator.domain.fates import DELIVERED, EXPIRED, Outcome
from simulator.domain.handsets import NO_SAR, Received, Sar
from simulator.domain.reading import Shown, show

NOW_MS = 1_795_000_000_000


def part(
    octets: bytes,
    data_coding: int = 0,
    *,
    udh: bool = False,
    sar: Sar = NO_SAR,
    at: int = 0,
    sender: str = "Carillon",
    outcome: Outcome = DELIVERED,
    done: int = 0,
) -> Received:
    moment = NOW_MS + at
    return Received(
        at, "33612345678", 1, 1, sender, 5, 0, "carillon", octets, data_coding, udh, moment, moment + done, outcome, sar
    )


def parts(sent: Iterable[Payload], first: int = 0) -> list[Received]:
    return [
        part(one.user_data, one.data_coding, udh=bool(one.udh), at=at, sender="Carillon")
        for at, one in enumerate(sent, first)
    ]


def shown(oldest_first: list[Received], now_ms: int = NOW_MS + 10_000) -> list[Shown]:
    return show(reversed(oldest_first), "gsm", now_ms)


@given(st.text(max_size=700), st.booleans(), st.randoms())
def test_a_text_is_shown_as_it_was_written(text: str, wide: bool, random: Random) -> None:
    segments = segment(text, wide_ref=wide)
    received = parts(payloads(segments, 77))
    random.shuffle(received)
    [message] = shown(received)
    assert message.text == text
    assert message.encoding == segments.encoding
    assert (message.parts, message.parts_total) == (len(segments.parts),) * 2


@given(st.binary(min_size=1, max_size=600))
def test_data_is_shown_in_hexadecimal(data: bytes) -> None:
    [message] = shown(parts(data_payloads(segment_binary(data), 5)))
    assert (message.text, message.encoding) == (data.hex(), "binary")


@given(st.binary(max_size=200), st.integers(0, 255), st.booleans())
def test_anything_can_be_shown(octets: bytes, data_coding: int, udh: bool) -> None:
    assert len(shown([part(octets, data_coding, udh=udh)])) == 1


def test_surrogate_pair_across_parts() -> None:
    octets = "a😀b".encode("utf-16-be")
    received = [
        part(b"\5\0\3\1\2\1" + octets[:4], 8, udh=True, at=1),
        part(b"\5\0\3\1\2\2" + octets[4:], 8, udh=True, at=2),
    ]
    assert shown(received)[0].text == "a😀b"


def test_optional_parameters_join_parts() -> None:
    received = [part(b"world", sar=(300, 2, 2), at=1), part(b"hello ", sar=(300, 2, 1), at=2)]
    [message] = shown(received)
    assert (message.text, message.parts) == ("hello world", 2)


def test_what_is_missing_is_shown() -> None:
    received = parts(payloads(segment("a" * 153 + "b" * 153 + "c" * 153 + "d" * 9), 9))
    [message] = shown([received[0], received[2]])
    assert message.text == "a" * 153 + "[…]" + "c" * 153 + "[…]"
    assert (message.parts, message.parts_total) == (2, 4)
    assert shown(received[1:])[0].text.startswith("[…]b")


def test_a_reference_can_come_again() -> None:
    first = parts(payloads(segment("a" * 200), 9))
    second = parts(payloads(segment("b" * 200), 9), first=10)
    assert [message.text for message in shown(first + second)] == ["b" * 200, "a" * 200]


def test_a_part_that_comes_twice_is_another_message() -> None:
    received = parts(payloads(segment("a" * 200), 9))
    assert [message.parts for message in shown([received[0], part(received[0].octets, udh=True, at=1)])] == [1, 1]


def test_other_senders_are_other_messages() -> None:
    octets = b"\5\0\3\1\2\1x"
    assert len(shown([part(octets, udh=True, at=1), part(octets[:-2] + b"\2y", udh=True, at=2, sender="Bank")])) == 2


def test_latin1() -> None:
    [message] = shown([part("déjà".encode("latin-1"), 3)])
    assert (message.text, message.encoding) == ("déjà", "latin1")


def test_gsm_that_calls_itself_ascii() -> None:
    received = [part(b"h\x05llo \x1be", 1), part(b"[plain]", 1, at=-1)]
    assert [(one.text, one.encoding) for one in shown(received)] == [("héllo €", "gsm"), ("[plain]", "ascii")]


def test_wap_push() -> None:
    push = wap_push("https://www.example.com/offer?id=7", "Sales é")
    [message] = shown([part(push.udh + push.data, 0xF5, udh=True)])
    assert (message.text, message.encoding) == ("Sales é https://www.example.com/offer?id=7", "wap_push")
    assert message.udh == push.udh.hex()


def test_long_wap_push_without_title() -> None:
    url = "http://example.org/" + "x" * 200
    push = wap_push(url)
    [message] = shown(parts(data_payloads(segment_binary(push.data, push.udh), 3, 0xF5)))
    assert (message.text, message.encoding, message.parts) == (url, "wap_push", 2)


def test_push_that_is_none() -> None:
    udh = ports_udh(2948, 9200)
    for body in (
        b"",
        b"\1",
        b"\1\6\1\xae\2\5j\0E",
        b"\1\6\1\xae\2\6j\0\x45\xc6",
        b"\1\6\1\xae\2\5j\0\x45\xc6\x0c\3abc",
    ):
        [message] = shown([part(udh + body, 4, udh=True)])
        assert (message.text, message.encoding) == (body.hex(), "binary")


def test_header_that_is_none() -> None:
    [message] = shown([part(b"\5\0\3\1", 4, udh=True)])
    assert (message.text, message.encoding) == ("05000301", "binary")


def test_status_of_parts() -> None:
    octets = b"\5\0\3\1\2"
    received = [
        part(octets + b"\1x", udh=True, at=1, outcome=EXPIRED),
        part(octets + b"\2y", udh=True, at=2, done=500),
    ]
    assert shown(received, NOW_MS + 400)[0].status == "accepted"
    assert shown(received, NOW_MS + 600)[0].status == "expired"

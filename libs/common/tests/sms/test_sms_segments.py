"""The segmenter: it reassembles to the input, counts as it cuts, and never splits a pair."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from carillon.sms.alphabet import GSM_BASIC, GSM_EXTENSION, is_gsm, septets
from carillon.sms.segments import ContentInvalid, segment, segment_binary, segment_ucs2
from carillon.sms.udh import UdhInvalid, client_udh, ports_udh

gsm_text = st.text(st.sampled_from(sorted(GSM_BASIC | GSM_EXTENSION)), max_size=900)
pairs_mostly = st.text(st.sampled_from("a€{"), max_size=900)
any_text = st.text(max_size=400)
emoji_text = st.text(st.sampled_from("aé😀€я"), max_size=400)


def units_of(encoding: str, text: str) -> int:
    return septets(text) if encoding == "gsm" else len(text.encode("utf-16-be")) // 2


@pytest.mark.parametrize(
    ("text", "encoding", "sizes", "left"),
    [
        ("", "gsm", [0], 160),
        ("a" * 160, "gsm", [160], 0),
        ("a" * 161, "gsm", [153, 8], 145),
        ("a" * 306, "gsm", [153, 153], 0),
        ("a" * 307, "gsm", [153, 153, 1], 152),
        ("€" * 80, "gsm", [80], 0),
        ("€" * 81, "gsm", [76, 5], 143),
        ("a" * 152 + "€" + "b" * 10, "gsm", [152, 11], 141),
        ("a" * 151 + "€" + "b" * 10, "gsm", [152, 10], 143),
        ("ê" * 70, "ucs2", [70], 0),
        ("ê" * 71, "ucs2", [67, 4], 63),
        ("ê" * 66 + "😀" + "a" * 10, "ucs2", [66, 11], 55),
        ("😀" * 35, "ucs2", [35], 0),
        ("😀" * 36, "ucs2", [33, 3], 61),
        ("\r\n" * 80, "gsm", [160], 0),
    ],
)
def test_cut(text: str, encoding: str, sizes: list[int], left: int) -> None:
    cut = segment(text)
    assert (cut.encoding, [len(part) for part in cut.parts], cut.units_left) == (encoding, sizes, left)


@pytest.mark.parametrize(
    ("text", "sizes", "part_units"), [("a" * 161, [152, 9], 152), ("ê" * 71, [66, 5], 66), ("a" * 160, [160], 160)]
)
def test_a_sixteen_bit_reference_takes_one_octet_more(text: str, sizes: list[int], part_units: int) -> None:
    cut = segment(text, wide_ref=True)
    assert [len(part) for part in cut.parts] == sizes
    assert cut.part_units == part_units


@given(st.one_of(any_text, gsm_text, pairs_mostly, emoji_text), st.booleans())
@example("€" * 200, False)
@example("😀" * 200, True)
@settings(max_examples=300, deadline=None)
def test_reassembles_and_counts(text: str, wide_ref: bool) -> None:
    cut = segment(text, wide_ref=wide_ref)
    assert "".join(cut.parts) == text
    assert (cut.encoding == "gsm") == is_gsm(text)
    sizes = [units_of(cut.encoding, part) for part in cut.parts]  # raises if a surrogate pair was split
    assert sum(sizes) == cut.units == units_of(cut.encoding, text)
    assert all(0 < size <= cut.part_units for size in sizes) or text == ""
    assert cut.units_left == cut.part_units - sizes[-1]
    # No part could have taken the next one's first character.
    for at, part in enumerate(cut.parts[1:]):
        assert sizes[at] + units_of(cut.encoding, part[0]) > cut.part_units
    single = 160 if cut.encoding == "gsm" else 70
    assert (len(cut.parts) == 1) == (cut.units <= single)


@given(gsm_text)
def test_ucs2_on_demand_reassembles(text: str) -> None:
    assert "".join(segment_ucs2(text).parts) == text


@given(st.binary(max_size=600), st.sampled_from([b"", ports_udh(2948, 9200)]), st.booleans())
def test_binary_reassembles(data: bytes, udh: bytes, wide_ref: bool) -> None:
    cut = segment_binary(data, udh, wide_ref=wide_ref)
    assert b"".join(cut.parts) == data
    assert all(len(part) <= cut.part_units for part in cut.parts)
    assert cut.units_left == cut.part_units - len(cut.parts[-1])


@pytest.mark.parametrize(
    ("size", "udh", "sizes"),
    [(140, b"", [140]), (141, b"", [134, 7]), (133, ports_udh(1, 2), [133]), (134, ports_udh(1, 2), [128, 6])],
)
def test_binary_sizes(size: int, udh: bytes, sizes: list[int]) -> None:
    assert [len(part) for part in segment_binary(bytes(size), udh).parts] == sizes


def test_a_part_of_a_clients_own_concatenation_holds_153() -> None:
    udh = client_udh("2A0201", binary=False)
    cut = segment("a" * 153, udh=udh)
    assert (cut.parts, cut.part_units, cut.udh) == (("a" * 153,), 153, udh)
    assert segment("ê" * 67, udh=udh).part_units == 67
    for text in ("a" * 154, "ê" * 68):
        with pytest.raises(ContentInvalid) as raised:
            segment(text, udh=udh)
        assert raised.value.code == "content_too_long"
    with pytest.raises(ContentInvalid):
        segment_binary(bytes(135), udh)


def test_other_headers_are_kept_beside_concatenation() -> None:
    cut = segment("a" * 200, udh=ports_udh(2948, 9200))
    assert cut.part_units == (140 - 12) * 8 // 7
    assert "".join(cut.parts) == "a" * 200


def test_255_parts_and_no_more() -> None:
    assert len(segment("a" * 153 * 255).parts) == 255
    with pytest.raises(ContentInvalid):
        segment("a" * (153 * 255 + 1))
    with pytest.raises(ContentInvalid):
        segment_binary(bytes(134 * 255 + 1))


def test_an_unpaired_surrogate_is_no_text() -> None:
    with pytest.raises(ContentInvalid) as raised:
        segment("a\ud83d")
    assert raised.value.code == "content_not_unicode"


@pytest.mark.parametrize("udh", [b"\x05\x00\x03\x01\x02", bytes((138, 0x70, 136)) + bytes(136), bytes(200)])
def test_a_header_that_leaves_no_room_or_is_broken_is_refused(udh: bytes) -> None:
    with pytest.raises((ContentInvalid, UdhInvalid)):
        segment("a" * 200, udh=udh)
    with pytest.raises((ContentInvalid, UdhInvalid)):
        segment("😀" * 200, udh=udh)

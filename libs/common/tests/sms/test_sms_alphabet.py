"""GSM 03.38: the tables of 3GPP TS 23.038, and laws of encoding and decoding."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carillon.sms.alphabet import (
    GSM_BASIC,
    GSM_EXTENSION,
    NotEncodable,
    decode_for,
    decode_gsm,
    encode_for,
    encode_gsm,
    is_gsm,
    septets,
)
from carillon.sms.data_coding import decode_text

gsm_text = st.text(st.sampled_from(sorted(GSM_BASIC | GSM_EXTENSION)), max_size=400)


@pytest.mark.parametrize(
    ("character", "octets"),
    [
        ("@", "00"), ("£", "01"), ("$", "02"), ("¥", "03"), ("è", "04"), ("é", "05"), ("ù", "06"), ("ì", "07"),
        ("ò", "08"), ("Ç", "09"), ("\n", "0a"), ("Ø", "0b"), ("ø", "0c"), ("\r", "0d"), ("Å", "0e"), ("å", "0f"),
        ("Δ", "10"), ("_", "11"), ("Φ", "12"), ("Γ", "13"), ("Λ", "14"), ("Ω", "15"), ("Π", "16"), ("Ψ", "17"),
        ("Σ", "18"), ("Θ", "19"), ("Ξ", "1a"), ("Æ", "1c"), ("æ", "1d"), ("ß", "1e"), ("É", "1f"), (" ", "20"),
        ("¤", "24"), ("0", "30"), ("¡", "40"), ("A", "41"), ("Ä", "5b"), ("Ö", "5c"), ("Ñ", "5d"), ("Ü", "5e"),
        ("§", "5f"), ("¿", "60"), ("a", "61"), ("ä", "7b"), ("ö", "7c"), ("ñ", "7d"), ("ü", "7e"), ("à", "7f"),
        ("\f", "1b0a"), ("^", "1b14"), ("{", "1b28"), ("}", "1b29"), ("\\", "1b2f"), ("[", "1b3c"), ("~", "1b3d"),
        ("]", "1b3e"), ("|", "1b40"), ("€", "1b65"),
    ],
)  # fmt: skip
def test_code_of_character(character: str, octets: str) -> None:
    assert encode_gsm(character).hex() == octets
    assert decode_gsm(bytes.fromhex(octets)) == character


def test_the_tables_are_complete() -> None:
    assert len(GSM_BASIC) == 127  # 128 codes less the escape
    assert len(GSM_EXTENSION) == 10
    assert set(string.ascii_letters + string.digits) < GSM_BASIC


@pytest.mark.parametrize("character", list("çâêîôûœ«»’…\u00a0\0\x1b\x80\ufffe`☎😀"))
def test_characters_that_gsm_lacks(character: str) -> None:
    assert not is_gsm(character)
    with pytest.raises(NotEncodable) as raised:
        encode_gsm(f"a@{character}b")
    assert (raised.value.character, raised.value.position, raised.value.code) == (character, 2, "not_encodable")
    with pytest.raises(NotEncodable):
        septets(character)


def test_septets_count_pairs_and_line_ends() -> None:
    assert septets("") == 0
    assert septets("a\r\nb") == 4
    assert septets("^{}\\[~]|€\f") == 20
    assert septets("àèéùìòÇ") == 7


@given(gsm_text)
def test_decode_undoes_encode(text: str) -> None:
    octets = encode_gsm(text)
    assert is_gsm(text)
    assert octets.isascii()
    assert len(octets) == septets(text)
    assert decode_gsm(octets) == text


@given(st.text())
def test_a_text_is_gsm_when_each_character_is(text: str) -> None:
    assert is_gsm(text) == all(character in GSM_BASIC | GSM_EXTENSION for character in text)


@given(st.binary())
def test_decoding_never_raises_and_gives_clean_text(octets: bytes) -> None:
    text = decode_gsm(octets)
    text.encode()
    assert "\x1b" not in text
    assert len(text) <= len(octets)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"\x1b\x41", "A"),  # unknown pair: the basic character
        (b"a\x1b", "a "),  # an escape that stands last
        (b"\x1b\x1ba", " a"),
        (b"\x1b\x65\x1b\x00", "€@"),
        (b"caf\xe9", "café"),  # Latin-1 of an operator that says GSM
        (b"\x1b\xe9", "é"),
    ],
)
def test_decoding_odd_octets(octets: bytes, text: str) -> None:
    assert decode_gsm(octets) == text


def test_default_alphabets_of_operators() -> None:
    assert encode_for("gsm", "é@") == b"\x05\x00"
    assert encode_for("latin1", "é@") == b"\xe9@"
    assert decode_for("latin1", b"\xe9@") == "é@"
    assert encode_for("ascii", "e@") == b"e@"
    with pytest.raises(NotEncodable) as raised:
        encode_for("latin1", "a€")
    assert raised.value.position == 1
    with pytest.raises(NotEncodable):
        encode_for("ascii", "é")


@pytest.mark.parametrize(
    ("data_coding", "octets", "text"),
    [
        (0x00, b"\x05@", "é¡"),
        (0x01, b"abc@", "abc@"),
        (0x03, b"\xe9@", "é@"),
        (0x08, "é😀".encode("utf-16-be"), "é😀"),
        (0x08, b"\x00a\xd8", "a\ufffd"),
        (0x06, "Привет".encode("iso8859-5"), "Привет"),
        (0x10, b"\x05", "é"),
        (0xF0, b"\x05", "é"),
        (0xF1, b"\x05", "é"),
        (0xE0, "é".encode("utf-16-be"), "é"),
        (0x02, b"\x05", None),
        (0x04, b"\x05", None),
        (0xF5, b"\x05", None),
        (0x18, "é".encode("utf-16-be"), "é"),
        (0x14, b"\x05", None),
    ],
)
def test_data_coding_tells_text_from_data(data_coding: int, octets: bytes, text: str | None) -> None:
    assert decode_text(octets, data_coding) == text


def test_data_coding_zero_is_the_operators_alphabet() -> None:
    assert decode_text(b"\xe9@", 0, "latin1") == "é@"


@given(st.binary(), st.integers(0, 255))
def test_data_coding_never_raises(octets: bytes, data_coding: int) -> None:
    text = decode_text(octets, data_coding)
    assert text is None or text.encode() is not None

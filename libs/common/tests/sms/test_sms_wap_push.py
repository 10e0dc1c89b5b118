"""WAP push: golden octets, and Debian's wbxml2xml as a foreign reader."""

import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carillon.sms.payloads import data_payloads
from carillon.sms.segments import segment_binary
from carillon.sms.udh import Ports, parse_udh
from carillon.sms.wap_push import WapPushInvalid, wap_push

READER = shutil.which("wbxml2xml")


def test_golden_octets() -> None:
    push = wap_push("http://www.example.com/a?b=c", "Hi")
    assert push.udh.hex() == "0605040b8423f0"
    assert (
        push.data.hex()
        == (
            "010601ae"  # transaction, push, one octet of headers, content type
            "02056a00"  # WBXML 1.2, SI 1.0, UTF-8, no string table
            "45c6"  # si, indication
            "0d03" + b"example".hex() + "00"  # href="http://www.
            "8503" + b"a?b=c".hex() + "00"  # .com/
            "0103" + b"Hi".hex() + "00"
            "0101"
        )
    )


@pytest.mark.parametrize(
    ("url", "token"),
    [("https://www.a.fr", 0x0F), ("https://a.fr", 0x0E), ("http://a.fr", 0x0C), ("ftp://a.fr", 0x0B)],
)
def test_starts_of_urls_have_tokens(url: str, token: int) -> None:
    assert wap_push(url).data[10] == token


def test_without_title_the_indication_is_empty() -> None:
    assert wap_push("http://a.fr/").data.hex() == "010601ae02056a0045860c03" + b"a.fr/".hex() + "000101"


def test_a_long_link_takes_parts_that_all_carry_the_ports() -> None:
    push = wap_push("http://example.com/" + "x" * 150, "Title")
    parts = data_payloads(segment_binary(push.data, push.udh), 9)
    assert len(parts) == 2
    assert b"".join(part.body for part in parts) == push.data
    assert all(parse_udh(part.udh).ports == Ports(2948, 9200) for part in parts)
    assert all(len(part.user_data) <= 140 for part in parts)


def test_characters_beyond_ascii_are_percent_encoded() -> None:
    assert b"caf%C3%A9" in wap_push("http://example.net/café").data


@pytest.mark.parametrize(
    ("url", "title", "code"),
    [
        ("", "", "wap_url_invalid"),
        ("www.example.com", "", "wap_url_invalid"),
        ("http://", "", "wap_url_invalid"),
        ("http:///path", "", "wap_url_invalid"),
        ("http://a b", "", "wap_url_invalid"),
        ("http://a\0b", "", "wap_url_invalid"),
        ("http://a\r\nb", "", "wap_url_invalid"),
        ("http://é.fr", "", "wap_url_invalid"),
        ("http://a.fr/\ud800", "", "wap_url_invalid"),
        ("http://a.fr", "x" * 51, "wap_title_too_long"),
        ("http://a.fr", "a\0b", "wap_title_invalid"),
        ("http://a.fr", "a\nb", "wap_title_invalid"),
        ("http://a.fr", "\ud800", "wap_title_invalid"),
    ],
)
def test_refused(url: str, title: str, code: str) -> None:
    with pytest.raises(WapPushInvalid) as raised:
        wap_push(url, title)
    assert raised.value.code == code


@given(st.text(), st.text(max_size=60))
def test_compiling_raises_nothing_but_its_own_error(url: str, title: str) -> None:
    for candidate in (url, "http://" + url):
        try:
            wap_push(candidate, title)
        except WapPushInvalid:
            continue


def read_back(data: bytes, folder: Path) -> tuple[str | None, str]:
    source, target = folder / "si.wbxml", folder / "si.xml"
    source.write_bytes(data[4:])
    subprocess.run([str(READER), "-o", str(target), str(source)], check=True, capture_output=True, timeout=20)
    indication = ET.fromstring(target.read_bytes()).find("indication")
    assert indication is not None
    return indication.get("href"), indication.text or ""


@pytest.mark.skipif(READER is None, reason="needs wbxml2xml (Debian: libwbxml2-utils)")
@pytest.mark.parametrize(
    ("url", "title"),
    [
        ("http://www.example.com/a?b=c&d=e", "Été & <or>"),
        ("https://www.example.org/", "€"),
        ("https://example.edu/x.com/y", "two domains"),
        ("http://example.fr", ""),
        ("ftp://example.net/", "x" * 50),
        ("http://a.com/", "日本語 😀"),
        ("http://www..com/", "domain at the start"),
    ],
)
def test_a_foreign_reader_reads_it_back(url: str, title: str, tmp_path: Path) -> None:
    assert read_back(wap_push(url, title).data, tmp_path) == (url, title)


@pytest.mark.skipif(READER is None, reason="needs wbxml2xml (Debian: libwbxml2-utils)")
@settings(max_examples=25, deadline=None)
@given(
    st.text(st.sampled_from("ab./?&=%:#-_~com"), min_size=1, max_size=60),
    st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), max_size=50),
)
def test_a_foreign_reader_reads_any_of_them(tmp_path_factory: pytest.TempPathFactory, path: str, title: str) -> None:
    url = "https://example.org/" + path
    assert read_back(wap_push(url, title).data, tmp_path_factory.mktemp("wap")) == (url, title)

"""Whose address it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carillon.http.addresses import address_in, client_address, parse_networks

PROXIES = parse_networks("10.0.0.0/8, fd00::/8")


def seen(peer: str, *forwarded: str) -> str:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return client_address({"client": (peer, 1234), "headers": headers}, PROXIES)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # not one of our proxies
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),  # what comes before is hearsay
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, 10.0.0.2"], "198.51.100.1"),  # two proxies of ours
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1, 10.0.0.2, 10.0.0.3"], "198.51.100.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
        ("fd00::1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["unknown"], ""),
        ("10.0.0.1", ["198.51.100.1, unknown"], ""),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1,"], ""),
    ],
)
def test_only_a_trusted_proxy_is_believed(peer: str, forwarded: list[str], client: str) -> None:
    assert seen(peer, *forwarded) == client


def test_without_trusted_proxies_or_a_peer() -> None:
    scope = {"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", b"1.1.1.1")]}
    assert client_address(scope, ()) == "10.0.0.1"
    assert client_address({"client": None, "headers": []}, PROXIES) == ""


@given(st.ip_addresses(v=4).map(str), st.text(st.characters(max_codepoint=255), max_size=60))
def test_nothing_that_a_stranger_writes_changes_the_address(peer: str, header: str) -> None:
    expected = peer if not address_in(peer, PROXIES) else None
    if expected is not None:
        assert seen(peer, header) == expected


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_any_header_is_read_without_an_error(header: str) -> None:
    seen("10.0.0.1", header)


@pytest.mark.parametrize(
    ("address", "listed", "inside"),
    [
        ("198.51.100.7", ["198.51.100.7"], True),
        ("198.51.100.8", ["198.51.100.7"], False),
        ("198.51.100.8", ["198.51.100.0/24"], True),
        ("198.51.100.8", ["198.51.100.9/24"], True),
        ("2001:db8::1", ["2001:db8::/32"], True),
        ("2001:db9::1", ["2001:db8::/32"], False),
        ("::ffff:198.51.100.7", ["198.51.100.7"], True),
        ("", ["0.0.0.0/0", "::/0"], False),
        ("rubbish", ["0.0.0.0/0", "::/0"], False),
        ("198.51.100.7", ["rubbish", "198.51.100.7"], True),
        ("198.51.100.7", ["rubbish"], False),
        ("198.51.100.7", [], False),
    ],
)
def test_lists_of_addresses_and_networks(address: str, listed: list[str], inside: bool) -> None:
    assert address_in(address, tuple(listed)) is inside


def test_a_setting_that_is_no_network_is_refused() -> None:
    assert parse_networks("") == ()
    assert parse_networks("10.1.2.3/8, ::1") == parse_networks(["10.0.0.0/8", "::1/128"])
    with pytest.raises(ValueError, match="rubbish"):
        parse_networks("10.0.0.0/8, rubbish")

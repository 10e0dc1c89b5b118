"""What single values of an account must look like."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.domain import rules


@pytest.mark.parametrize(
    ("written", "kept"), [("shop-1", "shop-1"), ("SHOP", "shop"), ("a" * 32, "a" * 32), ("123", "123")]
)
def test_a_door_name_is_kept_in_lower_case(written: str, kept: str) -> None:
    assert rules.door_name(written) == kept


@pytest.mark.parametrize(
    "written", ["", "ab", "a" * 33, "a_b", "a b", "caf\u00e9", "abc\n", "\u0661\u0662\u0663", "\u212aelvin"]
)
def test_a_door_name_must_fit_in_the_url(written: str) -> None:
    with pytest.raises(ValueError, match="3 to 32"):
        rules.door_name(written)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7/32 ", "192.0.2.7"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::/0", "::/0"),
    ],
)
def test_an_address_is_kept_in_its_canonical_spelling(written: str, kept: str) -> None:
    assert rules.address(written) == kept


@pytest.mark.parametrize("written", ["", "localhost", "192.0.2", "192.0.2.256", "10.0.0.0/33", "10.0.0.0-10.0.0.9"])
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="IPv4 or IPv6"):
        rules.address(written)


def test_a_network_with_host_bits_is_refused_and_the_network_is_named() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/24"):
        rules.address("10.0.0.9/24")


@given(st.ip_addresses())
def test_any_address_is_kept_as_one_that_means_the_same_and_keeping_is_idempotent(address: object) -> None:
    kept = rules.address(str(address))
    assert rules.address(kept) == kept
    assert ip_network(kept).num_addresses == 1


@pytest.mark.parametrize("written", ["", "a:b", "a b", "x" * 65, "\u00e9"])
def test_a_login_must_pass_through_http_basic(written: str) -> None:
    with pytest.raises(ValueError, match="without a colon"):
        rules.login(written)


def test_a_country_is_two_letters_in_any_case() -> None:
    assert rules.country("fr") == "FR"
    for wrong in ("", "FRA", "XX", "33"):
        with pytest.raises(ValueError, match="two letters"):
            rules.country(wrong)


@pytest.mark.parametrize(
    "written",
    [
        "http://example.com",
        "https://example.com:8443/a?b=c&d=%20",
        "http://127.0.0.1:8085/handsets",
        "https://[2001:db8::1]/x",
    ],
)
def test_a_callback_url_is_kept_as_written(written: str) -> None:
    assert rules.callback_url(written) == written


@pytest.mark.parametrize(
    "written",
    [
        "",
        "example.com/x",
        "/x",
        "ftp://example.com",
        "https://",
        "https://user:pass@example.com",
        "https://example.com/#top",
        "https://example.com:99999/",
        "https://example.com:0/",
        "https://example.com/a b",
        "https://example.com/\u00e9",
        "https://[::1",
        "https://example.com/" + "x" * 2000,
    ],
)
def test_a_callback_url_that_cannot_be_called_is_refused(written: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the reasons differ
        rules.callback_url(written)

"""What single values must look like: each function returns the value as it is kept, or says why not (ValueError)."""

import re
from ipaddress import IPv6Network, ip_network
from urllib.parse import urlsplit

from phonenumbers import SUPPORTED_REGIONS

from accounts.domain.account import SCOPES
from carillon.events.message import SenderType
from carillon.sms.sender import sender

_DOOR = re.compile(r"[A-Za-z0-9-]{3,32}", re.ASCII)
_LOGIN = re.compile(r"[!-9;-~]{1,64}", re.ASCII)  # visible ASCII; no colon, which ends the login in HTTP Basic
_SENDER_WORDS: dict[SenderType, str] = {"international": "mobile", "national": "number", "alphanumeric": "text"}
_LONGEST_URL = 2_000


def door_name(value: str) -> str:
    """A door's name as it is matched: in lower case (CONTRACTS 1)."""
    if _DOOR.fullmatch(value) is None:
        raise ValueError("3 to 32 letters, digits or dashes")
    return value.lower()


def address(value: str) -> str:
    """One IPv4 or IPv6 address or network, in its canonical spelling; an IPv4 address mapped into IPv6 is IPv4."""
    try:
        network = ip_network(value.strip())
    except ValueError as error:
        raise ValueError(_address_problem(value.strip())) from error
    if isinstance(network, IPv6Network) and network.prefixlen >= 96 and network.network_address.ipv4_mapped:
        network = ip_network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)


def _address_problem(value: str) -> str:
    try:
        return f"has bits set past its prefix; the network is {ip_network(value, strict=False)}"
    except ValueError:
        return "an IPv4 or IPv6 address or network, such as 192.0.2.7 or 2001:db8::/32"


def login(value: str) -> str:
    """A door's login: it must pass through a URL and through HTTP Basic."""
    if _LOGIN.fullmatch(value) is None:
        raise ValueError("1 to 64 visible ASCII characters, without a colon")
    return value


def country(value: str) -> str:
    """ISO 3166-1 alpha-2, of a country that has telephone numbers."""
    code = value.upper()
    if code not in SUPPORTED_REGIONS:
        raise ValueError("a country's two letters, such as FR (ISO 3166-1)")
    return code


def sender_of_type(value: str, type_: SenderType) -> str:
    """A sender that operators take, without a plus."""
    return sender(_SENDER_WORDS[type_], value).value


def scope(value: str) -> str:
    """One thing that a key may be used for."""
    if value not in SCOPES:
        raise ValueError("one of " + ", ".join(SCOPES))
    return value


def callback_url(value: str) -> str:
    """An http or https URL. Where it leads is checked when receipt connects: a name may change its address."""
    parts = urlsplit(value)
    try:
        named_port = parts.port  # raises ValueError of its own when it is no port
    except ValueError as error:
        raise ValueError("its port is no port") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or named_port == 0:
        raise ValueError("an absolute http or https URL")
    if parts.username is not None or parts.fragment:
        raise ValueError("without user, password or fragment")
    if len(value) > _LONGEST_URL or not value.isascii() or any(character <= " " for character in value):
        raise ValueError(f"at most {_LONGEST_URL} ASCII characters, percent-encoded, without blanks")
    return value

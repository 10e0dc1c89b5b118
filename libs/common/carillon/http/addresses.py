"""Whose address a request comes from, and whether it is on a list."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from starlette.types import Scope

Networks = tuple[str, ...]  # as they are written: what looks them up remembers its answers by that


def parse_networks(listed: str | Iterable[str]) -> Networks:
    """Addresses and networks, as a list or separated by commas; `ValueError` names the one that is none.

    Host bits are forgiven: `10.1.2.3/8` is `10.0.0.0/8`.
    """
    names = listed.split(",") if isinstance(listed, str) else listed
    return tuple(str(ip_network(name.strip(), strict=False)) for name in names if name.strip())


@lru_cache(maxsize=8192)
def address_in(address: str, networks: Networks) -> bool:
    """Whether an address is in one of the networks. An IPv4 address written as IPv6 counts as IPv4.

    An entry that is no network admits nobody, and what is no address is in no network.
    """
    found = _read_address(address)
    return found is not None and any(found in network for name in networks if (network := _read_network(name)))


def client_address(scope: Scope, trusted_proxies: Networks) -> str:
    """Address of the client: the peer's, or what a configured trusted proxy says, and nothing else.

    Each proxy appends the peer it saw to `X-Forwarded-For`; read from the right, the first entry that isn't a trusted
    proxy is the client, and all before it is hearsay. Empty, which is on no list, when a trusted proxy says nonsense.
    """
    peer: Sequence[Any] | None = scope.get("client")
    address = str(peer[0]) if peer else ""
    if not trusted_proxies or not address_in(address, trusted_proxies):
        return address
    header = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for").decode("latin-1")
    for entry in reversed([part.strip() for part in header.split(",")] if header else []):
        found = _read_address(_without_port(entry))
        if found is None:
            return ""
        address = str(found)
        if not address_in(address, trusted_proxies):
            break
    return address


def _without_port(entry: str) -> str:
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry


@lru_cache(maxsize=8192)
def _read_address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@lru_cache(maxsize=4096)
def _read_network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None

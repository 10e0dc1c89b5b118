"""Which addresses a callback may go to: nothing inside our own network, whatever a client's DNS says."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")  # RFC 8215
_SITE_LOCAL = ipaddress.ip_network("fec0::/10")  # RFC 3879
_SHARED = ipaddress.ip_network("100.64.0.0/10")  # RFC 6598


def is_public(text: str) -> bool:
    """Whether an address, as the resolver gave it, is on the public internet.

    Private, loopback, link-local, multicast, shared, reserved and unspecified addresses are not; neither is an IPv6
    address that carries such an IPv4 address (mapped, 6to4, Teredo, NAT64).
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return _is_public(address)


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = _carried(address)
        if inner is not None:
            return _is_public(inner)
        if address in _SITE_LOCAL or address in _NAT64_LOCAL:
            return False
    elif address in _SHARED:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address inside."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or int(address) >> 32 == 0:  # also the old IPv4-compatible ::a.b.c.d
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None

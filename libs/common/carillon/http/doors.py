"""Who may use a legacy push door: its addresses, its login and password, or both protect it."""

import base64
import binascii
import hmac

from carillon.events.account import Door
from carillon.http.addresses import address_in
from carillon.http.passwords import PasswordVerifier


async def authorise_door(
    door: Door, peer_address: str, login: str | None, password: str | None, verifier: PasswordVerifier
) -> bool:
    """Whether a request from `peer_address` (see `addresses.client_address`) with these credentials may pass.

    A door that nothing protects, or a login without a password's hash, admits nobody. `Problem` 503 when a password
    can't be verified just now. 3 us when the password is known.
    """
    if door.addresses and not address_in(peer_address, tuple(door.addresses)):
        return False
    if door.login is None and door.password_hash is None:
        return bool(door.addresses)
    if door.login is None or door.password_hash is None or login is None or password is None:
        return False
    # the password first, so that a wrong login takes as long as a right one
    fits = await verifier.verify(door.password_hash, password, peer_address)
    return hmac.compare_digest(login.encode("utf-8", "replace"), door.login.encode()) and fits


def basic_credentials(authorization: str | None) -> tuple[str, str] | None:
    """Login and password of an HTTP Basic header (RFC 7617), UTF-8 or else Latin-1; None when it is none."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        raw = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    login, colon, password = text.partition(":")
    return (login, password) if colon else None

"""WAP push, service indication: a link and a title, compiled for the handset's push port.

WBXML 1.2 (WAP-192), tokens of the SI document type (WAP-167, clause 8), a WSP push unit around it (WAP-230,
clause 8.2.4.1), application ports 2948 and 9200 in the user data header (3GPP TS 23.040 clause 9.2.3.24.4).
"""

import re
from typing import Final, NamedTuple
from urllib.parse import quote

from carillon.sms.udh import ports_udh

MAX_TITLE: Final = 50
PUSH_PORT: Final = 0x0B84  # 2948, WAP connectionless push
SOURCE_PORT: Final = 0x23F0  # 9200, WAP connectionless session

_WSP_PUSH: Final = b"\x06"
_CONTENT_TYPE_SIC: Final = b"\xae"  # application/vnd.wap.sic is 0x2E; the high bit makes it a short integer
_HEAD: Final = b"\x02\x05\x6a\x00"  # WBXML 1.2, public id of SI 1.0, UTF-8, no string table

_SI: Final = b"\x45"  # <si>, with content
_INDICATION: Final = b"\xc6"  # <indication>, with attributes and content
_INDICATION_EMPTY: Final = b"\x86"  # <indication>, with attributes only
_END: Final = b"\x01"
_STRING: Final = b"\x03"
_STRING_END: Final = b"\x00"

# WAP-167, 8.3.2: attribute start tokens, the longest first. 0x0B is href with nothing implied.
_HREF: Final = (
    ("https://www.", b"\x0f"),
    ("http://www.", b"\x0d"),
    ("https://", b"\x0e"),
    ("http://", b"\x0c"),
    ("", b"\x0b"),
)
# WAP-167, 8.3.3: attribute value tokens.
_DOMAINS: Final = {".com/": b"\x85", ".edu/": b"\x86", ".net/": b"\x87", ".org/": b"\x88"}
_DOMAIN: Final = re.compile("|".join(re.escape(domain) for domain in _DOMAINS))

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[!-~]+", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_KEPT_IN_URL: Final = "".join(chr(code) for code in range(0x21, 0x7F))


class WapPushInvalid(ValueError):  # noqa: N818  says what is wrong with the value
    """A push that cannot be compiled.

    `code` is `wap_url_invalid`, `wap_title_too_long` or `wap_title_invalid`.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class WapPush(NamedTuple):
    """User data of a push: `segment_binary(data, udh)` cuts it where one part is too short for it."""

    udh: bytes
    data: bytes


def wap_push(url: str, title: str = "", *, transaction: int = 1) -> WapPush:
    """Compile a link; raises WapPushInvalid.

    `url` is absolute; characters beyond ASCII are percent-encoded as UTF-8, but refused in the host.
    """
    url = _checked_url(url)
    if len(title) > MAX_TITLE:
        raise WapPushInvalid("wap_title_too_long", f"{len(title)} characters, {MAX_TITLE} at most")
    if _CONTROL.search(title):
        raise WapPushInvalid("wap_title_invalid", "a control character in the title")
    unit = bytes((transaction & 0xFF,)) + _WSP_PUSH + b"\x01" + _CONTENT_TYPE_SIC
    return WapPush(ports_udh(PUSH_PORT, SOURCE_PORT), unit + _wbxml(url, title))


def _checked_url(url: str) -> str:
    if _CONTROL.search(url) or " " in url:
        raise WapPushInvalid("wap_url_invalid", "a blank or control character in the URL")
    scheme, _, rest = url.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    quoted = url if url.isascii() else quote(url, safe=_KEPT_IN_URL)
    if not scheme or not host or not host.isascii() or _URL.fullmatch(quoted) is None:
        raise WapPushInvalid("wap_url_invalid", "not an absolute URL")
    return quoted


def _wbxml(url: str, title: str) -> bytes:
    href = _href(url)
    if not title:
        return _HEAD + _SI + _INDICATION_EMPTY + href + _END + _END
    return _HEAD + _SI + _INDICATION + href + _END + _inline(title) + _END + _END


def _href(url: str) -> bytes:
    start, token = next(entry for entry in _HREF if url.startswith(entry[0]))
    rest = url[len(start) :]
    domain = _DOMAIN.search(rest)
    if domain is None:
        return token + _inline(rest)
    return token + _inline(rest[: domain.start()]) + _DOMAINS[domain[0]] + _inline(rest[domain.end() :])


def _inline(text: str) -> bytes:
    return _STRING + text.encode() + _STRING_END if text else b""

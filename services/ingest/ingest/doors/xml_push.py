"""The XML of the legacy door: `<sms>` and its children, read without trust.

No document type, no entity, nothing that is not plain elements; the size is bounded by the door before.
"""

import re
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import fromstring

from ingest.domain.push import PARAMETERS
from ingest.domain.refusal import Refusal
from ingest.doors.form import decode_cp1252

_BOM: Final = b"\xef\xbb\xbf"
_BLANKS: Final = " \t\r\n"
_DECLARED: Final = re.compile(r"<\?xml\b[^>]*?\bencoding\s*=\s*[\"']([^\"'>]*)[\"']")
_ENCODINGS: Final[dict[str, str]] = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "utf-8",
    "iso-8859-1": "cp1252",  # what says Latin-1 and has octets of 0x80 to 0x9F means Windows-1252
    "latin1": "cp1252",
    "iso8859-1": "cp1252",
    "windows-1252": "cp1252",
    "cp1252": "cp1252",
}


def is_xml(body: bytes) -> bool:
    """Whether a body is bare XML: its first character says so, or the mark of an encoding that only XML has."""
    return body.removeprefix(_BOM).lstrip()[:1] == b"<" or body[:2] in (b"\xff\xfe", b"\xfe\xff")


def read_body(body: bytes) -> dict[str, str]:
    """The parameters of a bare XML body, in UTF-8 or in the encoding that it declares."""
    body = body.removeprefix(_BOM).lstrip()
    encoding = _encoding(body[:200].decode("latin-1"))
    if encoding == "utf-8":
        try:
            return _parameters(body.decode())
        except UnicodeDecodeError:
            raise Refusal("xml_invalid", "not UTF-8, and no other encoding is declared", "xmldata") from None
    return _parameters(decode_cp1252(body))


def read_field(text: str) -> dict[str, str]:
    """The parameters of the form field `xmldata`, which was decoded with the form."""
    text = text.lstrip("\ufeff" + _BLANKS)
    _encoding(text[:200])
    return _parameters(text)


def _encoding(head: str) -> str:
    declared = _DECLARED.match(head)
    encoding = _ENCODINGS.get(declared[1].lower()) if declared else "utf-8"
    if encoding is None:
        raise Refusal("xml_encoding", "UTF-8, ISO-8859-1 and Windows-1252 are read", "xmldata")
    return encoding


def _parameters(text: str) -> dict[str, str]:
    try:
        root: Element = fromstring(text, forbid_dtd=True)
    except (ParseError, ValueError):  # defusedxml's own errors are ValueErrors
        raise Refusal("xml_invalid", "not well-formed, or with a document type or entities", "xmldata") from None
    if _local(root) != "sms":
        raise Refusal("xml_invalid", "the root is <sms>", "xmldata")
    found: dict[str, str] = {}
    for child in root:
        name = _local(child)
        if name in PARAMETERS and name not in found:
            found[name] = "".join(child.itertext()).strip()
    return found


def _local(element: Element) -> str:
    """Name without its namespace, in lower case."""
    return element.tag.rpartition("}")[2].lower()

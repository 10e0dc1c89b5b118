"""The body of a legacy POST: gathered up to 64 KiB, and read as bare XML, a multipart form or an urlencoded one."""

import logging
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, create_form_parser
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from ingest.domain.push import PARAMETERS
from ingest.domain.refusal import Refusal
from ingest.doors.form import decode_form, decode_text
from ingest.doors.xml_push import is_xml, read_body, read_field

MAX_BODY_BYTES: Final = 64 * 1024

_FIELDS: Final = {name.encode(): name for name in (*PARAMETERS, "xmldata")}

# it warns of each odd octet that a client sends; the refusal says enough
logging.getLogger("python_multipart").setLevel(logging.ERROR)


async def gather(receive: Receive, max_bytes: int) -> bytes:
    """The whole body; `Refusal` as soon as it is over `max_bytes`, `ClientDisconnect` when the client is gone."""
    chunks: list[bytes] = []
    size_bytes = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size_bytes += len(chunk)
        if size_bytes > max_bytes:
            raise Refusal("body_too_large", f"{max_bytes} bytes at most")
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


def read_push(body: bytes, content_type: str) -> dict[str, str]:
    """The parameters that a body holds; `Refusal` for XML or a multipart form that cannot be read."""
    if is_xml(body):
        return read_body(body)
    fields = _multipart(body, content_type) if _is_multipart(content_type) else decode_form(body, _FIELDS)
    xml = fields.pop("xmldata", "")
    return {**read_field(xml), **fields} if xml else fields


def _is_multipart(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "multipart/form-data"


def _multipart(body: bytes, content_type: str) -> dict[str, str]:
    """Fields as given; an uploaded file counts as the field whose name it has."""
    found: dict[str, str] = {}

    def keep(name: bytes | None, value: bytes) -> None:
        known = _FIELDS.get((name or b"").strip().lower())
        if known is not None:
            found.setdefault(known, decode_text(value).strip())

    def on_field(field: Field) -> None:
        keep(field.field_name, field.value or b"")

    def on_file(file: File) -> None:
        file.file_object.seek(0)
        keep(file.field_name, file.file_object.read())
        file.close()

    try:
        parser = create_form_parser({"Content-Type": content_type.encode("latin-1", "replace")}, on_field, on_file)
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError):
        raise Refusal("multipart_invalid", "the multipart form cannot be read", "xmldata") from None
    return found

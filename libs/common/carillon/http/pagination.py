"""Lists, a page at a time: an opaque cursor says where the next page begins."""

import base64
import binascii
from typing import Annotated, Generic, TypeVar
from urllib.parse import parse_qsl, urlencode

import msgspec
from fastapi import Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from carillon.http.problem import FieldError, Problem

T = TypeVar("T")
C = TypeVar("C")

MAX_CURSOR = 512
Limit = Annotated[int, Query(ge=1, le=500, description="items on a page, at most")]
CursorParameter = Annotated[str | None, Query(max_length=MAX_CURSOR, description="`next` of the page before")]


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next: Annotated[str | None, Field(description="cursor of the next page; null: this is the last")] = None


def encode_cursor(place: object) -> str:
    """Where a page begins (a number, a text, or a tuple of them) as an opaque word.

    It isn't signed: it only says where to go on, and what is shown there is the asking account's all the same.
    """
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()


def decode_cursor(cursor: str, kind: type[C]) -> C:
    """The place that `encode_cursor` was given, of type `kind` (e.g.

    `tuple[int, str]`); `Problem` 400 if it is none.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=kind)
    except (binascii.Error, ValueError):
        error = FieldError(parameter="cursor", code="bad_cursor", detail="Take it from `next`, as it is.")
        raise Problem(400, "bad_cursor", "The cursor is none of ours.", errors=[error]) from None


def add_next_link(request: Request, response: Response, cursor: str | None) -> None:
    """Add `Link: <...>; rel="next"` (RFC 8288): this request's path and parameters, with the next cursor."""
    if cursor is None:
        return
    parameters = [(name, value) for name, value in parse_qsl(request.url.query) if name != "cursor"]
    query = urlencode([*parameters, ("cursor", cursor)])
    response.headers.append("Link", f'<{request.url.path}?{query}>; rel="next"')

"""Errors as RFC 9457 problems, with a stable `code` and the fields that are wrong in `errors`."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

Headers = Mapping[str, str]

MEDIA_TYPE = "application/problem+json"


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing wrong in a request. It never quotes the value: that may be a number or a text."""

    code: str
    detail: str
    pointer: str | None = None  # RFC 6901 into the JSON body, as a fragment: #/messages/3/to
    parameter: str | None = None  # name of a query, path or header parameter


class Problem(Exception):  # noqa: N818  RFC 9457's word
    """Raise it anywhere while a request is served: the client gets it as `application/problem+json`.

    `code` is a stable word for programs, `detail` a sentence for people about this occurrence.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str | None = None,
        *,
        title: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Headers | None = None,
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.title = title or HTTPStatus(status).phrase
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """The problem as JSON."""
        members: dict[str, Any] = {
            "type": f"urn:problem-type:carillon:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
        }
        if self.detail is not None:
            members["detail"] = self.detail
        if self.errors:
            members["errors"] = self.errors
        return msgspec.json.encode(members)


def not_found(detail: str | None = None) -> Problem:
    """404: there is nothing here, or nothing of yours."""
    return Problem(404, "not_found", detail)


def overloaded(retry_after_s: int = 1, detail: str = "Too much is waiting already; try again.") -> Problem:
    """503: the platform can't take it now, and says when to come back."""
    return Problem(503, "overloaded", detail, headers=retry_after(retry_after_s))


def too_many_requests(retry_after_s: int, detail: str = "This caller sends too much; slow down.") -> Problem:
    """429: this caller is over its limit, and is told when to come back."""
    return Problem(429, "too_many_requests", detail, headers=retry_after(retry_after_s))


def retry_after(seconds: float) -> dict[str, str]:
    """The header that goes with 429 and 503: whole seconds, at least one (RFC 9110, 10.2.3)."""
    return {"Retry-After": str(max(1, -int(-seconds // 1)))}


# What OpenAPI says of every operation's errors.
SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "RFC 9457 problem details",
    "type": "object",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "stable word"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer into the body"},
                    "parameter": {"type": "string", "description": "query, path or header parameter"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "Problem",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}

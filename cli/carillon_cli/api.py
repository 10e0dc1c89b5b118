"""Small HTTP calls to our own services, without a library that takes time to load."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """A call was refused; `status` is HTTP's, the text what the service said, `code` its word for programs."""

    def __init__(self, status: int, text: str, code: str = "") -> None:
        super().__init__(f"HTTP {status}: {text}" if status else text)
        self.status = status
        self.code = code


class AdminApi:
    """The accounts service's admin API, with the platform's token."""

    timeout_s = 10.0

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One call; returns what the JSON answer holds (None when empty). ApiError when refused, OSError when away."""
        request = urllib.request.Request(  # noqa: S310 - the address is our own
            self.url + path,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        return send(request, self.timeout_s)


def send(request: urllib.request.Request, timeout_s: float) -> Any:
    """Make a call; the JSON answer, None when empty. ApiError when refused, OSError when away."""
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 - the address is our own
            text = answer.read()
    except urllib.error.HTTPError as refusal:
        raise _error_of(refusal.code, refusal.read().decode(errors="replace")) from refusal
    return json.loads(text) if text else None


def _error_of(status: int, text: str) -> ApiError:
    """A problem (RFC 9457) in words; anything else as it came."""
    try:
        problem = json.loads(text)
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or "title" not in problem:
        return ApiError(status, text)
    lines = [problem.get("detail") or problem["title"]]
    for error in problem.get("errors", ()):
        where = error.get("pointer") or error.get("parameter") or ""
        lines += [f"{where} {error.get('detail', '')}".strip()]
    return ApiError(status, "\n".join(lines), problem.get("code", ""))


def is_ready(url: str) -> bool:
    """Whether a service (or the front) says that it works: `GET /readyz` answers 200."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:  # noqa: S310 - the address is our own
            return bool(answer.status == 200)
    except OSError:  # refused, reset, timed out, or an HTTP error
        return False


def problems_of(url: str) -> str:
    """What keeps it from being ready, in its own words."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:  # noqa: S310 - the address is our own
            return str(answer.read().decode(errors="replace"))
    except urllib.error.HTTPError as refusal:
        return refusal.read().decode(errors="replace")
    except OSError as error:
        return str(error)

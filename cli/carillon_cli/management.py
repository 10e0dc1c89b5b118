"""RabbitMQ's management API, as far as people's commands need it."""

import base64
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, unquote, urlsplit


class ManagementError(Exception):
    """The API does not answer, or refuses; the text says which."""


class ManagementApi:
    """Reads about one virtual host of a broker. `url` carries the credentials."""

    def __init__(self, url: str, vhost: str) -> None:
        parts = urlsplit(url)
        user = f"{unquote(parts.username or 'guest')}:{unquote(parts.password or 'guest')}"
        port = f":{parts.port}" if parts.port else ""
        self._base = f"{parts.scheme}://{parts.hostname}{port}{parts.path.rstrip('/')}/api"
        self._authorization = "Basic " + base64.b64encode(user.encode()).decode()
        self._vhost = quote(vhost, safe="")

    def overview(self) -> dict[str, Any]:
        """Version and cluster name."""
        answer: dict[str, Any] = self._get("/overview")
        return answer

    def nodes(self) -> list[dict[str, Any]]:
        """Each node's alarms, memory and disk."""
        answer: list[dict[str, Any]] = self._get("/nodes")
        return answer

    def features(self) -> dict[str, str]:
        """Feature flags: name -> state."""
        return {flag["name"]: flag["state"] for flag in self._get("/feature-flags")}

    def queues(self) -> dict[str, dict[str, Any]]:
        """The virtual host's queues by name."""
        return {queue["name"]: queue for queue in self._get(f"/queues/{self._vhost}")}

    def bindings(self, exchange: str) -> set[tuple[str, str]]:
        """(queue, routing key) of what is bound to an exchange; empty when there is no such exchange."""
        try:
            found = self._get(f"/exchanges/{self._vhost}/{quote(exchange, safe='')}/bindings/source")
        except LookupError:
            return set()
        return {(binding["destination"], binding["routing_key"]) for binding in found}

    def _get(self, path: str) -> Any:
        request = urllib.request.Request(self._base + path, headers={"Authorization": self._authorization})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the address is the platform's own
                return json.loads(answer.read())
        except urllib.error.HTTPError as refusal:
            if refusal.code == 404:
                raise LookupError(path) from refusal
            raise ManagementError(f"{self._base}{path}: HTTP {refusal.code}") from refusal
        except (OSError, ValueError) as error:
            raise ManagementError(f"{self._base}: {error}") from error

"""A whole platform, one process per service, whose processes can be killed and started again."""

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from carillon_cli import up as platform
from carillon_cli.servers import Home, default_home, discard_servers
from carillon_cli.servers.ports import choose_ports


@dataclass
class Platform:
    """A platform that survives its processes: `up` starts again what has died."""

    home: Home
    port: int
    env: dict[str, str] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)  # goes before what demo.env says
    starting_number: int = 0

    def up(self) -> None:
        platform.bring_up(self.home, self.port, True, lambda _: None)
        lines = (self.home.path / "demo.env").read_text().splitlines()
        pairs = (line.removeprefix("export ").partition("=") for line in lines if "=" in line)
        self.env = {name: value.strip("'\"") for name, _, value in pairs} | self.own

    def kill(self, name: str) -> None:
        os.kill(int(self.home.pid_file(name).read_text()), signal.SIGKILL)

    def call(self, method: str, url: str, body: Any = None, token: str = "") -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        with urllib.request.urlopen(
            urllib.request.Request(url, data=data, method=method, headers=headers), timeout=60
        ) as answer:
            return json.loads(answer.read() or b"null")

    def simulator(self, path: str, method: str = "GET", body: Any = None) -> Any:
        port = self.home.recall("services")["simulator"]
        return self.call(method, f"http://127.0.0.1:{port}/simulator{path}", body)

    def listed(self, status: str) -> dict[str, str]:
        """The account's messages in this state, as the API lists them: id -> number."""
        found: dict[str, str] = {}
        first = f"{self.env['CARILLON_URL']}/v1/messages?status={status}&limit=100"
        url = first
        while url:
            page = self.call("GET", url, token=self.env["CARILLON_API_KEY"])
            found |= {message["id"]: message["to"] for message in page["items"]}
            following = page.get("next")
            url = f"{first}&cursor={following}" if following else ""
        return found


@contextmanager
def running_platform(name: str) -> Iterator[Platform]:
    """A platform with data of its own, gone at the end."""
    root = default_home()
    home = Home(root / "test" / f"{os.getpid()}-{name}", tools=root / "tools")
    home.make()
    one = Platform(home, choose_ports(home.path, ["front"], 20_000)["front"])
    try:
        one.up()
        yield one
    finally:
        platform.bring_down(home, lambda _: None)
        discard_servers(home)

"""The data folder of one checkout: where servers and services keep their data, logs, pids and ports."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[3]


def default_home() -> Path:
    """`CARILLON_HOME`, or `.carillon` in the checkout, or `.carillon` here when installed without one."""
    chosen = os.environ.get("CARILLON_HOME")
    if chosen:
        return Path(chosen).expanduser().resolve()
    base = REPOSITORY if (REPOSITORY / "requirements").is_dir() else Path.cwd()
    return base / ".carillon"


class Home:
    """Paths inside one data folder, and the few facts (ports, passwords) remembered in its servers.json."""

    def __init__(self, path: Path, tools: Path | None = None) -> None:
        """`tools` is where a downloaded mongod is kept; another home's, so that it is downloaded once."""
        self.path = path.resolve()
        self.tools = (tools or self.path / "tools").resolve()
        self.run = self.path / "run"
        self.logs = self.path / "logs"

    def make(self) -> None:
        """Create the folders; only their owner may look inside, for they hold passwords."""
        for folder in (self.path, self.run, self.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def remove(self) -> None:
        """Delete everything, once nothing runs from it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def pid_file(self, name: str) -> Path:
        """`run/<name>.pid`, present for every process started from this home."""
        return self.run / f"{name}.pid"

    def log_file(self, name: str) -> Path:
        """`logs/<name>.log`, what the process printed."""
        return self.logs / f"{name}.log"

    def recall(self, name: str) -> dict[str, Any]:
        """What was remembered for a server; empty the first time."""
        found: dict[str, Any] = self._memory().get(name, {})
        return found

    def remember(self, name: str, facts: dict[str, Any]) -> None:
        """Keep a server's facts for the next start, readable by the owner only."""
        memory = self._memory() | {name: facts}
        write_private(self.path / "servers.json", json.dumps(memory, indent=2) + "\n")

    def _memory(self) -> dict[str, dict[str, Any]]:
        try:
            memory: dict[str, dict[str, Any]] = json.loads((self.path / "servers.json").read_text())
        except FileNotFoundError:
            return {}
        return memory

    @contextmanager
    def locked(self, say: Callable[[str], None]) -> Iterator[None]:
        """Hold off a second start or stop on the same home until this one is done."""
        self.make()
        with (self.run / "servers.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"waiting for another start or stop in {self.path}")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, mode 0600: a reader sees the old text or the new, never half of it."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)

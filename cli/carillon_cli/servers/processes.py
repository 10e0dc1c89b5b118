"""Detached processes that are known by their pid files."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from carillon_cli.servers.errors import ServerError
from carillon_cli.servers.home import Home

# The shell goes at once, so that the server belongs to init and not to whoever started it.
DETACH = 'exec </dev/null 3>&1 >>"$0" 2>&1; "$@" 3>&- & echo $! >&3'
POLL_S = 0.05


def start_detached(home: Home, name: str, command: Sequence[str | Path], env: Mapping[str, str]) -> int:
    """Start a process in a session of its own, its output in logs/, its pid in run/; returns the pid."""
    shell = ["/bin/sh", "-c", DETACH, str(home.log_file(name)), *map(str, command)]
    answer = subprocess.run(
        shell,
        env=dict(env),
        cwd=home.path,
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    pid = int(answer.stdout)
    home.pid_file(name).write_text(f"{pid}\n")
    return pid


def running_pid(pid_file: Path) -> int | None:
    """The pid in the file if that very process still runs; a younger one only reuses the number."""
    try:
        pid = int(pid_file.read_text())
        written_s = pid_file.stat().st_mtime
        os.kill(pid, 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    except PermissionError:  # somebody else's: not what we started
        return None
    started_s = _started_s(pid)
    return pid if started_s is not None and started_s <= written_s + 2 else None


def _started_s(pid: int) -> float | None:
    """When the process started (seconds since 1970), or None when it is gone or a zombie (proc(5))."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime"))
    except (FileNotFoundError, ProcessLookupError):
        return None
    if after_name[0] in "ZX":
        return None
    return int(boot.split()[1]) + int(after_name[19]) / os.sysconf("SC_CLK_TCK")


def stop_by_pid_file(pid_file: Path, timeout_s: float = 30.0) -> bool:
    """Ask the process to stop, wait, and kill it if it does not; says whether there was one to stop."""
    pid = running_pid(pid_file)
    if pid is not None:
        for number, patience_s in ((signal.SIGTERM, timeout_s), (signal.SIGKILL, 10.0)):
            _signal(pid, number)
            if wait_until(lambda: running_pid(pid_file) is None, patience_s):
                break
    pid_file.unlink(missing_ok=True)
    return pid is not None


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it went by itself


def kill_by_pid_file(pid_file: Path) -> None:
    """End the process at once, as a crash would."""
    pid = running_pid(pid_file)
    if pid is not None:
        _signal(pid, signal.SIGKILL)
        wait_until(lambda: running_pid(pid_file) is None, 10.0)
    pid_file.unlink(missing_ok=True)


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Look again and again until the condition holds (True) or the time is over (False)."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def wait_ready(home: Home, name: str, ready: Callable[[], bool], timeout_s: float) -> None:
    """Wait until the started process answers; ServerError with its log's end if it does not."""
    pid_file = home.pid_file(name)
    deadline = time.monotonic() + timeout_s
    while running_pid(pid_file) is not None and time.monotonic() < deadline:
        if ready():
            return
        time.sleep(POLL_S)
    fate = "does not answer" if running_pid(pid_file) else "stopped while starting"
    log = home.log_file(name)
    end = "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else "(no log)"
    raise ServerError(f"{name} {fate} (its log: {log})\n{end}")

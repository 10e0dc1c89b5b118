"""CPU and memory of processes, with their children's, as the kernel counts them."""

from dataclasses import dataclass
from pathlib import Path

import psutil

from carillon_cli.servers import Home


@dataclass(frozen=True)
class Usage:
    cpu_s: float
    memory_mib: float


def usage_of(home: Home, names: list[str]) -> dict[str, Usage]:
    return {name: _of(int(home.pid_file(name).read_text())) for name in names}


def forget_peaks(home: Home, names: list[str]) -> None:
    """`peaks_of` begins anew (proc(5), clear_refs)."""
    for name in names:
        Path(f"/proc/{int(home.pid_file(name).read_text())}/clear_refs").write_text("5")


def peaks_of(home: Home, names: list[str]) -> dict[str, float]:
    """The most memory (MiB) that each process itself had at once."""
    peaks = {}
    for name in names:
        status = Path(f"/proc/{int(home.pid_file(name).read_text())}/status").read_text()
        peaks[name] = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
    return peaks


def _of(pid: int) -> Usage:
    process = psutil.Process(pid)
    cpu_s = 0.0
    memory = 0
    for one in (process, *process.children(recursive=True)):
        times = one.cpu_times()
        cpu_s += times.user + times.system
        memory += one.memory_info().rss
    return Usage(cpu_s, memory / 2**20)

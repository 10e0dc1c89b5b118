"""CPU and memory of processes, with their children's, as the kernel counts them."""

from dataclasses import dataclass

import psutil

from carillon_cli.servers import Home


@dataclass(frozen=True)
class Usage:
    cpu_s: float
    memory_mib: float


def usage_of(home: Home, names: list[str]) -> dict[str, Usage]:
    return {name: _of(int(home.pid_file(name).read_text())) for name in names}


def _of(pid: int) -> Usage:
    process = psutil.Process(pid)
    cpu_s = 0.0
    memory = 0
    for one in (process, *process.children(recursive=True)):
        times = one.cpu_times()
        cpu_s += times.user + times.system
        memory += one.memory_info().rss
    return Usage(cpu_s, memory / 2**20)

"""Private ports, chosen so that two checkouts on one machine do not meet.

All are below 32768, where Linux starts to hand out ports to outgoing connections, and away from the usual
ports of RabbitMQ (5672, 15672, 25672, 4369) and MongoDB (27017), which belong to the system's own servers.
"""

import socket
import time
import zlib
from pathlib import Path

from carillon_cli.servers.errors import ServerError

FIRST_PORT = 26_000
BLOCKS = 200
BLOCK_SIZE = 10
WAIT_S = 3.0


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def comes_free(port: int) -> bool:
    """Whether a server could listen there, now or in a moment: a killed one's port is not free at once."""
    deadline_s = time.monotonic() + WAIT_S
    while not is_free(port):
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.05)
    return True


def choose_ports(home: Path, names: list[str], first: int = FIRST_PORT) -> dict[str, int]:
    """A free port for each name (at most 10), all from one block; the home says where to look first."""
    start = zlib.crc32(str(home).encode())
    for step in range(BLOCKS):
        base = first + (start + step) % BLOCKS * BLOCK_SIZE
        ports = dict(zip(names, range(base, base + BLOCK_SIZE), strict=False))
        if all(is_free(port) for port in ports.values()):
            return ports
    raise ServerError(f"no free ports between {first} and {first + BLOCKS * BLOCK_SIZE}")

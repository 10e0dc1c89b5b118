#!/usr/bin/env -S python3 -I -S
"""`probe [PATH]`: exits 0 when the service of this container answers 200 at PATH (`/livez`), else 1.

It loads nothing but sockets: it runs every few seconds in every container (10 ms of CPU).
"""

import os
import socket
import sys
from pathlib import Path

TIMEOUT_S = 3.0


def main(path: str) -> int:
    """Ask once; the answer's first line decides."""
    variable = f"CARILLON_{os.environ['SERVICE'].replace('-', '_').upper()}_PORT"
    port = os.environ.get(variable) or Path("/opt/carillon/port").read_text(encoding="ascii")
    try:
        with socket.create_connection(("127.0.0.1", int(port)), timeout=TIMEOUT_S) as link:
            link.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            said = b""
            while b"\r\n" not in said and (chunk := link.recv(1024)):
                said += chunk
    except OSError as error:
        print(error, file=sys.stderr)  # noqa: T201 - Docker keeps it as the health's reason
        return 1
    return 0 if said.split(b" ", 2)[1:2] == [b"200"] else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2] or ["/livez"]))

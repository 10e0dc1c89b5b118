"""Debian and Ubuntu packages, installed without starting or enabling what they bring."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from carillon_cli.servers.errors import ServerError

POLICY = Path("/usr/sbin/policy-rc.d")
UNITS = ("rabbitmq-server.service", "epmd.service", "epmd.socket")


def root_prefix() -> list[str] | None:
    """What to put before a command to run it as root: nothing, sudo, or None when neither is possible."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo is None:
        return None
    if subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return [sudo, "-n"]
    return [sudo] if sys.stdin.isatty() else None


def can_install() -> bool:
    """Whether this machine has apt-get and lets us use it."""
    return shutil.which("apt-get") is not None and root_prefix() is not None


def install(packages: Sequence[str], log: Path, say: Callable[[str], None]) -> None:
    """Install packages with apt-get; services that they bring are neither started nor enabled."""
    prefix = root_prefix()
    if prefix is None:
        raise ServerError(f"installing {' '.join(packages)} needs root or sudo")
    say(f"installing {' '.join(packages)} with apt-get (a minute or two; log: {log})")
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300", "-q"]
    with log.open("ab") as output, _no_service_starts(prefix):
        # A failed update (one mirror of several, a stale list) need not matter: the install decides.
        subprocess.run([*apt, "update"], stdout=output, stderr=output, check=False)
        done = subprocess.run(
            [*apt, "install", "-y", "--no-install-recommends", *packages],
            stdout=output,
            stderr=output,
            check=False,
        )
    if done.returncode:
        raise ServerError(f"apt-get could not install {' '.join(packages)} (log: {log})")


@contextmanager
def _no_service_starts(prefix: list[str]) -> Iterator[None]:
    """Deny service starts while packages are set up, and disable units that were not there before."""
    known = _known_units()
    ours = not POLICY.exists()
    if ours:
        subprocess.run([*prefix, "tee", str(POLICY)], input=b"#!/bin/sh\nexit 101\n", capture_output=True, check=True)
        subprocess.run([*prefix, "chmod", "755", str(POLICY)], check=True)
    try:
        yield
    finally:
        if ours:
            subprocess.run([*prefix, "rm", "-f", str(POLICY)], check=False)
        fresh = sorted(_known_units() - known)
        if fresh:
            subprocess.run([*prefix, "systemctl", "disable", *fresh], capture_output=True, check=False)


def _known_units() -> set[str]:
    """Which of the units that would start a system broker exist; none where there is no systemctl."""
    if shutil.which("systemctl") is None:
        return set()
    folders = (Path("/lib/systemd/system"), Path("/usr/lib/systemd/system"))
    return {unit for unit in UNITS if any((folder / unit).exists() for folder in folders)}

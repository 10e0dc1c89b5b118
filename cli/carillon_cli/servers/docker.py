"""A server in a container, for machines whose only source is a Docker engine."""

import shutil
import subprocess
import zlib
from collections.abc import Callable, Sequence

from carillon_cli.servers.errors import ServerError
from carillon_cli.servers.home import Home


def engine_answers() -> bool:
    """Whether there is a docker program and an engine behind it."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        asked = subprocess.run([docker, "info"], capture_output=True, timeout=10, check=False)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


def container_name(home: Home, name: str) -> str:
    """One container a home and server, so that two checkouts do not meet."""
    return f"carillon-{zlib.crc32(str(home.path).encode()):08x}-{name}"


def start_container(
    home: Home,
    name: str,
    image: str,
    options: Sequence[str],
    command: Sequence[str],
    say: Callable[[str], None],
) -> None:
    """Start the server's container, its data in a volume of the same name, its pid in run/."""
    container = container_name(home, name)
    say(f"starting {name} in a container ({image}; the first time it is downloaded)")
    _docker("rm", "--force", container)
    _docker("run", "--detach", "--name", container, "--hostname", name, *options, image, *command)
    pid = _docker("inspect", "--format", "{{.State.Pid}}", container)
    home.pid_file(name).write_text(f"{pid}\n")


def is_running(home: Home, name: str) -> bool:
    """Whether the server's container runs."""
    try:
        return _docker("inspect", "--format", "{{.State.Running}}", container_name(home, name)) == "true"
    except ServerError:
        return False


def stop_container(home: Home, name: str) -> None:
    """Stop and remove the container; its volume stays."""
    container = container_name(home, name)
    _docker("stop", "--time", "30", container)
    _docker("rm", "--force", container)
    home.pid_file(name).unlink(missing_ok=True)


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode and arguments[0] != "rm":
        raise ServerError(f"docker {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()

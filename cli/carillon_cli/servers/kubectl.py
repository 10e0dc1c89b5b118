"""kubectl, for the tests that render infra/k8s. Nothing that runs needs it."""

import shutil
from collections.abc import Callable

from carillon_cli.servers import packages
from carillon_cli.servers.errors import ServerError
from carillon_cli.servers.home import Home

PACKAGE = "kubernetes-client"  # Debian; its kubectl renders with kustomize 2.0.3 or later


def install(home: Home, say: Callable[[str], None]) -> None:
    """Install kubectl if it is missing and can be had; without it those tests are skipped."""
    if shutil.which("kubectl") or not packages.can_install():
        return
    try:
        packages.install([PACKAGE], home.log_file("apt"), say)
    except ServerError as error:
        say(f"{error}; tests of infra/k8s are skipped")

"""The API as an account uses it: the address and the key of the environment, or of the demo account."""

import os
import shlex
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from carillon_cli.api import AdminApi, ApiError, send
from carillon_cli.servers import default_home

_UPLOAD_TIMEOUT_S = 600
_AWAY_S = 30.0
_AGAIN_S = 0.5


class AccountApi(AdminApi):
    """With an API key in place of the platform's token."""

    timeout_s = 60.0  # a start may have to write all texts first

    def look(self, path: str) -> Any:
        """GET; a service that is being started again is asked again for half a minute."""
        until_s = time.monotonic() + _AWAY_S
        while True:
            try:
                return self.call("GET", path)
            except ApiError as error:
                if error.status < 500 or time.monotonic() > until_s:
                    raise
            except OSError:
                if time.monotonic() > until_s:
                    raise
            time.sleep(_AGAIN_S)

    def upload(self, path: str, file: Path, options: Mapping[str, str]) -> Any:
        """POST a file as it is, in pieces; the JSON answer. ApiError when refused, OSError when away."""
        with file.open("rb") as data:
            request = urllib.request.Request(  # noqa: S310 - the address is our own
                f"{self.url}{path}?{urllib.parse.urlencode(options)}",
                method="POST",
                data=data,
                headers={
                    "Authorization": f"Bearer {self.token}",
                    "Content-Type": "application/octet-stream",
                    "Content-Length": str(file.stat().st_size),
                },
            )
            return send(request, _UPLOAD_TIMEOUT_S)


def account_api(environ: Mapping[str, str] = os.environ) -> AccountApi:
    """`CARILLON_URL` and `CARILLON_API_KEY`, or those of .carillon/demo.env; ApiError says how to get them."""
    values = {**_demo_env(default_home() / "demo.env"), **environ}
    url, key = values.get("CARILLON_URL"), values.get("CARILLON_API_KEY")
    if not url or not key:
        raise ApiError(0, "no address and key: `carillon up` makes them, or set CARILLON_URL and CARILLON_API_KEY")
    return AccountApi(url, key)


def _demo_env(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    pairs = (line.partition("=") for line in path.read_text().splitlines() if "=" in line)
    return {name: "".join(shlex.split(value)) for name, _, value in pairs}

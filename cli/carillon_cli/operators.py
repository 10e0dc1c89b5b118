"""The operators file of a machine where someone tries Carillon: one operator, the simulator, takes everything."""

from pathlib import Path

from carillon_cli.servers.home import Home, write_private

MARK = "# Written by `carillon up`: this first line makes it write the file again; remove it to keep your changes.\n"

TEMPLATE = """\
[[operators]]
name = "simulator"
kind = "smpp"
host = "127.0.0.1"
port = {port}
system_id = "carillon"
password = "{password}"
bind = "transceiver"
binds = 2
window = 100

[[routes]]
prefix = ""
operators = [ {{ name = "simulator" }} ]
"""


def write_operators_file(home: Home, port: int, password: str) -> Path:
    """`operators.toml` in the home, unless a person has made it his own; returns its path."""
    path = home.path / "operators.toml"
    if not path.exists() or path.read_text(encoding="utf-8").startswith(MARK):
        write_private(path, MARK + TEMPLATE.format(port=port, password=password))
    return path

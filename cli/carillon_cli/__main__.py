"""`python -m carillon_cli`, which `carillon up` uses to start processes with the same Python."""

from carillon_cli.main import app

app()

"""`python -m receipt`."""

from carillon.http.serve import run_service
from receipt.main import build
from receipt.settings import Settings

if __name__ == "__main__":
    run_service(build, Settings)

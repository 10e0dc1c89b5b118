"""`python -m accounts`."""

from accounts.main import build
from accounts.settings import Settings
from carillon.http.serve import run_service

if __name__ == "__main__":
    run_service(build, Settings)

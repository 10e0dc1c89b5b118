"""`python -m simulator`."""

from carillon.http.serve import run_service
from simulator.main import build
from simulator.settings import Settings

if __name__ == "__main__":
    run_service(build, Settings)

"""`python -m dispatcher`."""

from carillon.http.serve import run_service
from dispatcher.main import build
from dispatcher.settings import Settings

if __name__ == "__main__":
    run_service(build, Settings)

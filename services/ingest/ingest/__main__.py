"""`python -m ingest`."""

from carillon.http.serve import run_service
from ingest.main import build
from ingest.settings import Settings

if __name__ == "__main__":
    run_service(build, Settings)

"""`python -m contacts`."""

from carillon.http.serve import run_service
from contacts.main import build
from contacts.settings import Settings

if __name__ == "__main__":
    run_service(build, Settings)

"""`python -m campaign_scheduler`."""

from campaign_scheduler.main import build
from campaign_scheduler.settings import Settings
from carillon.http.serve import run_service

if __name__ == "__main__":
    run_service(build, Settings)

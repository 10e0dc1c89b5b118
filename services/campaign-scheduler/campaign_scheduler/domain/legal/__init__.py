"""When a marketing SMS may be sent: by the recipient's country, clock and public holidays."""

from campaign_scheduler.domain.legal.profiles import PROFILES, Profile
from campaign_scheduler.domain.legal.windows import Opening, next_open

__all__ = ["PROFILES", "Opening", "Profile", "next_open"]

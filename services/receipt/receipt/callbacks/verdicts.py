"""What an attempt means for its callback: done, again later, or parked."""

import random

from receipt.callbacks.client import Outcome
from receipt.domain.schedule import pause_s
from receipt.store.callbacks import Attempt, Verdict

GONE = 410
GONE_REASON = "the URL answered 410 Gone"


def verdict_of(callback_id: str, tries: int, outcome: Outcome, now_ms: int) -> Verdict:
    """`tries` counts this attempt too."""
    attempt = Attempt(now_ms - outcome.took_ms, outcome.status, outcome.error, outcome.took_ms)
    if outcome.ok:
        return Verdict(callback_id, "done", now_ms, attempt)
    if outcome.status == GONE:
        return Verdict(callback_id, "parked", now_ms, attempt, GONE_REASON)
    pause = pause_s(tries, random.random(), outcome.retry_after_s)  # noqa: S311  spreads load, hides nothing
    if pause is None:
        return Verdict(callback_id, "parked", now_ms, attempt, f"{tries} attempts failed")
    return Verdict(callback_id, "pending", now_ms + round(pause * 1000), attempt)

"""The campaigns that this process runs: it takes what is free, and is woken when there is something to do."""

import asyncio
from typing import Final

import structlog

from campaign_scheduler.runner import Runner
from campaign_scheduler.store.campaigns import CampaignStore
from carillon.mongo import TEMPORARY_ERRORS
from carillon.runtime.background import Every
from carillon.runtime.clock import Clock

log = structlog.get_logger(__name__)

_SWEEP_S: Final = 0.5
_AGAIN_S: Final = 3.0  # another process had it
MOST: Final = 100


class Runners:
    """A part. Each campaign has one task here at most; a lease says in which process."""

    def __init__(self, campaigns: CampaignStore, runner: Runner, clock: Clock) -> None:
        self._campaigns = campaigns
        self._runner = runner
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._woken: dict[str, asyncio.Event] = {}
        self._tried: dict[str, float] = {}
        self._sweeper = Every("campaigns to run", _SWEEP_S, self.sweep)
        self._stopping = False

    async def start(self) -> None:
        """Begin to look for campaigns."""
        await self._sweeper.start()

    async def stop(self) -> None:
        """Leave every campaign where it is: another process, or the next start, goes on."""
        self._stopping = True
        await self._sweeper.stop()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def wake(self, campaign_id: str) -> None:
        """Something happened to a campaign; if it runs here, look at once."""
        event = self._woken.get(campaign_id)
        if event is not None:
            event.set()

    def begin(self, campaign_id: str) -> None:
        """Run it here, if nobody does."""
        if campaign_id in self._tasks or len(self._tasks) >= MOST or self._stopping:
            return
        self._woken[campaign_id] = asyncio.Event()
        self._tried[campaign_id] = self._clock.monotonic_s()
        self._tasks[campaign_id] = asyncio.create_task(self._run(campaign_id), name=campaign_id)

    async def sweep(self) -> None:
        """Take up what is free: new ones, and those whose process died."""
        now_s = self._clock.monotonic_s()
        self._tried = {id_: at_s for id_, at_s in self._tried.items() if now_s - at_s < _AGAIN_S}
        for campaign_id in await self._campaigns.to_run():
            if campaign_id not in self._tried:
                self.begin(campaign_id)

    async def _run(self, campaign_id: str) -> None:
        try:
            await self._runner.run(campaign_id, self._woken[campaign_id])
        except TEMPORARY_ERRORS as error:
            log.warning("campaign.waits", campaign=campaign_id, error=repr(error))
        except Exception:
            log.exception("campaign.failed", campaign=campaign_id)
        finally:
            del self._tasks[campaign_id], self._woken[campaign_id]

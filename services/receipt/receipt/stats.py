"""What the API says in numbers: an account's counted hours, added up as they are asked for."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from pydantic import BaseModel, Field

from carillon.runtime.clock import rfc3339
from receipt.domain.tallies import HOUR_MS, Key, Tally, add_hour
from receipt.store.stats import StatsStore

GroupBy = Literal["status", "day", "hour", "country", "operator", "campaign", "error", "sender"]
GROUPS: tuple[GroupBy, ...] = get_args(GroupBy)
MAX_GROUPS = 10_000


class TooManyGroupsError(Exception):
    """More groups than an answer holds."""


class LatencyView(BaseModel):
    """Milliseconds from acceptance to delivery, within 4.5 %."""

    p50: int
    p95: int


class TallyView(BaseModel):
    """Messages in numbers."""

    messages: int
    parts: int
    price_micros: int = Field(description="sum of the prices that are known")
    delivered: int
    delivery_rate: float | None = Field(description="delivered of all; null where there are none")
    latency_ms: LatencyView | None = Field(description="null where nothing was delivered")


class GroupView(TallyView):
    """One group."""

    group: dict[str, str | None] = Field(description="what its messages have in common, by `group_by`")


class StatsView(BaseModel):
    """Messages that were accepted within whole hours (UTC), as they stand now."""

    from_: str = Field(serialization_alias="from", description="begin of the first hour")
    to: str = Field(description="end of the last hour")
    group_by: list[GroupBy]
    is_fresh: bool = Field(description="false: some of what has happened in these hours is still to be counted")
    total: TallyView
    groups: list[GroupView]


class Stats:
    """Answers from counted hours only: its cost depends on the hours and groups, not on the messages."""

    def __init__(self, store: StatsStore) -> None:
        self._store = store

    async def answer(self, account: str, group_by: Sequence[GroupBy], from_: datetime, to: datetime) -> StatsView:
        """The hours that hold any moment from `from_` up to, not including, `to`. `TooManyGroupsError`."""
        first, end = _hours(from_)[0], _hours(to)[1]
        is_fresh = not await self._store.is_marked(account, first, end - 1)
        groups: dict[Key, Tally] = {}
        async for hour, tallies in self._store.between(account, first, end - 1):
            add_hour(groups, group_by, hour, tallies)
            await asyncio.sleep(0)  # adding a long time up is not to hold up the others
            if len(groups) > MAX_GROUPS:
                raise TooManyGroupsError
        total = Tally()
        for tally in groups.values():
            total.add(tally)
        return StatsView(
            from_=rfc3339(first * HOUR_MS),
            to=rfc3339(end * HOUR_MS),
            group_by=list(group_by),
            is_fresh=is_fresh,
            total=TallyView(**_shown(total)),
            groups=[
                GroupView(group=dict(zip(group_by, key, strict=True)), **_shown(tally))
                for key, tally in sorted(groups.items(), key=lambda item: [word or "" for word in item[0]])
            ],
        )


def _hours(moment: datetime) -> tuple[int, int]:
    """The hour that holds a moment, and the first that begins at or after it."""
    seconds = int((moment - datetime.fromtimestamp(0, UTC)).total_seconds() // 1)
    return seconds // 3600, -(-seconds // 3600)


def _shown(tally: Tally) -> dict[str, Any]:
    p50, p95 = tally.latency_ms(0.5), tally.latency_ms(0.95)
    return {
        "messages": tally.messages,
        "parts": tally.parts,
        "price_micros": tally.price_micros,
        "delivered": tally.delivered,
        "delivery_rate": tally.delivered / tally.messages if tally.messages else None,
        "latency_ms": LatencyView(p50=p50, p95=p95) if p50 is not None and p95 is not None else None,
    }

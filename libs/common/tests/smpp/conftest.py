import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvloop

from carillon.testing.smpp_owners import Owner, Smsc
from carillon.testing.smpp_peer import RawSmsc


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Sessions lean on what transports promise, so they are tested on both event loops that are in use."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def smsc() -> AsyncIterator[RawSmsc]:
    async with RawSmsc() as smsc:
        yield smsc


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Awaitable[Smsc]]]:
    started: list[Smsc] = []

    async def start_one(**settings: Any) -> Smsc:
        smsc = Smsc(**settings)
        await smsc.server.start()
        started.append(smsc)
        return smsc

    yield start_one
    for smsc in started:
        await smsc.server.stop(0.1)

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from carillon.testing.smpp_owners import Owner, Smsc
from carillon.testing.smpp_peer import RawSmsc


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

import asyncio
from collections.abc import AsyncIterator

import pytest

from carillon.smpp import Backoff, Bind, BindSettings, KeepBound
from carillon.testing.smpp_peer import RawPeer, RawSmsc, until

QUICK = Backoff(0.01, 0.05)


class Slot:
    """A kept bind and what was heard of it."""

    def __init__(self, port: int) -> None:
        self.story: list[str] = []
        self.changed = asyncio.Event()
        self.keeper = KeepBound(
            BindSettings(host="127.0.0.1", port=port, system_id="me"),
            on_deliver=lambda *_: None,
            on_bound=self._bound,
            on_lost=self._lost,
            backoff=QUICK,
        )

    def _bound(self, bind: Bind) -> None:
        self.story.append("bound")
        self.changed.set()

    def _lost(self, bind: Bind, reason: str) -> None:
        self.story.append(reason)
        self.changed.set()

    async def until(self, length: int) -> None:
        async with asyncio.timeout(5):
            while len(self.story) < length:
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def smsc() -> AsyncIterator[RawSmsc]:
    async with RawSmsc() as smsc:
        yield smsc


@pytest.fixture
async def slot(smsc: RawSmsc) -> AsyncIterator[Slot]:
    slot = Slot(smsc.port)
    yield slot
    await slot.keeper.stop(0.2)


async def unbind_politely(peer: RawPeer) -> None:
    command_id, _, sequence, _ = await peer.read()
    assert command_id == 6
    peer.send(0x80000006, 0, sequence)


async def test_it_binds_again_after_each_loss(smsc: RawSmsc, slot: Slot) -> None:
    await slot.keeper.start()
    for _ in range(3):
        peer = await smsc.accept_bind()
        peer.close()
    peer = await smsc.accept_bind()
    await slot.until(7)
    assert slot.story == ["bound", "closed by the peer"] * 3 + ["bound"]
    assert slot.keeper.bind is not None
    assert slot.keeper.problem == ""
    await asyncio.gather(slot.keeper.stop(2), unbind_politely(peer))
    assert slot.story[-1] == "unbound"
    assert slot.keeper.bind is None
    assert slot.keeper.problem == "stopped"


async def test_it_keeps_trying_while_refused_and_says_why(smsc: RawSmsc, slot: Slot) -> None:
    await slot.keeper.start()
    for _ in range(3):
        peer = await smsc.accept()
        await peer.read()
        peer.send(0x80000009, 0x0E, 1)
        assert await peer.at_end()
    await until(lambda: slot.keeper.problem == "bind refused: ESME_RINVPASWD")
    await smsc.accept_bind()
    await slot.until(1)
    assert slot.story == ["bound"]


async def test_it_keeps_trying_while_nobody_listens() -> None:
    async with RawSmsc() as smsc:
        port = smsc.port
    slot = Slot(port)
    await slot.keeper.start()
    await asyncio.sleep(0.05)
    assert slot.keeper.problem
    assert slot.keeper.bind is None
    await slot.keeper.stop()
    assert slot.story == []


async def test_it_stops_while_connecting_and_does_not_come_back(smsc: RawSmsc, slot: Slot) -> None:
    await slot.keeper.start()
    peer = await smsc.accept()
    await peer.read()
    await slot.keeper.stop()
    assert await peer.at_end()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(smsc._peers.get(), 0.15)
    await slot.keeper.stop()


async def test_an_owner_that_fails_does_not_end_it(smsc: RawSmsc, slot: Slot) -> None:
    def fails(bind: Bind) -> None:
        raise ZeroDivisionError

    slot.keeper._on_bound = fails
    await slot.keeper.start()
    peer = await smsc.accept_bind()
    peer.close()
    await smsc.accept_bind()
    assert slot.story == ["closed by the peer"]


def test_waits_double_up_to_their_limit_and_differ() -> None:
    backoff = Backoff(0.5, 30)
    for attempt, ceiling_s in ((1, 0.5), (2, 1), (3, 2), (7, 30), (1_000, 30)):
        waits = [backoff.wait_s(attempt) for _ in range(100)]
        assert ceiling_s / 2 <= min(waits) <= max(waits) <= ceiling_s
        assert len(set(waits)) > 50

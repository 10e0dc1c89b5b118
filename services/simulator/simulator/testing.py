"""What a platform is to its operator, for tests: one bind that submits and keeps what is delivered."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from carillon.smpp import Bind, BindMode, BindSettings, Outcome, ShortMessage, connect


class Client:
    """One bind. `delivered` is what came, `events` the order of answers and deliveries.

    Deliveries are answered with `acknowledges_with`, or not at all when that is None.
    """

    def __init__(self, acknowledges_with: int | None = 0) -> None:
        self.bind: Bind
        self.acknowledges_with = acknowledges_with
        self.delivered: list[ShortMessage] = []
        self.events: list[str] = []
        self._came = asyncio.Event()

    async def connect(self, port: int, mode: BindMode = "transceiver", system_id: str = "carillon") -> None:
        """Bind to a simulator on this machine; `BindRefusedError`."""
        self.bind = await connect(
            BindSettings(
                host="127.0.0.1",
                port=port,
                system_id=system_id,
                password="carillon",  # noqa: S106  the simulator's default
                mode=mode,
                window=50,
                response_timeout_s=2,
                throttle_pause_s=0,
            ),
            on_deliver=self._on_deliver,
        )

    async def submit(self, number: str, text: bytes = b"hello", *, registered: int = 1, **fields: Any) -> Outcome:
        """Submit one part and wait for its answer; `fields` are those of `ShortMessage`."""
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def answered(outcome: Outcome) -> None:
            self.events.append("answer")
            if not answer.done():
                answer.set_result(outcome)

        fields = {"source_addr": "Carillon", "dest_addr": number, "short_message": text, **fields}
        self.bind.submit(ShortMessage(registered_delivery=registered, **fields), answered)
        return await answer

    async def deliveries(self, count: int, timeout_s: float = 3.0) -> list[ShortMessage]:
        """Wait until so many came; `TimeoutError`."""
        async with asyncio.timeout(timeout_s):
            while len(self.delivered) < count:
                self._came.clear()
                await self._came.wait()
        return self.delivered

    def _on_deliver(self, bind: Bind, sequence: int, message: ShortMessage) -> None:
        self.delivered.append(message)
        self.events.append("delivery")
        self._came.set()
        if self.acknowledges_with is not None:
            bind.acknowledge(sequence, self.acknowledges_with)


Connect = Callable[..., Awaitable[Client]]

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from carillon.runtime.lifecycle import Service, start_all
from carillon.smpp import BindMode
from simulator.main import build
from simulator.operator import Operator
from simulator.settings import Settings
from simulator.testing import Client, Connect


@pytest.fixture
def settings() -> Settings:
    return Settings(simulator_smpp_port=0, simulator_receipt_delay_s=0.02, simulator_system_id="carillon,north")


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    service = build(settings)
    async with AsyncExitStack() as stack:
        await start_all(service.parts, stack)
        yield service


@pytest.fixture
def operator(service: Service) -> Operator:
    part = service.parts[0]
    assert isinstance(part, Operator)
    return part


@pytest.fixture
async def http(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app), base_url="http://simulator") as client:
        yield client


@pytest.fixture
async def bound(operator: Operator) -> AsyncIterator[Connect]:
    clients: list[Client] = []

    async def connect(
        mode: BindMode = "transceiver", *, system_id: str = "carillon", acknowledges_with: int | None = 0
    ) -> Client:
        client = Client(acknowledges_with)
        await client.connect(operator.port, mode, system_id)
        clients.append(client)
        return client

    yield connect
    for client in clients:
        client.bind.close("end of test")

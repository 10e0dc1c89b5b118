"""The suppressions of contacts on a real MongoDB, with the API in front and a bus that may be away."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from carillon.bus import Bus, BusDownError
from carillon.events.account import AccountChanged, ApiKey
from carillon.events.base import Lane, Record
from carillon.events.catalogue import Event
from carillon.events.report import InboundAttributed, InboundReceived
from carillon.http.api_keys import hash_api_key
from carillon.http.app import create_app
from carillon.mongo import TEMPORARY_ERRORS, Database, Mongo
from carillon.runtime.clock import Clock, SystemClock
from carillon.runtime.lifecycle import start_all
from carillon.runtime.number_hash import NumberHash
from carillon.testing.builders import an_account
from carillon.testing.bus import MemoryBus
from contacts.suppressions.room import SuppressionRoom, suppression_room

HASH = NumberHash(SecretStr("k" * 32))
ACCOUNTS = {
    key: an_account(id=f"acc_{key}", api_keys=[ApiKey(id=f"key_{key}", hash=hash_api_key(key), scopes=["contacts"])])
    for key in ("one", "two")
}


class Directory:
    """Accounts by key."""

    def by_api_key_hash(self, hash_: str, /) -> tuple[AccountChanged, ApiKey] | None:
        return next(((a, k) for a in ACCOUNTS.values() for k in a.api_keys if k.hash == hash_), None)


class FlakyBus(MemoryBus):
    """A broker that can be away."""

    is_away = False

    async def publish(
        self,
        event: Event,
        records: Sequence[Record],
        *,
        lane: Lane | None = None,
        place: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> None:
        if self.is_away:
            raise BusDownError("away")
        await super().publish(event, records, lane=lane, place=place, headers=headers)


@dataclass
class Rig:
    """One process of contacts, as far as suppressions go."""

    room: SuppressionRoom
    database: Database
    clients: dict[str, httpx.AsyncClient]

    @property
    def one(self) -> httpx.AsyncClient:
        """A client with the key of the first account."""
        return self.clients["one"]

    @property
    def two(self) -> httpx.AsyncClient:
        """A client with the key of the second account."""
        return self.clients["two"]

    async def add_contact(self, id_: str, number: str, account: str = "acc_one") -> None:
        """As an import would make it."""
        await self.database["groups"].update_one({"_id": "grp_1"}, {"$set": {"account": account, "name": "G"}}, True)
        await self.database["contacts"].insert_one(
            {
                "_id": id_, "account": account, "number": number, "name": "Anne", "language": "fr",
                "attributes": ["town\x1fNantes"], "groups": ["grp_1"], "created_at": 1, "changed_at": 1,
            }
        )  # fmt: skip


@asynccontextmanager
async def suppressions(
    mongo_url: str, prefix: str, bus: Bus, clock: Clock | None = None, bounces: int = 3
) -> AsyncIterator[Rig]:
    """Several of them on one database are several processes of the service."""
    mongo = Mongo(mongo_url, prefix=prefix)
    database = mongo.database("contacts")
    room = suppression_room(database, bus, Directory(), HASH, clock or SystemClock(), bounces_to_suppress=bounces)
    app = create_app("Carillon contacts", routers=[*room.routers], translations=dict.fromkeys(TEMPORARY_ERRORS, _away))
    async with AsyncExitStack() as stack:
        await start_all([mongo, *room.parts], stack)
        clients = {
            key: await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(app),
                    base_url="http://contacts",
                    headers={"Authorization": f"Bearer {key}"},
                )
            )
            for key in ACCOUNTS
        }
        yield Rig(room, database, clients)


def _away(error: Exception) -> Any:
    raise error


def inbound(id_: int, text: str, number: str, *, at: int, account: str | None = "acc_one") -> InboundAttributed:
    """A text from a handset."""
    part = InboundReceived(id=id_, operator="north", number=number, to="36111", text=text, at=at)
    return InboundAttributed(inbound=part, account=account)

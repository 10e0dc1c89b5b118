"""`receipt.inbound`: inbound SMS as they came, one document a part, by id."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from carillon.events.report import InboundReceived
from carillon.mongo import Collection, Database, Index, insert_new

_KEPT_S = 90 * 86_400
INBOUND_INDEXES = (Index(("to", "-_id")), Index(("kept_from",), expire_after_s=_KEPT_S))


class InboundStore:
    """Keeps each part once."""

    def __init__(self, database: Database) -> None:
        self._inbound: Collection = database["inbound"]

    async def keep(self, parts: Sequence[InboundReceived]) -> None:
        """Insert what is not there yet."""
        await insert_new(
            self._inbound,
            [
                {
                    "_id": part.id,
                    **{name: value for name, value in msgspec.structs.asdict(part).items() if name != "id"},
                    "kept_from": datetime.fromtimestamp(part.at / 1000, UTC),
                }
                for part in parts
            ],
        )

"""`receipt.unmatched_reports`: reports whose message is not known yet, or is known by another spelling of its id.

{_id: "north:ref:delivered", report: {...}, first_at, next_at, tries}
"""

from collections.abc import Iterable, Sequence

import msgspec
from pymongo import UpdateOne

from carillon.events.report import ReportReceived
from carillon.mongo import Collection, Database, Document, Index, insert_new, write_all

UNMATCHED_INDEXES = (Index(("next_at",)),)


class UnmatchedStore:
    """One document for each report and state: an operator that says it again changes nothing."""

    def __init__(self, database: Database) -> None:
        self._reports: Collection = database["unmatched_reports"]

    async def park(self, reports: Iterable[ReportReceived], now_ms: int, next_ms: int) -> None:
        """Keep reports for later."""
        documents = {
            unmatched_id(report): {
                "_id": unmatched_id(report),
                "report": msgspec.to_builtins(report),
                "first_at": now_ms,
                "next_at": next_ms,
                "tries": 0,
            }
            for report in reports
        }
        await insert_new(self._reports, list(documents.values()))

    async def due(self, now_ms: int, limit: int) -> list[Document]:
        """Those to be tried now, the most overdue first."""
        return await self._reports.find({"next_at": {"$lte": now_ms}}).sort("next_at", 1).limit(limit).to_list(limit)

    async def later(self, documents: Sequence[tuple[Document, int]]) -> None:
        """Try each again at its time."""
        await write_all(
            self._reports,
            [
                UpdateOne({"_id": document["_id"]}, {"$set": {"next_at": next_ms}, "$inc": {"tries": 1}})
                for document, next_ms in documents
            ],
        )

    async def delete(self, documents: Sequence[Document]) -> None:
        """They belong to a message now, or never will."""
        if documents:
            await self._reports.delete_many({"_id": {"$in": [document["_id"] for document in documents]}})

    async def count(self) -> int:
        """How many wait (an estimate)."""
        return await self._reports.estimated_document_count()


def unmatched_id(report: ReportReceived) -> str:
    """One for each state that an operator reports of a part."""
    return f"{report.operator}:{report.ref}:{report.state}"


def report_of(document: Document) -> ReportReceived:
    """The report as it came."""
    return msgspec.convert(document["report"], ReportReceived)

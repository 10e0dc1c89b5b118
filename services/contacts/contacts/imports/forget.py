"""What files said of somebody who is erased: taken out of rows, of records and of reports."""

from msgspec.structs import replace

from contacts.imports.record import Record, Remark
from contacts.store import Stores

_PAGE = 100


class ForgetRows:
    """See `contacts.suppressions.handlers.Forgets`. Erasures are rare: all records of the account are read."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def forget(self, account: str, number: str) -> None:
        """Done again, it finds nothing."""
        before: str | None = None
        while imports := await self._stores.imports.page(account, before, _PAGE):
            for import_ in imports:
                await self._stores.file_rows.remove_number(import_.id, number)
                async for record in self._stores.batches.all(import_.id, import_.batches + 1):
                    without = _without(record, number)
                    if without is not record:
                        await self._stores.batches.change(without)
            before = imports[-1].id


def _without(record: Record, number: str) -> Record:
    """The same object when the number is not in it. What a report quotes may hold it in another spelling."""
    touches = [touch for touch in record.touches if touch.said.number != number]
    ending = number[-8:]
    remarks = [
        replace(remark, content="") if ending in "".join(filter(str.isdigit, remark.content)) else remark
        for remark in record.remarks
    ]
    if len(touches) == len(record.touches) and _same(remarks, record.remarks):
        return record
    return replace(record, touches=touches, remarks=remarks)


def _same(remarks: list[Remark], others: list[Remark]) -> bool:
    return all(remark is other for remark, other in zip(remarks, others, strict=True))

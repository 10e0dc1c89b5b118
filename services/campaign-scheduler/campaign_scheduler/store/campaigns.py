"""`campaign_scheduler.campaigns`: one document a campaign; its recipients are in `pages`.

People's changes compare and set `version`; the runner's carry the token of its lease (`fence`), and what it decides
to say is written here, against `state`, before it is said: so that whoever pauses comes before a decision or after it.
"""

from collections.abc import Sequence

import msgspec

from campaign_scheduler.domain.campaign import Campaign
from carillon.mongo import Collection, Database, Document, Index, insert_new

CAMPAIGN_INDEXES = (
    Index(("account", "-_id")),
    Index(("state", "is_said")),
    Index(("state", "next_at"), where={"state": "scheduled"}),
    Index(("saying_at",), where={"saying.0": {"$exists": True}}),
)
_RUNNERS = (
    "saying", "saying_at", "next_say_at", "fence", "pages", "after", "is_whole", "is_said", "estimate", "occurrences",
)  # fmt: skip
Saying = Sequence[tuple[int, int, int]]


class CampaignStore:
    """Whole campaigns, and the runner's small steps."""

    def __init__(self, database: Database) -> None:
        self._campaigns: Collection = database["campaigns"]

    async def add(self, campaign: Campaign) -> bool:
        """False when the id is there already."""
        return not await insert_new(self._campaigns, [_document(campaign)])

    async def replace(self, campaign: Campaign, *, expected: int) -> bool:
        """Store what people may change; False when the version is no longer the expected one."""
        values = {name: value for name, value in _document(campaign).items() if name not in _RUNNERS}
        result = await self._campaigns.update_one({"_id": campaign.id, "version": expected}, {"$set": values})
        return result.matched_count == 1

    async def remove_draft(self, account: str, campaign_id: str) -> bool:
        """False when there is no such draft."""
        query = {"_id": campaign_id, "account": account, "state": "draft"}
        return (await self._campaigns.delete_one(query)).deleted_count == 1

    async def find(self, account: str, campaign_id: str) -> Campaign | None:
        """An account's own."""
        return _campaign(await self._campaigns.find_one({"_id": campaign_id, "account": account}))

    async def get(self, campaign_id: str) -> Campaign | None:
        """Any account's: for what comes over the bus."""
        return _campaign(await self._campaigns.find_one({"_id": campaign_id}))

    async def page(self, account: str, *, state: str | None, before: str | None, limit: int) -> list[Campaign]:
        """The newest first."""
        query: Document = {"account": account}
        if state is not None:
            query["state"] = state
        if before is not None:
            query["_id"] = {"$lt": before}
        return await self._list(query, limit)

    async def due(self, now_ms: int, limit: int) -> list[Campaign]:
        """Scheduled ones whose time has come."""
        return await self._list({"state": "scheduled", "next_at": {"$lte": now_ms}}, limit)

    async def to_run(self) -> list[str]:
        """Ids of those that have something to be said, or perhaps said again."""
        running = self._campaigns.find({"state": "running", "is_said": False}, {"_id": 1})
        deciding = self._campaigns.find({"saying.0": {"$exists": True}}, {"_id": 1})
        return list({document["_id"] for found in (running, deciding) for document in await found.to_list(1_000)})

    async def to_finish(self, limit: int) -> list[Campaign]:
        """Those that wait for their last messages."""
        return await self._list({"state": "running", "is_said": True}, limit)

    async def occurred(self, parent: Campaign, next_at: int | None, now_ms: int) -> None:
        """The occurrence of a recurring campaign is there; without a next one it has finished."""
        fields: Document = {"occurrences": parent.occurrences + 1, "next_at": next_at, "version": parent.version + 1}
        if next_at is None:
            fields |= {"state": "finished", "ended_at": now_ms}
        await self._campaigns.update_one(
            {"_id": parent.id, "state": "scheduled", "next_at": parent.next_at}, {"$set": fields}
        )

    async def estimated(self, campaign_id: str, recipients: int) -> None:
        """Its audience was counted."""
        await self._campaigns.update_one({"_id": campaign_id}, {"$set": {"estimate": recipients}})

    async def take(self, campaign_id: str, token: int) -> Campaign | None:
        """The campaign in the hands of a newer lease; None when a newer one still was faster."""
        query = {"_id": campaign_id, "fence": {"$lt": token}}
        result = await self._campaigns.update_one(query, {"$set": {"fence": token}})
        return await self.get(campaign_id) if result.matched_count else None

    async def page_came(self, campaign_id: str, page: int, after: str, *, is_last: bool) -> None:
        """The page is stored; told again, this changes nothing."""
        await self._campaigns.update_one(
            {"_id": campaign_id, "pages": page}, {"$set": {"pages": page + 1, "after": after, "is_whole": is_last}}
        )

    async def decide(self, campaign: Campaign, saying: Saying, now_ms: int, next_say_at: int) -> bool:
        """These batches are to be said, and what was decided before was; False when it is not ours, or not running."""
        result = await self._campaigns.update_one(
            {"_id": campaign.id, "state": "running", "fence": campaign.fence, "saying": _listed(campaign.saying)},
            {"$set": {"saying": _listed(saying), "saying_at": now_ms, "next_say_at": next_say_at}},
        )
        return result.matched_count == 1

    async def said(self, campaign: Campaign) -> bool:
        """What was decided was said, whatever the state is now."""
        result = await self._campaigns.update_one(
            {"_id": campaign.id, "fence": campaign.fence, "saying": _listed(campaign.saying)}, {"$set": {"saying": []}}
        )
        return result.matched_count == 1

    async def pause(self, campaign: Campaign, reason: str, now_ms: int) -> bool:
        """It pauses by itself, while nothing is being said; False when it is not ours, or was changed meanwhile."""
        result = await self._campaigns.update_one(
            {
                "_id": campaign.id,
                "state": "running",
                "fence": campaign.fence,
                "saying": [],
                "version": campaign.version,
            },
            {
                "$set": {"state": "paused", "paused_from": "running", "pause_reason": reason, "changed_at": now_ms},
                "$inc": {"version": 1},
            },
        )
        return result.matched_count == 1

    async def all_said(self, campaign: Campaign) -> None:
        """There is nothing more to say."""
        await self._campaigns.update_one(
            {"_id": campaign.id, "fence": campaign.fence, "is_whole": True, "saying": []}, {"$set": {"is_said": True}}
        )

    async def _list(self, query: Document, limit: int) -> list[Campaign]:
        found = await self._campaigns.find(query).sort("_id", -1).limit(limit).to_list(limit)
        return [campaign for campaign in map(_campaign, found) if campaign is not None]


def _listed(saying: Saying) -> list[list[int]]:
    return [list(each) for each in saying]


def _document(campaign: Campaign) -> Document:
    values: Document = msgspec.to_builtins(campaign)
    values["contents"] = [list(pair) for pair in campaign.contents.items()]
    audience = values["audience"]
    if "attributes" in audience:
        audience["attributes"] = [list(pair) for pair in campaign.audience.attributes.items()]
    return {"_id": values.pop("id"), **values, "saying": _listed(campaign.saying)}


def _campaign(document: Document | None) -> Campaign | None:
    if document is None:
        return None
    audience = dict(document["audience"])
    if "attributes" in audience:
        audience["attributes"] = dict(audience["attributes"])
    values = {**document, "id": document["_id"], "contents": dict(document["contents"]), "audience": audience}
    return msgspec.convert(values, Campaign)

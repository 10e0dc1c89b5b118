"""One document a message, in `receipt.messages`: its facts, and its milestones by part.

    {_id, account, number, sender, lane, encoding, parts, country, accepted_at,       set when its acceptance is known
     door?, client_ref?, campaign?, metadata?, callback_url?, callback_form?, price_micros?, lease_id?, trace?,
     submitted: {"1": [at, operator, ref]},                        smallest wins
     doubts:    {"1": [at, operator]},                             smallest wins
     finals:    {"1": [rank, -at, state, error, operator]},        largest wins
     refused: [at, code, detail, operator], cancelled: at, lost: at,    smallest wins
     refs: ["north:ref"], resent: [["north:ref", 2]]}              operators' ids; `resent` where a part has several

`metadata` is kept as JSON text: its keys and numbers are the client's and need not be BSON's.
"""

from typing import Any

import msgspec
from pymongo import UpdateOne

from carillon.events.message import Accepted, StatusChanged
from carillon.mongo import Document
from receipt.domain.milestones import Doubt, Final, Milestones, Refusal, Submission
from receipt.domain.news import News

_OPTIONAL = ("door", "client_ref", "campaign", "callback_url", "callback_form", "price_micros", "lease_id", "trace")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def facts_document(accepted: Accepted, country: str) -> Document:
    """What the acceptance says, as fields."""
    document: Document = {
        "account": accepted.account,
        "number": accepted.number,
        "sender": accepted.sender,
        "lane": accepted.lane,
        "encoding": accepted.encoding,
        "parts": accepted.parts,
        "country": country,
        "accepted_at": accepted.accepted_at,
    }
    for name in _OPTIONAL:
        value = getattr(accepted, name)
        if value is not None:
            document[name] = value
    if accepted.metadata is not None:
        document["metadata"] = _encode(accepted.metadata).decode()
    return document


def new_document(news: News, country: str) -> Document:
    """The document of a message that was accepted in this flush, with all else that the flush says about it."""
    assert news.accepted is not None
    document = {"_id": news.id, **facts_document(news.accepted, country)}
    milestones = news.milestones
    if milestones.submitted:
        document["submitted"] = {str(part): list(value) for part, value in milestones.submitted.items()}
    if milestones.doubts:
        document["doubts"] = {str(part): list(value) for part, value in milestones.doubts.items()}
    if milestones.finals:
        document["finals"] = {str(part): list(value) for part, value in milestones.finals.items()}
    if milestones.refused is not None:
        document["refused"] = list(milestones.refused)
    if milestones.cancelled is not None:
        document["cancelled"] = milestones.cancelled
    if news.refs:
        document["refs"] = list(news.refs)
        if news.resent:
            document["resent"] = [list(item) for item in news.refs.items()]
    return document


def merging_update(news: News, country: str | None) -> UpdateOne:
    """The same as an upsert that commutes with every other one of its kind."""
    milestones = news.milestones
    least: Document = {}
    for part, submission in milestones.submitted.items():
        least[f"submitted.{part}"] = list(submission)
    for part, doubt in milestones.doubts.items():
        least[f"doubts.{part}"] = list(doubt)
    if milestones.refused is not None:
        least["refused"] = list(milestones.refused)
    if milestones.cancelled is not None:
        least["cancelled"] = milestones.cancelled
    if milestones.lost is not None:
        least["lost"] = milestones.lost
    update: Document = {}
    if news.accepted is not None:
        facts = facts_document(news.accepted, country or "")
        least["accepted_at"] = facts.pop("accepted_at")
        update["$set"] = facts
    if least:
        update["$min"] = least
    if milestones.finals:
        update["$max"] = {f"finals.{part}": list(final) for part, final in milestones.finals.items()}
    if news.refs:
        update["$addToSet"] = {"refs": {"$each": list(news.refs)}}
        if news.resent:
            update["$addToSet"]["resent"] = {"$each": [list(item) for item in news.refs.items()]}
    return UpdateOne({"_id": news.id}, update, upsert=True)


def milestones_of(document: Document) -> Milestones:
    """The milestones that a document holds."""
    milestones = Milestones(accepted=document.get("accepted_at"))
    if "submitted" in document:
        milestones.submitted = {int(part): Submission(*value) for part, value in document["submitted"].items()}
    if "doubts" in document:
        milestones.doubts = {int(part): Doubt(*value) for part, value in document["doubts"].items()}
    if "finals" in document:
        milestones.finals = {int(part): Final(*value) for part, value in document["finals"].items()}
    if "refused" in document:
        milestones.refused = Refusal(*document["refused"])
    milestones.cancelled = document.get("cancelled")
    milestones.lost = document.get("lost")
    return milestones


def facts_of(document: Document) -> StatusChanged:
    """A status record with everything that does not depend on the status. The message must be accepted."""
    get = document.get
    metadata = get("metadata")
    return StatusChanged(
        id=document["_id"],
        account=document["account"],
        status="accepted",
        at=document["accepted_at"],
        number=document["number"],
        sender=document["sender"],
        lane=document["lane"],
        parts=document["parts"],
        door=get("door"),
        client_ref=get("client_ref"),
        campaign=get("campaign"),
        metadata=_decode(metadata) if metadata is not None else None,
        callback_url=get("callback_url"),
        callback_form=get("callback_form"),
        price_micros=get("price_micros"),
        lease_id=get("lease_id"),
        accepted_at=document["accepted_at"],
        trace=get("trace"),
    )


def part_of(document: Document, ref: str) -> int:
    """Which part an operator's id (`operator:ref`) of this document belongs to."""
    for part, (_, operator, own_ref) in document.get("submitted", {}).items():
        if f"{operator}:{own_ref}" == ref:
            return int(part)
    for resent_ref, resent_part in document.get("resent", ()):
        if resent_ref == ref:
            return int(resent_part)
    return 1

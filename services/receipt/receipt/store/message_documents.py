"""One document a message, in `receipt.messages`: its facts, and what its first flush knew of it. It is never updated.

    {_id, account, number, sender, lane, encoding, parts, country, accepted_at,
     door?, client_ref?, campaign?, metadata?, callback_url?, callback_form?, price_micros?, lease_id?, trace?,
     submitted: {"1": [at, operator, ref]}, doubts: {"1": [at, operator]},
     finals: {"1": [rank, -at, state, error, operator]}, refused: [at, code, detail, operator], cancelled: at,
     scheduled: at, due_from: at, refs: ["north:ref"], resent: [["north:ref", 2]], failed: true}

What is learnt later is in `additions`. `refs` are the operators' ids, `resent` says the part of each where a part has
several, `failed` marks what did not go well, for lists. `due_from` is there where a message began to be awaited well
after its id was made: it was sent later, or its campaign was paused. `metadata` is JSON text: its keys and numbers are
the client's and need not be BSON's.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from carillon.events.message import Accepted, StatusChanged
from carillon.mongo import Document
from carillon.runtime.ids import time_ms_of
from receipt.domain.milestones import Doubt, Final, Milestones, Refusal, Submission, went_wrong
from receipt.domain.news import News
from receipt.domain.tallies import Facts

_OPTIONAL = ("door", "client_ref", "campaign", "callback_url", "callback_form", "price_micros", "lease_id", "trace")
_LATE_MS = 60_000
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def new_document(news: News, country: str) -> Document:
    """The document of a message that was accepted in this flush, with all else that the flush says about it."""
    assert news.accepted is not None
    document = _facts(news.accepted, country)
    milestones = news.milestones
    if milestones.submitted:
        document["submitted"] = _by_part(milestones.submitted)
    if milestones.doubts:
        document["doubts"] = _by_part(milestones.doubts)
    if milestones.finals:
        document["finals"] = _by_part(milestones.finals)
    if milestones.refused is not None:
        document["refused"] = milestones.refused
    if milestones.cancelled is not None:
        document["cancelled"] = milestones.cancelled
    if milestones.scheduled is not None:
        document["scheduled"] = milestones.scheduled
    due_from = max(news.accepted.accepted_at, milestones.scheduled or 0)
    if due_from - time_ms_of(news.id) > _LATE_MS:
        document["due_from"] = due_from
    if news.refs:
        document["refs"] = list(news.refs)
        if news.resent:
            document["resent"] = list(news.refs.items())
    if went_wrong(milestones):
        document["failed"] = True
    return document


def milestones_of(document: Document) -> Milestones:
    """The milestones that a document holds. Numbers become plain `int`: BSON's own kind can't be written to the bus."""
    milestones = Milestones(int(document["accepted_at"]))
    if "submitted" in document:
        for part, (at, operator, ref) in document["submitted"].items():
            milestones.submitted[int(part)] = Submission(int(at), operator, ref)
    if "doubts" in document:
        for part, (at, operator) in document["doubts"].items():
            milestones.doubts[int(part)] = Doubt(int(at), operator)
    if "finals" in document:
        for part, (rank, minus_at, state, error, operator) in document["finals"].items():
            milestones.finals[int(part)] = Final(rank, int(minus_at), state, error, operator)
    if "refused" in document:
        at, code, detail, operator = document["refused"]
        milestones.refused = Refusal(int(at), code, detail, operator)
    if "cancelled" in document:
        milestones.cancelled = int(document["cancelled"])
    if "scheduled" in document:
        milestones.scheduled = int(document["scheduled"])
    return milestones


def facts_of(document: Document) -> StatusChanged:
    """A status record with everything that does not depend on the status."""
    get = document.get
    metadata, price = get("metadata"), get("price_micros")
    accepted_at = int(document["accepted_at"])
    return StatusChanged(
        id=int(document["_id"]),
        account=document["account"],
        status="accepted",
        at=accepted_at,
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
        price_micros=int(price) if price is not None else None,
        lease_id=get("lease_id"),
        accepted_at=accepted_at,
        trace=get("trace"),
    )


COUNTED = ("parts", "country", "campaign", "sender", "price_micros", "accepted_at")
MILESTONES = ("submitted", "doubts", "finals", "refused", "cancelled")


def tally_facts_of(document: Document) -> Facts:
    """What statistics need of a message document."""
    return Facts(
        document["country"],
        document.get("campaign"),
        document["sender"],
        document["parts"],
        int(document.get("price_micros") or 0),
        int(document["accepted_at"]),
    )


def part_of(document: Document, ref: str) -> int:
    """Which part an operator's id (`operator:ref`) of this document belongs to."""
    for resent_ref, part in document.get("resent", ()):
        if resent_ref == ref:
            return int(part)
    for part, (_, operator, own_ref) in document.get("submitted", {}).items():
        if f"{operator}:{own_ref}" == ref:
            return int(part)
    return 1


def _by_part(values: Mapping[int, object]) -> Document:
    if len(values) == 1 and 1 in values:
        return {"1": values[1]}
    return {str(part): value for part, value in values.items()}


def _facts(accepted: Accepted, country: str) -> Document:
    document: Document = {
        "_id": accepted.id,
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

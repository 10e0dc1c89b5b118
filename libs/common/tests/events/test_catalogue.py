"""The catalogue is complete and true: one who says, known listeners, described fields, examples that round-trip."""

import typing

import msgspec
import pytest

from carillon.bus.topology import (
    DURABLE_QUEUES,
    account_copy,
    dispatcher_submit,
    lease_answers,
    price_copy,
    suppression_copy,
)
from carillon.events import account, audience, credit, message, prices, report
from carillon.events.base import LANES, Record
from carillon.events.catalogue import (
    BY_NAME,
    CATALOGUE,
    COPIES_OF_ACCOUNTS,
    COPIES_OF_PRICES,
    COPIES_OF_SUPPRESSIONS,
    SPENDERS,
    Event,
)
from carillon.events.codec import BadRecordError, decode, encode

SERVICES = {"ingest", "contacts", "campaign-scheduler", "dispatcher", "receipt", "accounts", "portal", "chat"}
# asked by many, answered by one; every other event is a fact
REQUESTS = {
    "account.copy_requested.v1", "prices.copy_requested.v1", "credit.lease_requested.v1", "credit.lease_ended.v1",
    "contact.copy_requested.v1",
}  # fmt: skip

# Said by more than one service, since there is more than one way in, or more than one who may end a message.
WAYS_IN = {
    "message.accepted.v1": ("ingest", "campaign-scheduler"),
    "message.refused.v1": ("dispatcher", "campaign-scheduler"),
}
# Campaigns are in the bulk lane alone: their scheduler is not told of the other.
NOT_HEARD = {("message.status.v1", "urgent"): {"campaign-scheduler"}}

events = pytest.mark.parametrize("event", CATALOGUE, ids=lambda event: event.name)


@events
def test_who_says_and_who_listens(event: Event) -> None:
    assert set(event.said_by) <= SERVICES
    assert event.heard_by
    assert set(event.heard_by) <= SERVICES
    if event.name in WAYS_IN:
        assert event.said_by == WAYS_IN[event.name]
    else:
        assert len(event.heard_by if event.name in REQUESTS else event.said_by) == 1


@events
def test_name(event: Event) -> None:
    subject, word, version = event.name.split(".")
    assert subject in {"message", "report", "inbound", "account", "prices", "credit", "audience", "contact"}
    assert word.isidentifier()
    assert version == "v1"
    assert BY_NAME[event.name] is event


@events
def test_example_round_trips(event: Event) -> None:
    assert isinstance(event.example, event.record)
    assert decode(event.record, encode([event.example, event.example])) == [event.example] * 2


@events
def test_every_field_is_described(event: Event) -> None:
    """By a description, or by a name and a type that are described elsewhere."""
    assert event.record.__doc__
    assert event.record.__doc__.startswith(f"`{event.name.removesuffix('.v1')}`")
    for field in msgspec.structs.fields(event.record):
        assert field.name in PLAIN or _description(event.record, field.name), field.name


PLAIN = {
    "lane", "sender_type", "status", "state", "name", "callback", "doors", "api_keys", "default_sender",
    "default_sender_type", "on_ambiguous", "message", "attempt", "parts", "metadata", "campaign", "client_ref", "door",
    "price_micros", "lease_id", "callback_url", "callback_form", "sender", "service", "data_coding", "text", "data",
    "udh", "trace", "rule",
}  # fmt: skip


def _description(record: type[Record], name: str) -> str | None:
    annotation = typing.get_type_hints(record, include_extras=True)[name]
    for meta in _metas(annotation):
        if meta.description:
            return str(meta.description)
    return None


def _metas(annotation: object) -> list[msgspec.Meta]:
    found = [meta for meta in getattr(annotation, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]
    return found + [meta for inner in typing.get_args(annotation) for meta in _metas(inner)]


def test_every_record_is_in_the_catalogue_or_part_of_one() -> None:
    parts = {account.Door, account.ApiKey, account.Callback, prices.PriceRate, Record}
    parts |= {audience.Audience, audience.Recipient, audience.Will}
    records = {
        thing
        for module in (account, audience, credit, message, prices, report)
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, Record)
    }
    assert records - parts == {event.record for event in CATALOGUE}


def test_no_queue_is_forgotten() -> None:
    """Each event reaches a queue of each service that is said to hear it, and no other service's."""
    assert len({queue.name for queue in DURABLE_QUEUES}) == len(DURABLE_QUEUES)
    queues = [*DURABLE_QUEUES, *(dispatcher_submit("north", lane) for lane in LANES)]
    queues += [account_copy(service, "p") for service in COPIES_OF_ACCOUNTS]
    queues += [price_copy(service, "p") for service in COPIES_OF_PRICES]
    queues += [lease_answers(service, "p") for service in SPENDERS]
    queues += [suppression_copy(service, "p") for service in COPIES_OF_SUPPRESSIONS]
    for event in CATALOGUE:
        lanes = LANES if event.has_lanes else (None,)
        place = "north" if event.name == "message.routed.v1" else None
        for lane in lanes:
            hearers = {queue.name.split(".")[0] for queue in queues if event.key(lane, place) in queue.keys}
            assert hearers == set(event.heard_by) - NOT_HEARD.get((event.name, lane or ""), set()), event.name


def test_unknown_fields_are_ignored_and_missing_ones_are_named() -> None:
    record = message.Refused(id=1, account="acc_1", code="no_route", at=2)
    with_more = encode([record]).replace(b'"code"', b'"newer":{"a":1},"code"')
    assert decode(message.Refused, with_more) == [record]
    with pytest.raises(BadRecordError, match="account"):
        decode(message.Refused, b'[{"id":1,"code":"x","at":2}]')
    with pytest.raises(BadRecordError):
        decode(message.Refused, b'[{"id":0,"account":"a","code":"x","at":2}]')

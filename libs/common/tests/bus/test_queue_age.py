"""What is measured of a queue: how late its oldest record is, under a name without a process in it."""

import time
from copy import copy

import pytest

from carillon.bus.consumer import _age_s
from carillon.bus.isolation import ATTEMPTS
from carillon.bus.port import Delivery
from carillon.bus.topology import DURABLE_QUEUES, account_copy
from carillon.events.base import Record
from carillon.events.catalogue import (
    ACCOUNT_CHANGED,
    CATALOGUE,
    INBOUND_RECEIVED,
    MESSAGE_ACCEPTED,
    MESSAGE_ROUTED,
    MESSAGE_STATUS,
    REPORT_RECEIVED,
    Event,
)
from carillon.events.message import Routed
from carillon.testing.builders import an_accepted


def seconds_ago(seconds: float) -> int:
    return round((time.time() - seconds) * 1000)


def test_a_message_on_its_way_is_as_old_as_its_acceptance() -> None:
    accepted = an_accepted(accepted_at=seconds_ago(3))
    routed = Routed(message=accepted, operators=["north"], attempt=2)
    assert _age_s(Delivery(MESSAGE_ACCEPTED, [accepted])) == pytest.approx(3, abs=0.5)
    assert _age_s(Delivery(MESSAGE_ROUTED, [routed])) == pytest.approx(3, abs=0.5)


@pytest.mark.parametrize("event", [MESSAGE_STATUS, REPORT_RECEIVED, INBOUND_RECEIVED], ids=lambda event: event.name)
def test_everything_else_is_as_old_as_the_moment_when_it_happened(event: Event) -> None:
    record: Record = copy(event.example)
    setattr(record, "at", seconds_ago(2))  # noqa: B010  records have it, their base has not
    assert _age_s(Delivery(event, [record])) == pytest.approx(2, abs=0.5)


def test_the_oldest_counts_and_a_clock_ahead_of_ours_is_no_negative_age() -> None:
    old, new = an_accepted(accepted_at=seconds_ago(5)), an_accepted(accepted_at=seconds_ago(-5))
    assert _age_s(Delivery(MESSAGE_ACCEPTED, [old, new])) == pytest.approx(5, abs=0.5)
    assert _age_s(Delivery(MESSAGE_ACCEPTED, [new, old])) == 0


def test_what_waited_on_purpose_or_has_no_moment_has_no_age() -> None:
    assert _age_s(Delivery(MESSAGE_ACCEPTED, [an_accepted()], {ATTEMPTS: 1})) is None
    assert _age_s(Delivery(ACCOUNT_CHANGED, [ACCOUNT_CHANGED.example])) is None
    assert _age_s(Delivery(MESSAGE_ACCEPTED, [])) is None


def test_every_event_can_be_asked() -> None:
    for event in CATALOGUE:
        age_s = _age_s(Delivery(event, [event.example]))
        assert age_s is None or age_s >= 0


def test_a_queue_is_named_without_its_process() -> None:
    assert account_copy("ingest", "ing_01m82s6ydrp1").label == "ingest.accounts"
    assert [queue.label for queue in DURABLE_QUEUES] == [queue.name for queue in DURABLE_QUEUES]

"""What becomes of a delivery that can't be read: how long it waits, how often, and where it goes then."""

import time

import pytest
from aiormq.abc import DeliveredMessage
from aiormq.channel import Channel
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from carillon.bus.isolation import ATTEMPTS, PARKED_AT, REASON
from carillon.bus.topology import RETRY_DELAY_S, UNKNOWN_PATIENCE_S, Queue
from carillon.bus.unread import UNKNOWN_SINCE, UNKNOWN_TIMES, UnknownEventError, set_aside
from carillon.events.codec import BadRecordError

QUEUE = Queue("test.unread", ("some.event.v1.bulk",))


def message(**headers: int) -> DeliveredMessage:
    named = {f"x-carillon-{name.replace('_', '-')}": value for name, value in headers.items()}
    properties = Basic.Properties(message_type="some.event.v2", headers=dict(named))
    channel = Channel.__new__(Channel)  # an address only: nothing is sent
    return DeliveredMessage(
        delivery=Basic.Deliver("tag", 1), header=ContentHeader(properties=properties), body=b"[]", channel=channel
    )


def test_an_unknown_event_waits_longer_each_time_and_keeps_its_attempts() -> None:
    waits = []
    for times in range(8):
        since = round(time.time() * 1000) - 5_000
        [out] = set_aside(
            QUEUE, message(unknown_times=times, unknown_since=since, attempts=3), UnknownEventError("unknown")
        )
        assert out.key == QUEUE.retry
        assert out.type_ == "some.event.v2"
        assert out.headers is not None
        assert (out.headers[UNKNOWN_TIMES], out.headers[UNKNOWN_SINCE], out.headers[ATTEMPTS]) == (times + 1, since, 3)
        waits.append(out.expires_ms)
    assert waits == [500, 1_000, 2_000, 4_000, 8_000, *[RETRY_DELAY_S * 1000] * 3]


def test_past_the_patience_it_is_parked() -> None:
    since = round((time.time() - UNKNOWN_PATIENCE_S) * 1000) - 1
    [out] = set_aside(QUEUE, message(unknown_since=since, unknown_times=400), UnknownEventError("unknown event"))
    assert (out.key, out.expires_ms) == (QUEUE.parked, None)
    assert out.headers is not None
    assert out.headers[REASON] == "unknown event"
    assert out.headers[PARKED_AT] >= since


def test_a_broken_body_is_parked_at_once() -> None:
    [out] = set_aside(QUEUE, message(), BadRecordError("not a list"))
    assert out.key == QUEUE.parked


@pytest.mark.parametrize("error", [BadRecordError("broken"), UnknownEventError("unknown")])
def test_a_transient_queue_keeps_nothing(error: BadRecordError) -> None:
    """It has neither a retry nor a parking queue: what is published there would be confirmed and gone."""
    assert set_aside(Queue("one.process", (), transient=True), message(), error) == []

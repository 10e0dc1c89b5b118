"""Quotas and the spending alarm, at both doors."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carillon.events.account import DestinationHeld
from carillon.events.catalogue import DESTINATION_HELD
from carillon.testing.builders import an_accepted, an_account
from ingest.domain.rate import HOUR_S, PerSecond, SlidingHour
from ingest.domain.refusal import Refusal
from ingest.domain.unusual import Alarm

FRANCE, BELGIUM, LATVIA = "+33612345678", "+32470123456", "+37121234567"


@given(st.integers(1, 50), st.lists(st.floats(0, 0.5), max_size=200))
def test_no_second_has_more_than_two_of_the_quota_and_no_long_time_more_than_its_rate(
    rate: int, pauses: list[float]
) -> None:
    bucket, now_s, passed = PerSecond(rate), 1_000.0, []
    for pause in pauses:
        now_s += pause
        left = bucket.left(now_s)
        assert bucket.take(now_s) == (left > 0)
        if left:
            passed.append(now_s)
    for place, begin in enumerate(passed):
        for end in range(place, len(passed)):
            assert end - place + 1 <= (passed[end] - begin) * rate + rate + 1e-6


@given(st.lists(st.floats(0, HOUR_S / 3), min_size=1, max_size=60))
def test_the_hour_slides_and_forgets(pauses: list[float]) -> None:
    hour, now_s, at = SlidingHour(0.0), 0.0, []
    for pause in pauses:
        now_s += pause
        at.append(now_s)
        seen = hour.add(now_s)
        assert 1 <= seen <= sum(moment > now_s - 2 * HOUR_S for moment in at)
    assert hour.add(now_s + 2 * HOUR_S) == 1


def test_a_country_is_held_after_its_limit_until_it_is_usual() -> None:
    alarm, account = Alarm(), an_account(unusual_per_hour=2)
    assert [alarm.refuses(account, "37121234567", float(number)) for number in range(4)] == [None, None, "LV", "LV"]
    assert [(held.country, held.messages) for held in alarm.take_to_say()] == [("LV", 3)]
    assert alarm.take_to_say() == []
    assert alarm.refuses(account, "37121234567", 2 * HOUR_S) == "LV"  # time alone lets nothing go
    allowed = an_account(unusual_per_hour=2, usual_countries=["LV"])
    assert alarm.refuses(allowed, "37121234567", 2 * HOUR_S) is None
    assert alarm.refuses(account, "37121234567", 2 * HOUR_S) is None  # no longer usual: counted anew
    held = an_account(unusual_per_hour=2, held_countries=["BE"])
    assert alarm.refuses(held, "32470123456", 1.0) == "BE"
    assert alarm.refuses(held, "33612345678", 1.0) is None


async def test_messages_a_second(ingest: Any) -> None:
    answers = [await ingest.post("/v1/messages", {"to": FRANCE, "text": "x"}, "ck_live_hasty") for _ in range(4)]
    assert [answer.status for answer in answers] == [202, 202, 202, 429]
    last = answers[-1]
    assert (last.json["code"], last.headers["retry-after"]) == ("quota_exceeded", "1")
    assert last.headers["ratelimit-policy"] == '"second";q=3;w=1'
    assert [answer.headers["ratelimit"] for answer in answers] == [f'"second";r={left};t=1' for left in (2, 1, 0, 0)]
    legacy = await ingest.push("number=33612345678&content=x", door="hasty")
    assert (legacy.text, legacy.headers["carillon-reason"]) == ("KO - SMS rejected", "quota_exceeded")
    await ingest.clock.advance(1)
    assert (await ingest.push("number=33612345678&content=x", door="hasty")).text.isdigit()
    unlimited = await ingest.post("/v1/messages", {"to": FRANCE, "text": "x"})
    assert "ratelimit" not in unlimited.headers


async def test_messages_a_day(ingest: Any) -> None:
    batch = {"messages": [{"to": FRANCE, "text": "x"}] * 7}
    answer = await ingest.post("/v1/messages", batch, "ck_live_daily")
    codes = [result.get("error", {}).get("code") for result in answer.json["results"]]
    assert codes == [None] * 5 + ["quota_exceeded"] * 2
    assert answer.headers["ratelimit-policy"] == '"day";q=5;w=86400'
    seconds = 86_400 - ingest.clock.now_ms() // 1000 % 86_400
    assert answer.headers["ratelimit"] == f'"day";r=0;t={seconds}'
    alone = await ingest.post("/v1/messages", {"to": FRANCE, "text": "x"}, "ck_live_daily")
    assert (alone.status, alone.headers["retry-after"]) == (429, str(seconds))
    await ingest.clock.advance(seconds)
    assert (await ingest.post("/v1/messages", {"to": FRANCE, "text": "x"}, "ck_live_daily")).status == 202
    assert len(ingest.said) == 6


async def test_what_is_not_spent_of_a_day_goes_back(ingest: Any) -> None:
    account = an_account(id="acc_big", quota_per_day=10_000)
    for _ in range(3):
        await ingest.limits.admit(account, "33612345678")
    ingest.limits.undo(account)
    days = ingest.limits._days.used
    [(key, used)] = days.items()
    assert (key[0], used) == ("acc_big", 50)
    await ingest.limits.sweep()
    assert days[key] == 50
    await ingest.clock.advance(6)
    await ingest.limits.sweep()
    assert days[key] == 2
    await ingest.limits.admit(account, "33612345678")
    await ingest.limits.stop()
    assert days[key] == 3


async def test_a_message_that_cannot_be_paid_is_not_counted(make_ingest: Any) -> None:
    ingest = make_ingest()
    account = an_account(id="acc_poor", prepaid=True, quota_per_day=10)
    for _ in range(3):
        with pytest.raises(Refusal, match="no_price"):
            await ingest.till.charge(account, an_accepted(account="acc_poor"))
    await ingest.limits.stop()
    assert list(ingest.limits._days.used.values()) == [0]


async def test_sudden_traffic_to_an_unusual_country_is_held_and_said(ingest: Any) -> None:
    key = "ck_live_cautious"
    for number in (FRANCE, BELGIUM):  # its own country and a usual one
        batch = {"messages": [{"to": number, "text": "x"}] * 6}
        results = (await ingest.post("/v1/messages", batch, key)).json["results"]
        assert all("error" not in result for result in results)
    batch = {"messages": [{"to": LATVIA, "text": "x"}] * 6}
    results = (await ingest.post("/v1/messages", batch, key)).json["results"]
    assert [result.get("error", {}).get("code") for result in results] == [None] * 4 + ["destination_unusual"] * 2
    assert "LV" in results[5]["error"]["detail"]
    legacy = await ingest.push("number=37121234567&content=x", door="cautious")
    assert (legacy.text, legacy.headers["carillon-reason"]) == ("KO - SMS rejected", "destination_unusual")
    for _ in range(2):
        await ingest.limits.sweep()
    [held] = ingest.bus.records(DESTINATION_HELD)
    assert isinstance(held, DestinationHeld)
    assert (held.account, held.country, held.messages) == ("acc_cautious", "LV", 5)

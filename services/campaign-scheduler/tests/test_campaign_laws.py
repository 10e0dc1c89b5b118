"""Conservation, states, pace and recurrence, as laws over arbitrary histories."""

import random
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from campaign_scheduler.domain.campaign import Campaign, CampaignState, acted, occurrence_of, started
from campaign_scheduler.domain.errors import ConflictError, InvalidError
from campaign_scheduler.domain.pace import next_say_ms, page_size
from campaign_scheduler.domain.page import page_of, timed
from campaign_scheduler.domain.progress import RANKS, Pages, merged, progress_of, tally_of
from campaign_scheduler.domain.quote import Counts, counted
from campaign_scheduler.domain.recurrence import moment_of, occurrence_after
from campaign_scheduler.domain.texts import Texts
from carillon.events.audience import Audience, Recipient
from carillon.testing.clock import START_MS

CAMPAIGN = Campaign(
    id="cmp_1", account="acc_1", name="Test", audience=Audience(everyone=True), created_at=START_MS, changed_at=START_MS
)
_ranks = st.sampled_from(sorted(RANKS.values()))
_told = st.lists(st.tuples(st.integers(0, 9), _ranks), max_size=60)


@given(_told, st.randoms(use_true_random=False))
def test_states_are_the_same_in_any_order_and_number(told: list[tuple[int, int]], order: random.Random) -> None:
    once = merged(bytes(10), told)
    shuffled = [*told, *told[: len(told) // 2]]
    order.shuffle(shuffled)
    again = bytes(10)
    for at in range(0, len(shuffled), 7):
        again = merged(again, shuffled[at : at + 7])
    assert again == once


@given(_told)
def test_a_tally_adds_up_to_its_messages(told: list[tuple[int, int]]) -> None:
    states = merged(bytes(10), told)
    tally = tally_of(states)
    assert sum(getattr(tally, name) for name in tally.__struct_fields__) == 10
    assert tally.is_open == any(state < RANKS["lost"] for state in states)
    assert tally.is_handed == all(state >= RANKS["ambiguous"] for state in states)


class _Model:
    """What becomes of single recipients, against which counts are held."""

    def __init__(self, total: int, pages: int) -> None:
        self.fates = ["unread"] * total
        self.size = max(1, total // pages)
        self.read = 0
        self.is_cancelled = False

    def pages(self) -> Pages:
        read = self.fates[: self.read]
        states = bytes(RANKS.get(fate, 0) for fate in read if fate not in ("no_text", "stopped"))  # type: ignore[call-overload]
        return Pages(
            recipients=self.read,
            suppressed=read.count("stopped"),
            refused=read.count("no_text"),
            unsaid=read.count("unsaid"),
            tally=tally_of(states),
        )


_steps = st.lists(st.tuples(st.sampled_from(["read", "say", "tell", "cancel"]), st.integers(0, 999)), max_size=60)


@given(st.integers(0, 40), st.integers(1, 5), st.sampled_from([0, 1]), _steps)
def test_a_campaign_conserves_at_every_step(
    total: int, pages: int, knows_total: int, steps: list[tuple[str, int]]
) -> None:
    model = _Model(total, pages)
    sent_before = 0
    for step, chance in steps:
        if step == "read" and model.read < total:
            for at in range(model.read, min(total, model.read + model.size)):
                model.fates[at] = ["unsaid", "unsaid", "no_text", "stopped"][(chance + at) % 4]
            model.read = min(total, model.read + model.size)
        elif step == "say" and not model.is_cancelled and "unsaid" in model.fates:
            model.fates[model.fates.index("unsaid")] = "accepted"
        elif step == "tell" and "accepted" in model.fates:
            told = ["submitted", "delivered", "refused", "suppressed", "undelivered", "lost", "ambiguous"]
            model.fates[model.fates.index("accepted")] = told[chance % 7]
        elif step == "cancel":
            model.is_cancelled = True
        seen = progress_of(
            model.pages(),
            estimate=total * knows_total,
            is_whole=model.read == total,
            is_cancelled=model.is_cancelled,
        )
        assert seen.recipients == seen.sent + seen.suppressed + seen.refused + seen.cancelled + seen.pending
        assert min(seen.recipients, seen.sent, seen.suppressed, seen.refused, seen.cancelled, seen.pending) >= 0
        assert seen.sent == seen.delivered + seen.undelivered + seen.lost + seen.awaiting
        assert seen.sent >= sent_before
        sent_before = seen.sent
        if knows_total:
            assert seen.recipients == total
        if model.is_cancelled and knows_total:
            assert seen.cancelled == model.fates.count("unsaid") + model.fates.count("unread")
            assert seen.pending == model.fates.count("accepted")


_people = st.lists(st.sampled_from(["", "Anne", "{", "€"]), max_size=30)


@given(_people, st.booleans())
def test_a_page_gives_every_recipient_one_fate_and_each_message_its_own_id(names: list[str], has_default: bool) -> None:
    text = "Hello {name|you}" if has_default else "Hello {name}"
    recipients = [
        Recipient(number=f"336{place:08d}", name=name, suppressed="stop" if name == "{" else None)
        for place, name in enumerate(names)
    ]
    page = page_of(CAMPAIGN, Texts({"*": text}, "*"), recipients, lambda _: 1_000, START_MS)
    messages = [message for batch in page.batches for message in batch.messages]
    assert page.recipients == len(names) == page.messages + page.suppressed + len(page.refused)
    assert [message.id for message in messages] == list(range(1_000, 1_000 + len(messages)))
    assert page.parts == sum(message.parts for message in messages)
    assert {code for _, code in page.refused} <= {"value_missing"}
    assert bool(page.refused) == (not has_default and "" in names)
    quote = counted(Counts(), Texts({"*": text}, "*"), recipients)
    assert (quote.messages, quote.parts) == (page.messages, page.parts)


def test_what_waited_is_accepted_when_it_is_said() -> None:
    campaign = replace(CAMPAIGN, validity_s=60)
    page = page_of(campaign, Texts({"*": "x"}, "*"), [Recipient(number="33611223344")], lambda _: 7, START_MS)
    (message,) = timed(page.batches[0].messages, START_MS + 5_000)
    assert (message.id, message.accepted_at, message.expires_at) == (7, START_MS + 5_000, START_MS + 65_000)


@pytest.mark.parametrize(
    ("state", "action", "after"),
    [
        ("running", "pause", "paused"),
        ("paused", "pause", "paused"),
        ("paused", "resume", "running"),
        ("running", "resume", "running"),
        ("running", "cancel", "cancelled"),
        ("cancelled", "cancel", "cancelled"),
        ("draft", "cancel", "cancelled"),
        ("draft", "pause", None),
        ("draft", "resume", None),
        ("finished", "cancel", None),
        ("finished", "pause", None),
        ("cancelled", "resume", None),
        ("finished", "resume", None),
    ],
)
def test_which_state_follows_which(state: CampaignState, action: str, after: CampaignState | None) -> None:
    do: Callable[[], Campaign] = lambda: acted(replace(CAMPAIGN, state=state), action, START_MS)  # type: ignore[arg-type]  # noqa: E731
    if after is None:
        with pytest.raises(ConflictError):
            do()
    else:
        assert do().state == after


def test_a_scheduled_campaign_that_was_paused_waits_again() -> None:
    scheduled = started(replace(CAMPAIGN, start_at=START_MS + 1), START_MS)
    assert (scheduled.state, scheduled.next_at) == ("scheduled", START_MS + 1)
    paused = acted(scheduled, "pause", START_MS)
    assert acted(paused, "resume", START_MS).state == "scheduled"
    assert started(replace(CAMPAIGN, start_at=START_MS), START_MS).state == "running"


@given(st.integers(1, 1_000_000), st.lists(st.integers(0, 30_000), min_size=1, max_size=200))
def test_no_minute_has_more_than_the_rate(rate: int, pauses_ms: list[int]) -> None:
    """A page's time may be caught up, and one page is said at once: that is all that a minute can exceed."""
    size = page_size(rate)
    now_ms = due_ms = START_MS
    said: list[int] = []
    for pause_ms in pauses_ms:
        now_ms = max(now_ms + pause_ms, due_ms)
        said.append(now_ms)
        due_ms = next_say_ms(rate, size, now_ms, due_ms)
    for at in said:
        in_minute = size * sum(at <= other < at + 60_000 for other in said)
        assert in_minute <= rate + 2 * max(size, rate * 10 / 60) + size


PARIS = "Europe/Paris"


def _at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_nine_oclock_stays_nine_oclock_through_a_change_of_clocks() -> None:
    start = moment_of("2026-10-23T09:00", PARIS)
    assert start == _at("2026-10-23T07:00")
    second = occurrence_after("FREQ=DAILY", start, PARIS, start)
    third = occurrence_after("FREQ=DAILY", start, PARIS, second or 0)
    assert (second, third) == (_at("2026-10-24T07:00"), _at("2026-10-25T08:00"))


@pytest.mark.parametrize(
    ("rule", "second"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,FR", "2026-10-26T08:00"),
        ("RRULE:FREQ=MONTHLY", "2026-11-23T08:00"),
        ("FREQ=DAILY;COUNT=1", None),
        ("FREQ=DAILY;UNTIL=20261023T235959Z", None),
        ("FREQ=DAILY;UNTIL=20261024", "2026-10-24T07:00"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", None),
    ],
)
def test_rules(rule: str, second: str | None) -> None:
    start = moment_of("2026-10-23T09:00", PARIS)
    assert occurrence_after(rule, start, PARIS, start) == (_at(second) if second else None)


@pytest.mark.parametrize(
    "rule", ["", "FREQ=SECONDLY", "FREQ=DAILY;X=1", "COUNT=3", "FREQ=DAILY;INTERVAL=x", "nonsense"]
)
def test_rules_that_cannot_be_read(rule: str) -> None:
    with pytest.raises(InvalidError) as caught:
        occurrence_after(rule, START_MS, PARIS, START_MS)
    assert caught.value.code == "rrule_invalid"


def test_an_hour_that_comes_twice_counts_once() -> None:
    start = moment_of("2026-10-24T02:30", PARIS)
    second = occurrence_after("FREQ=DAILY", start, PARIS, start)
    assert second == _at("2026-10-25T00:30")
    assert occurrence_after("FREQ=DAILY", start, PARIS, second or 0) == _at("2026-10-26T01:30")


def test_an_occurrence_is_a_campaign_of_its_own_with_a_known_id() -> None:
    parent = started(replace(CAMPAIGN, rrule="FREQ=DAILY", start_at=START_MS + 5), START_MS)
    child = occurrence_of(parent, 3, START_MS + 9)
    assert (child.id, child.parent, child.state, child.rrule) == ("cmp_1.3", "cmp_1", "running", None)

"""The laws of the lattice: whatever the order and repetition, one state and one status."""

from hypothesis import given
from hypothesis import strategies as st

from carillon.events.message import Accepted, Refused, Submitted
from carillon.events.report import ReportReceived, ReportState
from carillon.testing.builders import an_accepted
from receipt.domain.changes import changes
from receipt.domain.milestones import Doubt, Final, Milestones, Refusal, Submission, merge, without
from receipt.domain.news import Flush
from receipt.domain.status import SEQUENCE, chain_of, moment_of, status_of
from receipt.store.message_documents import facts_of, new_document

_times = st.integers(0, 3)
_words = st.sampled_from(["", "a", "north"])
_parts = st.integers(1, 3)


def _by_part(values: st.SearchStrategy[object]) -> st.SearchStrategy[dict[int, object]]:
    return st.dictionaries(_parts, values, max_size=3)


milestones = st.builds(
    Milestones,
    st.none() | _times,
    _by_part(st.builds(Submission, _times, _words, _words)),
    _by_part(st.builds(Doubt, _times, _words)),
    _by_part(st.builds(Final, st.sampled_from([1, 2]), _times.map(lambda at: -at), _words, _words, _words)),
    st.none() | st.builds(Refusal, _times, st.sampled_from(["suppressed", "no_route"]), _words, _words),
    st.none() | _times,
    st.none() | _times,
    st.none() | _times,
)


@given(milestones, milestones, milestones)
def test_merging_is_commutative_associative_and_idempotent(one: Milestones, two: Milestones, three: Milestones) -> None:
    assert merge(one, two) == merge(two, one)
    assert merge(merge(one, two), three) == merge(one, merge(two, three))
    assert merge(one, one) == one
    assert merge(merge(one, two), two) == merge(one, two)


@given(milestones, milestones, st.integers(1, 3))
def test_what_is_run_again_is_said_again(before: Milestones, own: Milestones, parts: int) -> None:
    """The write was done and the saying was not: a second run entails at least what the first did."""
    known = (*before.submitted, *before.doubts, *before.finals, *own.submitted, *own.doubts, *own.finals)
    parts = max(parts, *known, 1)  # a message has no part beyond its parts
    after = merge(before, own)
    first = set(chain_of(after, parts)) - set(chain_of(before, parts))
    second = set(chain_of(after, parts)) - set(chain_of(without(after, own), parts))
    assert first <= second


@given(milestones, st.integers(1, 3))
def test_every_status_of_a_chain_has_its_moment(one: Milestones, parts: int) -> None:
    chain = chain_of(one, parts)
    assert [moment_of(one, status) >= 0 for status in chain] == [True] * len(chain)
    assert [SEQUENCE[status] for status in chain] == sorted(SEQUENCE[status] for status in chain)
    assert status_of(one, parts) == (chain[-1] if chain else None)


@given(milestones, milestones, st.integers(1, 3))
def test_a_delivered_message_stays_delivered_unless_a_part_failed(
    one: Milestones, other: Milestones, parts: int
) -> None:
    after = merge(one, other)
    if status_of(one, parts) == "delivered":
        assert status_of(after, parts) in ("delivered", "undelivered")
        if all(final.rank == 2 for final in other.finals.values()):
            assert status_of(after, parts) == "delivered"


accepted = an_accepted(parts=2)


def _submitted(part: int, at: int) -> Submitted:
    return Submitted(
        id=accepted.id, account="acc_1", part=part, parts=2, operator="north", ref=f"r{part}", number="336", at=at
    )


def _report(part: int, state: ReportState, at: int) -> ReportReceived:
    return ReportReceived(
        operator="north", ref=f"r{part}", state=state, number="336", at=at, message_id=accepted.id, part=part
    )


EVENTS: list[Accepted | Submitted | Refused | ReportReceived] = [
    accepted,
    _submitted(1, accepted.accepted_at + 10),
    _submitted(2, accepted.accepted_at + 11),
    _report(1, "enroute", accepted.accepted_at + 20),
    _report(1, "delivered", accepted.accepted_at + 30),
    _report(2, "delivered", accepted.accepted_at + 40),
]


def _state_of(events: list[Accepted | Submitted | Refused | ReportReceived]) -> Milestones:
    state = Milestones()
    for event in events:
        flush = Flush()
        flush.take([event])
        flush.match()
        for news in flush.news.values():
            state = merge(state, news.milestones)
    return state


@given(st.permutations(EVENTS + EVENTS))
def test_any_order_and_repetition_of_events_gives_one_state(
    events: list[Accepted | Submitted | Refused | ReportReceived],
) -> None:
    state = _state_of(events)
    assert state == _state_of(EVENTS)
    assert chain_of(state, 2) == ("accepted", "submitted", "delivered")


@given(st.permutations(EVENTS))
def test_each_status_is_said_once_whatever_the_order(
    events: list[Accepted | Submitted | Refused | ReportReceived],
) -> None:
    said: list[str] = []
    flush = Flush()
    flush.take([accepted])
    document = new_document(flush.news[accepted.id], "FR")
    before = Milestones()
    for event in events:
        after = merge(before, _state_of([event]))
        said += [change.status for change in changes(facts_of(document), chain_of(before, 2), after)]
        before = after
    assert said == ["accepted", "submitted", "delivered"]


def test_one_undelivered_part_is_an_undelivered_message() -> None:
    state = _state_of([*EVENTS[:5], _report(2, "expired", accepted.accepted_at + 40)])
    assert status_of(state, 2) == "undelivered"
    [*_, change] = changes(facts_of(_document()), (), state)
    assert (change.status, change.error, change.operator) == ("undelivered", "expired", "north")


def test_a_late_report_corrects_lost_and_ambiguous() -> None:
    lost = merge(_state_of(EVENTS[:3]), Milestones(lost=accepted.accepted_at + 100))
    assert chain_of(lost, 2) == ("accepted", "submitted", "lost")
    assert status_of(merge(lost, _state_of(EVENTS)), 2) == "delivered"
    doubtful = Milestones(accepted=1, doubts={1: Doubt(2, "north")})
    assert status_of(doubtful, 1) == "ambiguous"
    assert status_of(merge(doubtful, Milestones(finals={1: Final(2, -3, "delivered", "", "north")})), 1) == "delivered"
    assert status_of(merge(doubtful, Milestones(submitted={1: Submission(3, "north", "r")})), 1) == "submitted"


def test_suppressed_cancelled_and_refused_are_told_apart() -> None:
    for code, status in (("suppressed", "suppressed"), ("no_route", "refused"), ("cancelled", "cancelled")):
        refused = Refused(id=accepted.id, account="acc_1", code=code, at=accepted.accepted_at + 5)
        assert status_of(_state_of([accepted, refused]), 2) == status


def test_nothing_is_said_before_the_acceptance_is_known() -> None:
    assert chain_of(_state_of(EVENTS[1:]), 2) == ()


def _document() -> dict[str, object]:
    flush = Flush()
    flush.take([accepted])
    return new_document(flush.news[accepted.id], "FR")

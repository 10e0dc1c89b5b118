"""The index of names: whatever order the news comes in, the account that really has a name is found by it."""

from hypothesis import given
from hypothesis import strategies as st

from carillon.copies.index import Index

_ACCOUNTS = ("a", "b", "c")
_NAMES = ("x", "y")


def test_a_name_that_was_never_claimed_is_not_found() -> None:
    assert Index[str]().get("x") is None


def test_a_name_is_found_until_it_is_given_up() -> None:
    index: Index[str] = Index()
    index.update("a", {}, {"x": "a1"})
    assert index.get("x") == "a1"
    index.update("a", {"x": "a1"}, {})
    assert index.get("x") is None


def test_a_name_that_moved_stays_with_its_new_owner_when_the_old_one_gives_it_up_late() -> None:
    index: Index[str] = Index()
    index.update("a", {}, {"x": "a1"})
    index.update("b", {}, {"x": "b1"})
    index.update("a", {"x": "a1"}, {"x": "a2"})
    assert index.get("x") == "b1"
    index.update("a", {"x": "a2"}, {})
    assert index.get("x") == "b1"


def test_a_stale_claim_that_comes_late_does_not_take_the_name_for_good() -> None:
    index: Index[str] = Index()
    index.update("b", {}, {"x": "b1"})
    index.update("a", {}, {"x": "a1"})
    index.update("a", {"x": "a1"}, {})
    assert index.get("x") == "b1"


_claims = st.dictionaries(st.sampled_from(_NAMES), st.integers(), max_size=len(_NAMES))


@given(st.lists(st.tuples(st.sampled_from(_ACCOUNTS), _claims), max_size=30))
def test_a_name_is_found_exactly_when_somebody_claims_it_and_with_what_a_claimant_last_said(
    updates: list[tuple[str, dict[str, int]]],
) -> None:
    index: Index[tuple[str, int]] = Index()
    claimed: dict[str, dict[str, tuple[str, int]]] = {account: {} for account in _ACCOUNTS}
    for account, said in updates:
        now = {name: (account, value) for name, value in said.items()}
        index.update(account, claimed[account], now)
        claimed[account] = now
    for name in _NAMES:
        possible = {claims[name] for claims in claimed.values() if name in claims}
        found = index.get(name)
        assert found in possible if possible else found is None

"""What a batch of rows does to contacts, and which numbers of an audience come next."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from contacts.domain.batch import Counts, made, plan
from contacts.domain.contact import Contact, Said, taught
from contacts.domain.folding import group_key, words_of
from contacts.domain.merging import Read, next_numbers

NUMBERS = [f"3361234567{n}" for n in range(5)]
SAID = st.builds(
    Said,
    st.sampled_from(NUMBERS),
    st.sampled_from(["", "Anne", "Bo"]),
    st.sampled_from([None, "fr"]),
    st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["1", "2"]), max_size=2),
    st.lists(st.sampled_from(["grp_1", "grp_2"]), max_size=2, unique=True).map(tuple),
)


def contacts_after(states: dict[str, Contact], said: list[Said]) -> tuple[dict[str, Contact], Counts]:
    """One batch, done."""
    counter = itertools.count(len(states))
    planned = plan(said, states, lambda: f"ctc_{next(counter)}")
    after = dict(states)
    for touch in planned.touches:
        after[touch.said.number] = (
            made(touch, "acc_1", "imp:0", 1) if touch.before is None else taught(touch.before, touch.said)
        )
    counts = Counts(rows=len(said), created=planned.created, updated=planned.updated, unchanged=planned.unchanged)
    return after, counts


@settings(max_examples=60, deadline=None)
@given(st.lists(SAID, max_size=12), st.integers(0, 12))
def test_how_rows_are_cut_into_batches_changes_nothing(said: list[Said], cut: int) -> None:
    together, counts = contacts_after({}, said)
    first, one = contacts_after({}, said[:cut])
    second, other = contacts_after(first, said[cut:])
    assert one.plus(other) == counts
    assert {number: _shown(contact) for number, contact in second.items()} == {
        number: _shown(contact) for number, contact in together.items()
    }
    assert counts.created + counts.updated + counts.unchanged == len(said)
    assert counts.created == len(together) == len({each.number for each in said})


@settings(max_examples=60, deadline=None)
@given(st.lists(SAID, max_size=12))
def test_the_same_rows_again_change_nothing(said: list[Said]) -> None:
    once, _ = contacts_after({}, said)
    merged = [Said(c.number, c.name, c.language, c.attributes, c.groups) for c in once.values()]
    again = plan(merged, once, lambda: "ctc_new")
    assert (again.touches, again.unchanged) == ([], len(once))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([f"{n:03d}" for n in range(30)]), max_size=15), max_size=4),
    st.integers(1, 5),
)
def test_sources_are_merged_in_order_and_each_number_comes_once(sources: list[list[str]], size: int) -> None:
    lists = [sorted(set(source)) for source in sources]
    got: list[str] = []
    after, more = "", True
    while more:
        reads = []
        for numbers in lists:
            page = [number for number in numbers if number > after][:size]
            reads.append(Read(page, len(page) == size))
        found, more = next_numbers(reads)
        assert found or not more
        got += found
        after = got[-1] if got else after
    assert got == sorted(set().union(*lists))


def test_names_are_folded() -> None:
    assert words_of("Éloïse  d’Ys-Cœur SØREN") == ["eloise", "d", "ys", "coeur", "soren"]
    assert words_of("") == []
    assert group_key(" Clients  Fidèles ") == group_key("CLIENTS FIDÈLES")
    assert group_key("fideles") != group_key("fidèles")


def _shown(contact: Contact) -> tuple[str, str | None, dict[str, str], frozenset[str]]:
    return contact.name, contact.language, contact.attributes, frozenset(contact.groups)

"""A chain holds, and whatever is done to it shows from that place on."""

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from carillon.runtime.chain import GENESIS, entry_hash, verify

FIELDS = ("what", "at")
_content = st.fixed_dictionaries({"what": st.sampled_from(["opted_out", "opted_in"]), "at": st.integers(0, 9)})
_contents = st.lists(_content, min_size=1, max_size=12)


def chain_of(contents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    previous = GENESIS
    for sequence, content in enumerate(contents, 1):
        hash_ = entry_hash(sequence, previous, content)
        entries.append({**content, "sequence": sequence, "previous": previous, "hash": hash_})
        previous = hash_
    return entries


@given(_contents)
def test_an_untouched_chain_holds(contents: list[dict[str, Any]]) -> None:
    entries = chain_of(contents)
    verdict = verify(entries, FIELDS)
    assert (verdict.entries, verdict.head, verdict.broken_at) == (len(entries), entries[-1]["hash"], None)
    with_more = [{**entry, "number": "33612345678"} for entry in entries]  # stands outside the chain
    assert verify(with_more, FIELDS) == verdict


@given(_contents, st.data())
def test_a_changed_entry_shows(contents: list[dict[str, Any]], data: st.DataObject) -> None:
    entries = chain_of(contents)
    place = data.draw(st.integers(0, len(entries) - 1))
    changed = data.draw(_content)
    assume(changed != contents[place])
    entries[place] = {**entries[place], **changed}
    assert verify(entries, FIELDS).broken_at == place + 1


@given(_contents, st.data())
def test_a_changed_entry_shows_even_when_its_hash_is_made_to_fit(
    contents: list[dict[str, Any]], data: st.DataObject
) -> None:
    entries = chain_of(contents)
    assume(len(entries) > 1)
    place = data.draw(st.integers(0, len(entries) - 2))
    changed = data.draw(_content)
    assume(changed != contents[place])
    hash_ = entry_hash(place + 1, entries[place]["previous"], changed)
    entries[place] = {**entries[place], **changed, "hash": hash_}
    assert verify(entries, FIELDS).broken_at == place + 2


@given(_contents, st.data())
def test_what_is_missing_or_out_of_order_shows(contents: list[dict[str, Any]], data: st.DataObject) -> None:
    entries = chain_of(contents)
    assume(len(entries) > 1)
    place = data.draw(st.integers(0, len(entries) - 2))
    without = entries[:place] + entries[place + 1 :]
    assert verify(without, FIELDS).broken_at == place + 1
    swapped = [*entries[:place], entries[place + 1], entries[place], *entries[place + 2 :]]
    assert verify(swapped, FIELDS).broken_at == place + 1

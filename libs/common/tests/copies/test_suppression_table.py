"""The table holds what was put in and nothing else."""

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from carillon.copies.suppression_table import SuppressionTable
from carillon.runtime.number_hash import NumberHash

# few buckets and few different bytes, so that entries meet and a rest is found across two others
_hash = st.builds(
    lambda bucket, rest: b"\0" + bytes([bucket]) + bytes(rest) + bytes(8),
    st.integers(0, 2),
    st.lists(st.integers(0, 1), min_size=6, max_size=6),
)


@given(st.lists(st.tuples(st.booleans(), _hash)), st.lists(_hash))
def test_it_is_a_set(steps: list[tuple[bool, bytes]], asked: list[bytes]) -> None:
    table, known = SuppressionTable(), set[bytes]()
    for goes_in, hash_ in steps:
        if goes_in:
            table.add(hash_)
            known.add(hash_)
        else:
            table.discard(hash_)
            known.discard(hash_)
        assert (hash_ in table) is goes_in
        assert len(table) == len(known)
    assert [hash_ in table for hash_ in asked] == [hash_ in known for hash_ in asked]


def test_a_number_has_another_hash_in_each_account_and_with_each_key() -> None:
    one, other = NumberHash(SecretStr("k" * 32)), NumberHash(SecretStr("l" * 32))
    number = "33612345678"
    assert one.of("acc_1", number) == NumberHash(SecretStr("k" * 32)).of("acc_1", number)
    assert len({one.of("acc_1", number), one.of("acc_2", number), other.of("acc_1", number)}) == 3
    assert len(one.of("acc_1", number)) == 16

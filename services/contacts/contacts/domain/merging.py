"""Several sorted lists as one: the numbers that come next, whichever lists hold them."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Read(NamedTuple):
    """The next numbers of one source, rising; `more`: there may be others after the last."""

    numbers: Sequence[str]
    more: bool


def next_numbers(reads: Iterable[Read]) -> tuple[list[str], bool]:
    """All numbers up to the first place that some source has not told yet, each once, rising.

    The second value says that more may come. While it does, the list is never empty: a source that has more has told
    at least one number.
    """
    reads = list(reads)
    ends = [read.numbers[-1] for read in reads if read.more]
    horizon = min(ends) if ends else None
    numbers = {number for read in reads for number in read.numbers if horizon is None or number <= horizon}
    return sorted(numbers), bool(ends)

"""What the last check before a submit costs: CPU microseconds a message, and memory, at one and five million numbers.

python -m bench.micro_suppressions
"""

import os
import time

from pydantic import SecretStr

from carillon.copies.suppression_table import SuppressionTable
from carillon.runtime.number_hash import NumberHash

LOOKUPS = 200_000
ROUNDS = 7


def main() -> None:
    hash_ = NumberHash(SecretStr("k" * 32)).of
    numbers = [f"336{place:08d}" for place in range(LOOKUPS)]
    table = SuppressionTable()
    account = "acc_0123456789abcdefghjkmnpqrs"
    for size in (0, 1_000_000, 5_000_000):
        before = resident_bytes()
        while len(table) < size:
            table.add(os.urandom(16))
        took_us = min(round_us(hash_, table, account, numbers) for _ in range(ROUNDS))
        grown_mb = (resident_bytes() - before) / 1e6
        print(f"{size:>9,} suppressed: {took_us:.2f} us a message, {grown_mb:.0f} MB more than before")


def round_us(hash_: object, table: SuppressionTable, account: str, numbers: list[str]) -> float:
    assert callable(hash_)
    began_s = time.process_time()
    for number in numbers:
        hash_(account, number) in table  # noqa: B015  the look-up is what is measured
    return (time.process_time() - began_s) / LOOKUPS * 1e6


def resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()

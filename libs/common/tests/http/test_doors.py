"""Who passes a door, and what bad passwords may cost."""

import asyncio
import base64
import time
from collections.abc import Iterator

import pytest

from carillon.events.account import Door
from carillon.http.doors import authorise_door, basic_credentials
from carillon.http.passwords import PasswordVerifier, hash_password
from carillon.http.problem import Problem
from carillon.telemetry.metrics import PASSWORDS
from carillon.testing.clock import ManualClock

HERE = "198.51.100.7"
HASH = hash_password("sésame")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def verifier(clock: ManualClock) -> Iterator[PasswordVerifier]:
    verifier = PasswordVerifier(clock)
    yield verifier
    verifier.close()


@pytest.mark.parametrize(
    ("door", "address", "login", "password", "passes"),
    [
        (Door(name="d", addresses=[HERE]), HERE, None, None, True),
        (Door(name="d", addresses=[HERE]), HERE, "any", "thing", True),
        (Door(name="d", addresses=[HERE]), "198.51.100.8", None, None, False),
        (Door(name="d", login="me", password_hash=HASH), HERE, "me", "sésame", True),
        (Door(name="d", login="me", password_hash=HASH), HERE, "me", "sesame", False),
        (Door(name="d", login="me", password_hash=HASH), HERE, "you", "sésame", False),
        (Door(name="d", login="me", password_hash=HASH), HERE, "me", None, False),
        (Door(name="d", login="me", password_hash=HASH), HERE, None, "sésame", False),
        (Door(name="d", login="me", password_hash=HASH), HERE, "me", "\udce9", False),
        (Door(name="d", login="me", password_hash=HASH, addresses=[HERE]), HERE, "me", "sésame", True),
        (Door(name="d", login="me", password_hash=HASH, addresses=[HERE]), "::1", "me", "sésame", False),
        (Door(name="d", login="me", password_hash=HASH, addresses=[HERE]), HERE, "me", "x", False),
        (Door(name="d"), HERE, None, None, False),
        (Door(name="d", login="me"), HERE, "me", "", False),
        (Door(name="d", password_hash=HASH), HERE, None, "sésame", False),
        (Door(name="d", login="me", password_hash="rubbish"), HERE, "me", "rubbish", False),
    ],
)
async def test_a_door_asks_for_all_that_protects_it(
    door: Door, address: str, login: str | None, password: str | None, passes: bool, verifier: PasswordVerifier
) -> None:
    for _ in range(2):  # verified, then remembered
        assert await authorise_door(door, address, login, password, verifier) is passes


async def test_a_known_password_is_not_hashed_again(verifier: PasswordVerifier) -> None:
    assert await verifier.verify(HASH, "sésame", HERE)
    good, bad = PASSWORDS.value("good"), PASSWORDS.value("bad")
    assert await verifier.verify(HASH, "sésame", "another address")
    assert not await verifier.verify(HASH, "wrong", HERE)
    assert not await verifier.verify(HASH, "wrong", HERE)
    assert (PASSWORDS.value("good"), PASSWORDS.value("bad")) == (good, bad + 1)


async def test_the_hot_path_costs_microseconds(verifier: PasswordVerifier) -> None:
    door = Door(name="d", addresses=["10.0.0.0/8", HERE], login="me", password_hash=HASH)
    assert await authorise_door(door, HERE, "me", "sésame", verifier)
    best = 1.0
    for _ in range(5):
        started = time.thread_time()
        for _ in range(1000):
            await authorise_door(door, HERE, "me", "sésame", verifier)
        best = min(best, time.thread_time() - started)
    assert best / 1000 < 10e-6  # 2 us on an idle machine


async def test_equal_questions_at_once_are_verified_once(verifier: PasswordVerifier) -> None:
    before = PASSWORDS.value("good")
    answers = await asyncio.gather(*(verifier.verify(HASH, "sésame", HERE) for _ in range(50)))
    assert answers == [True] * 50
    assert PASSWORDS.value("good") == before + 1


async def test_an_asker_that_gives_up_does_not_spoil_it_for_the_others(verifier: PasswordVerifier) -> None:
    first = asyncio.create_task(verifier.verify(HASH, "sésame", HERE))
    second = asyncio.create_task(verifier.verify(HASH, "sésame", HERE))
    await asyncio.sleep(0)
    first.cancel()
    assert await second


async def test_the_loop_goes_on_while_a_password_is_hashed(verifier: PasswordVerifier) -> None:
    asked = asyncio.create_task(verifier.verify(HASH, "sésame", HERE))
    turns = 0
    while not asked.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert turns > 2


async def test_an_address_that_guesses_is_turned_away_and_forgiven_later(
    verifier: PasswordVerifier, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("carillon.http.passwords._REST", 0.0)
    for guess in range(10):
        assert not await verifier.verify(HASH, f"guess {guess}", "2001:db8::1")
    with pytest.raises(Problem) as turned_away:
        await verifier.verify(HASH, "guess 10", "2001:db8::1")
    assert turned_away.value.status == 503
    assert "Retry-After" in turned_away.value.headers
    with pytest.raises(Problem):
        await verifier.verify(HASH, "sésame", "2001:db8::2")  # the same network
    assert await verifier.verify(HASH, "sésame", HERE)  # another client
    assert await verifier.verify(HASH, "sésame", "2001:db8::1")  # known by now
    assert not await verifier.verify(HASH, "guess 0", "2001:db8::1")  # known too
    clock.step(10)
    assert not await verifier.verify(HASH, "one more", "2001:db8::1")
    with pytest.raises(Problem):
        await verifier.verify(HASH, "two more", "2001:db8::1")


async def test_guesses_from_everywhere_leave_the_processor_alone(
    verifier: PasswordVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("carillon.http.passwords._MAX_WAITING", 12)
    cpu_s, began_s = time.process_time(), time.monotonic()
    answers = await asyncio.gather(
        *(verifier.verify(HASH, f"guess {guess}", f"198.51.100.{guess}") for guess in range(20)),
        return_exceptions=True,
    )
    spent = (time.process_time() - cpu_s) / (time.monotonic() - began_s)
    turned_away = [answer for answer in answers if isinstance(answer, Problem)]
    assert len(turned_away) == 8
    assert answers.count(False) == 12
    assert spent < 0.5


@pytest.mark.parametrize(
    ("header", "credentials"),
    [
        ("Basic " + base64.b64encode(b"me:se:same").decode(), ("me", "se:same")),
        ("basic  " + base64.b64encode("me:sésame".encode()).decode(), ("me", "sésame")),
        ("Basic " + base64.b64encode("me:sésame".encode("latin-1")).decode(), ("me", "sésame")),
        ("Basic " + base64.b64encode(b"nocolon").decode(), None),
        ("Basic !!!", None),
        ("Basic é", None),
        ("Basic", None),
        ("Bearer abc", None),
        ("", None),
        (None, None),
    ],
)
def test_basic_credentials(header: str | None, credentials: tuple[str, str] | None) -> None:
    assert basic_credentials(header) == credentials

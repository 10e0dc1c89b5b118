"""Changes of an account, as pure functions."""

from collections.abc import Callable

import pytest

from accounts.domain import changes
from accounts.domain.account import SCOPES, Account, ApiKey, Callback, Door
from accounts.domain.errors import ConflictError, InvalidError, RuleError, UnknownError

NOW = 1_795_000_000_000


def _account(**fields: object) -> Account:
    values: dict[str, object] = {"id": "acc_1", "name": "Shop", "created_at": NOW, "changed_at": NOW}
    return Account(**{**values, **fields})  # type: ignore[arg-type]


def _door(name: str = "shop", **fields: object) -> Door:
    values: dict[str, object] = {"name": name, "addresses": ("192.0.2.7",), "created_at": NOW}
    return Door(**{**values, **fields})  # type: ignore[arg-type]


def _key(id_: str = "key_1", **fields: object) -> ApiKey:
    values: dict[str, object] = {"id": id_, "hash": id_.rjust(64, "0"), "hint": "abcd", "created_at": NOW}
    return ApiKey(**{**values, **fields})  # type: ignore[arg-type]


CLOSED = _account(
    state="closed",
    doors=(_door(),),
    api_keys=(_key(),),
    callback=Callback(url="https://example.com", secrets=("whsec_b", "whsec_a")),
)


def _refusal(error: pytest.ExceptionInfo[RuleError]) -> tuple[str, str | None]:
    return error.value.code, error.value.field


def test_fields_change_and_the_rest_stays() -> None:
    before = _account(doors=(_door(),))
    after = changes.with_fields(before, {"name": "Bakery", "lost_after_s": 60})
    assert (after.name, after.lost_after_s) == ("Bakery", 60)
    assert (after.doors, after.country, after.version) == (before.doors, before.country, before.version)


def test_a_sender_is_checked_with_its_type_and_kept_without_a_plus() -> None:
    after = changes.with_fields(_account(), {"default_sender": "+33612345678", "default_sender_type": "international"})
    assert after.default_sender == "33612345678"


@pytest.mark.parametrize(
    "fields",
    [
        {"default_sender": "TwelveLetter"},
        {"default_sender": ""},
        {"default_sender_type": "national"},
        {"default_sender": "1234567890123456", "default_sender_type": "international"},
    ],
)
def test_a_sender_that_does_not_suit_its_type_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(InvalidError) as error:
        changes.with_fields(_account(), fields)
    assert _refusal(error) == ("sender_invalid", "default_sender")


def test_an_account_is_suspended_and_active_again() -> None:
    suspended = changes.with_fields(_account(), {"state": "suspended"})
    assert suspended.state == "suspended"
    assert changes.with_fields(suspended, {"state": "active"}).state == "active"


def test_a_closed_account_gets_nothing_new() -> None:
    refused: list[Callable[[], Account]] = [
        lambda: changes.with_fields(CLOSED, {"state": "active"}),
        lambda: changes.with_door(CLOSED, _door("other")),
        lambda: changes.with_door_fields(CLOSED, "shop", {"split_long_text": True}),
        lambda: changes.with_key(CLOSED, _key("key_2")),
        lambda: changes.with_callback(CLOSED, "https://example.org", "json", "whsec_x"),
        lambda: changes.with_rotated_secret(CLOSED, "whsec_x"),
    ]
    for change in refused:
        with pytest.raises(ConflictError) as error:
            change()
        assert error.value.code == "account_closed"


def test_what_a_closed_account_has_can_be_taken_away() -> None:
    assert changes.without_door(CLOSED, "shop").doors == ()
    assert changes.without_key(CLOSED, "key_1").api_keys == ()
    assert changes.with_newest_secret_only(CLOSED).callback == Callback(url="https://example.com", secrets=("whsec_b",))
    assert changes.without_callback(CLOSED).callback is None


def test_a_door_name_is_used_once_in_an_account() -> None:
    with pytest.raises(ConflictError) as error:
        changes.with_door(_account(doors=(_door(),)), _door())
    assert _refusal(error) == ("door_name_taken", "name")


def test_a_door_without_any_protection_is_refused() -> None:
    with pytest.raises(InvalidError) as error:
        changes.with_door(_account(), _door(addresses=()))
    assert _refusal(error) == ("door_unprotected", "addresses")
    with pytest.raises(InvalidError) as error:
        changes.with_door_fields(_account(doors=(_door(),)), "shop", {"addresses": ()})
    assert error.value.code == "door_unprotected"


def test_the_number_of_doors_and_of_keys_has_an_end() -> None:
    full = _account(
        doors=tuple(_door(f"door-{number}") for number in range(changes.MAX_DOORS)),
        api_keys=tuple(_key(f"key_{number}") for number in range(changes.MAX_KEYS)),
    )
    with pytest.raises(ConflictError) as error:
        changes.with_door(full, _door("one-more"))
    assert error.value.code == "too_many_doors"
    with pytest.raises(ConflictError) as error:
        changes.with_key(full, _key("key_more"))
    assert error.value.code == "too_many_keys"


def test_a_login_needs_a_password_and_a_password_a_login() -> None:
    account = _account(doors=(_door(),))
    with pytest.raises(InvalidError) as error:
        changes.with_door_fields(account, "shop", {"login": "bob"})
    assert _refusal(error) == ("password_missing", "password")
    with pytest.raises(InvalidError) as error:
        changes.with_door_fields(account, "shop", {"password_hash": "$argon2id$1"})
    assert _refusal(error) == ("login_missing", "login")


def test_a_login_of_null_takes_the_password_away_too() -> None:
    account = _account(doors=(_door(login="bob", password_hash="$argon2id$1"), _door("other")))
    after = changes.with_door_fields(account, "shop", {"login": None})
    assert (after.doors[0].login, after.doors[0].password_hash) == (None, None)
    assert after.doors[1] == account.doors[1]


def test_a_new_password_keeps_the_login() -> None:
    account = _account(doors=(_door(login="bob", password_hash="$argon2id$1"),))
    door = changes.with_door_fields(account, "shop", {"password_hash": "$argon2id$2"}).doors[0]
    assert (door.login, door.password_hash) == ("bob", "$argon2id$2")


def test_what_is_not_there_is_named_as_unknown() -> None:
    unknown: dict[str, Callable[[], Account]] = {
        "door_unknown": lambda: changes.without_door(_account(), "shop"),
        "api_key_unknown": lambda: changes.without_key(_account(), "key_1"),
        "callback_unknown": lambda: changes.with_rotated_secret(_account(), "whsec_a"),
    }
    for code, change in unknown.items():
        with pytest.raises(UnknownError) as error:
            change()
        assert error.value.code == code


def test_a_new_url_keeps_the_secret_and_a_new_callback_has_a_fresh_one() -> None:
    first = changes.with_callback(_account(), "https://example.com/a", "json", "whsec_1")
    second = changes.with_callback(first, "https://example.com/b", "json-batch", "whsec_2")
    assert second.callback == Callback(url="https://example.com/b", form="json-batch", secrets=("whsec_1",))
    third = changes.with_callback(changes.without_callback(second), "https://example.com/b", "json", "whsec_3")
    assert third.callback is not None
    assert third.callback.secrets == ("whsec_3",)


def test_two_secrets_are_valid_during_a_rotation_the_newest_first() -> None:
    account = changes.with_callback(_account(), "https://example.com", "json", "whsec_1")
    for number in (2, 3):
        account = changes.with_rotated_secret(account, f"whsec_{number}")
    assert account.callback is not None
    assert account.callback.secrets == ("whsec_3", "whsec_2")
    ended = changes.with_newest_secret_only(account)
    assert ended.callback is not None
    assert ended.callback.secrets == ("whsec_3",)


def test_the_event_says_all_that_others_need_and_no_more() -> None:
    account = _account(
        version=7,
        state="suspended",
        doors=(_door(login="bob", password_hash="$argon2id$1", split_long_text=True),),
        api_keys=(_key(expires_at=NOW + 1),),
        callback=Callback(url="https://example.com", form="json", secrets=("whsec_2", "whsec_1")),
    )
    said = account.as_event()
    assert (said.id, said.version, said.state, said.name, said.country) == ("acc_1", 7, "suspended", "Shop", "FR")
    assert said.doors[0].login == "bob"
    assert said.doors[0].addresses == ["192.0.2.7"]
    assert said.doors[0].split_long_text
    assert (said.api_keys[0].hash, said.api_keys[0].expires_at) == (account.api_keys[0].hash, NOW + 1)
    assert said.api_keys[0].scopes == list(SCOPES)
    assert said.callback is not None
    assert said.callback.secrets == ["whsec_2", "whsec_1"]


def test_a_key_is_valid_until_the_moment_it_expires() -> None:
    assert _key().is_valid_at(NOW)
    assert _key(expires_at=NOW + 1).is_valid_at(NOW)
    assert not _key(expires_at=NOW).is_valid_at(NOW)

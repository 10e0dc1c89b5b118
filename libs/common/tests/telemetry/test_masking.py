"""No number, text or secret reaches a log."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from carillon.events.message import Accepted
from carillon.telemetry.masking import MASK, PRIVATE_KEYS, mask_event, mask_text


def masked(**event: object) -> dict[str, object]:
    return dict(mask_event(None, "info", event))


@pytest.mark.parametrize("key", sorted(PRIVATE_KEYS))
@pytest.mark.parametrize("value", ["33612345678", 33612345678, ["a"], {"a": 1}, b"x"])
def test_private_keys_never_show_their_value(key: str, value: object) -> None:
    assert masked(**{key: value}) == {key: MASK}
    assert masked(**{key.upper(): value}) == {key.upper(): MASK}


@given(st.integers(10**7, 10**15 - 1), st.sampled_from(["", "to ", "n=", "+", "<", "msisdn_", "é"]))
def test_no_run_of_8_to_15_digits_is_left_in_a_text(number: int, before: str) -> None:
    assert str(number) not in mask_text(f"{before}{number} was refused")


@given(st.integers(10**15, (1 << 63) - 1))
def test_message_ids_stay_readable(number: int) -> None:
    assert masked(id=number, ids=[number], message_id=number, note=f"message {number}") == {
        "id": number,
        "ids": [number],
        "message_id": number,
        "note": f"message {number}",
    }


def test_ids_and_trace_ids_are_not_taken_for_numbers() -> None:
    event = {
        "trace_id": "00000000123456780000000000000001",
        "request_id": "12345678",
        "size_bytes": 123_456_789,
    }
    assert masked(**event) == event


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("amqp://carillon:s3cret@broker:5672/", "s3cret"),
        ("Authorization: Bearer ck_live_abcdefghijklmnop", "abcdefgh"),
        ("key ck_live_abcdefghijklmnop is unknown", "abcdefgh"),
        ("whsec_MfKQ9r8GKYqrTwjU is old", "MfKQ"),
        ("GET /Ext/demo.asp?number=1&content=Bonjour%20Anne&password=abc", "Bonjour"),
        ("GET /Ext/demo.asp?number=1&content=Bonjour&password=abc", "abc"),
        ("call +33 6 12 34 56 78 back", "12 34 56"),
        ("call +33 (0)6.12.34.56.78 back", "12.34"),
    ],
)
def test_secrets_and_numbers_are_known_by_their_look(text: str, hidden: str) -> None:
    assert hidden not in mask_text(text)
    assert MASK in mask_text(text)


def test_nested_values_are_masked_by_their_own_key() -> None:
    event = masked(request={"number": "33612345678", "lane": "bulk", "notes": ["from 33612345678"]})
    assert event == {"request": {"number": MASK, "lane": "bulk", "notes": [f"from {MASK}"]}}


def test_a_value_nested_without_end_is_cut() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert "***" in str(masked(loop=loop))


def test_objects_with_fields_show_only_their_type() -> None:
    message = Accepted(
        id=1, account="acc_1", number="33612345678", sender="A", lane="bulk", encoding="gsm", parts=1,
        text="Hello", accepted_at=1,
    )  # fmt: skip
    assert masked(message=message, path=Path("/run/x"), raw=b"33612345678", nothing=None) == {
        "message": "<Accepted>",
        "path": "/run/x",
        "raw": "<11 bytes>",
        "nothing": None,
    }


def test_a_validation_error_does_not_quote_what_it_refused() -> None:
    class Push(BaseModel):
        text: int

    with pytest.raises(ValidationError) as error:
        Push.model_validate({"text": "my secret text"})
    shown = str(masked(error=error.value))
    assert "secret text" not in shown
    assert "valid integer" in shown

"""The legacy door's rules, as a table: parameters, and what becomes of them."""

from typing import Any

import pytest

from carillon.events.account import Door
from carillon.testing.builders import an_account
from carillon.testing.clock import START_MS
from ingest.domain.legacy_answer import ko_line
from ingest.domain.push import draft_of
from ingest.domain.refusal import Refusal

DOOR = Door(name="demo")
SPLITTING = Door(name="long", split_long_text=True)
ACCOUNT = an_account(doors=[DOOR, SPLITTING], default_sender="Default")
NUMBER = "33614806759"


def draft(parameters: dict[str, str], door: Door = DOOR) -> Any:
    return draft_of({"number": NUMBER, "content": "Test", **parameters}, ACCOUNT, door, START_MS)


@pytest.mark.parametrize(
    ("parameters", "fields"),
    [
        ({}, {"number": NUMBER, "text": "Test", "encoding": "gsm", "parts": 1, "lane": "urgent", "door": "demo"}),
        (
            {},
            {"sender": "Default", "sender_type": "alphanumeric", "accepted_at": START_MS, "id": 0, "account": "acc_1"},
        ),
        ({"number": "+33 6.14-80 67 59"}, {"number": NUMBER}),
        ({"number": "0033614806759"}, {"number": NUMBER}),
        ({"content": "é" * 160}, {"parts": 1, "encoding": "gsm"}),
        ({"content": "œ" * 70}, {"parts": 1, "encoding": "ucs2"}),
        ({"typecontent": "TEXTE"}, {"text": "Test"}),
        (
            {"typecontent": "Bin", "content": "00FFab"},
            {"encoding": "binary", "data": "00ffab", "text": None, "udh": None},
        ),
        ({"typecontent": "bin", "content": "00" * 140}, {"parts": 1}),
        ({"udh": "AB0201"}, {"udh": "050003ab0201", "text": "Test", "parts": 1}),
        ({"udh": "AB0201", "content": "a" * 153}, {"parts": 1}),
        ({"typecontent": "bin", "content": "00" * 134, "udh": "050003AB0201"}, {"udh": "050003ab0201", "parts": 1}),
        ({"typecontent": "bin", "content": "00", "udh": "ab0202"}, {"udh": "050003ab0202"}),
        ({"senderid": "Shop_1 a"}, {"sender": "Shop_1 a", "sender_type": "alphanumeric"}),
        (
            {"sendertype": "Mobile", "senderid": "33600000000"},
            {"sender": "33600000000", "sender_type": "international"},
        ),
        ({"sendertype": "number", "senderid": "36111"}, {"sender": "36111", "sender_type": "national"}),
        ({"sendertype": "texte", "senderid": "abc"}, {"sender": "abc", "sender_type": "alphanumeric"}),
        ({"sendertype": "number"}, {"sender": "Default", "sender_type": "alphanumeric"}),
        (
            {"wappush": "Oui", "content": "http://example.com/a", "waptitle": "A"},
            {"encoding": "binary", "data_coding": 0xF5},
        ),
        ({"wappush": "no"}, {"text": "Test"}),
        ({"ref": "order-1"}, {"client_ref": "order-1"}),
    ],
)
def test_a_push_that_is_taken(parameters: dict[str, str], fields: dict[str, Any]) -> None:
    message = draft(parameters)
    assert {name: getattr(message, name) for name in fields} == fields


def test_a_long_text_is_split_where_the_door_allows_it() -> None:
    assert draft({"content": "a" * 161}, SPLITTING).parts == 2


def test_the_account_decides_what_happens_to_an_ambiguous_message() -> None:
    account = an_account(doors=[DOOR], on_ambiguous="resend")
    assert draft_of({"number": NUMBER, "content": "x"}, account, DOOR, START_MS).on_ambiguous == "resend"


@pytest.mark.parametrize(
    ("parameters", "code", "line"),
    [
        ({"number": ""}, "number_empty", "KO - Empty number parameter"),
        ({"number": "", "content": ""}, "number_empty", "KO - Empty number parameter"),
        ({"number": "06x"}, "number_not_numeric", "KO - Not numeric number parameter"),
        ({"number": "٣٣٦١٤٨٠٦٧٥٩"}, "number_not_numeric", "KO - Not numeric number parameter"),
        ({"number": "+"}, "number_not_numeric", "KO - Not numeric number parameter"),
        ({"number": "336148\n06759"}, "number_not_numeric", "KO - Not numeric number parameter"),
        ({"number": "x", "content": ""}, "number_not_numeric", "KO - Not numeric number parameter"),
        ({"content": ""}, "content_empty", "KO - Empty content parameter"),
        ({"number": "1234567", "content": ""}, "content_empty", "KO - Empty content parameter"),
        ({"number": "1234567"}, "number_impossible", "KO - SMS rejected"),
        ({"number": "3361480675912345"}, "number_impossible", "KO - SMS rejected"),
        ({"number": "33140000000"}, "number_not_mobile", "KO - SMS rejected"),
        ({"number": "36111"}, "number_impossible", "KO - SMS rejected"),
        ({"content": "a" * 161}, "content_too_long", "KO - SMS rejected"),
        ({"content": "€" * 81}, "content_too_long", "KO - SMS rejected"),
        ({"content": "œ" * 71}, "content_too_long", "KO - SMS rejected"),
        ({"content": "a" * 154, "udh": "010201"}, "content_too_long", "KO - SMS rejected"),
        ({"typecontent": "bin", "content": "00" * 141}, "content_too_long", "KO - SMS rejected"),
        ({"typecontent": "bin", "content": "00" * 135, "udh": "010201"}, "content_too_long", "KO - SMS rejected"),
        ({"typecontent": "bin", "content": "0"}, "hex_invalid", "KO - SMS rejected"),
        ({"typecontent": "bin", "content": "zz"}, "hex_invalid", "KO - SMS rejected"),
        ({"typecontent": "html"}, "typecontent_invalid", "KO - SMS rejected"),
        ({"udh": "010200"}, "udh_invalid", "KO - SMS rejected"),
        ({"udh": "010203"}, "udh_invalid", "KO - SMS rejected"),
        ({"udh": "01"}, "udh_invalid", "KO - SMS rejected"),
        ({"udh": "xyz"}, "udh_invalid", "KO - SMS rejected"),
        ({"udh": "050003AB0201"}, "udh_invalid", "KO - SMS rejected"),
        ({"typecontent": "bin", "content": "00", "udh": "0500FF010201"}, "udh_invalid", "KO - SMS rejected"),
        ({"senderid": "TwelveLetter"}, "sender_invalid", "KO - SMS rejected"),
        ({"senderid": "a\nb"}, "sender_invalid", "KO - SMS rejected"),
        ({"senderid": "é"}, "sender_invalid", "KO - SMS rejected"),
        ({"sendertype": "mobile", "senderid": "1234567890123456"}, "sender_invalid", "KO - SMS rejected"),
        ({"sendertype": "number", "senderid": "abc"}, "sender_invalid", "KO - SMS rejected"),
        ({"sendertype": "pigeon", "senderid": "abc"}, "sender_invalid", "KO - SMS rejected"),
        ({"sendertype": "pigeon"}, "sender_invalid", "KO - SMS rejected"),
        ({"wappush": "1", "content": "no url"}, "wap_url_invalid", "KO - SMS rejected"),
        ({"wappush": "1", "content": "http://a.fr/", "waptitle": "t" * 51}, "wap_title_too_long", "KO - SMS rejected"),
        ({"wappush": "1", "content": "http://a.fr/", "udh": "010201"}, "udh_invalid", "KO - SMS rejected"),
        ({"wappush": "1", "content": "http://a.fr/" + "a" * 140}, "content_too_long", "KO - SMS rejected"),
        ({"ref": "r" * 129}, "ref_too_long", "KO - SMS rejected"),
    ],
)
def test_a_push_that_is_refused(parameters: dict[str, str], code: str, line: str) -> None:
    with pytest.raises(Refusal) as refused:
        draft(parameters)
    assert (refused.value.code, ko_line(refused.value.code)) == (code, line)


def test_a_split_door_still_bounds_binary_content_to_one_sms() -> None:
    with pytest.raises(Refusal, match="content_too_long"):
        draft({"typecontent": "bin", "content": "00" * 141}, SPLITTING)


def test_a_suspended_account_is_refused_after_what_is_wrong_with_the_parameters() -> None:
    account = an_account(doors=[DOOR], state="suspended")
    with pytest.raises(Refusal, match="content_empty"):
        draft_of({"number": NUMBER}, account, DOOR, START_MS)
    with pytest.raises(Refusal, match="account_suspended"):
        draft_of({"number": NUMBER, "content": "x"}, account, DOOR, START_MS)

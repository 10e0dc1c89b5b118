"""Delivery reports in every dress, and what operators' codes and ids mean."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carillon.events import message as message_events
from carillon.events import report as report_events
from carillon.sms import reports
from carillon.sms.legacy import legacy_word
from carillon.sms.operator_errors import SubmitError, report_error, submit_error
from carillon.sms.refs import REPORT_ID_RULES, ReportIdRule, forgiving_refs, report_ref, submit_ref
from carillon.sms.reports import Report, is_report_text, parse_report

HALF_PAST = 1_735_732_890_000
USUAL = "id:0123456789 sub:001 dlvrd:001 submit date:2501011200 done date:2501011201 stat:DELIVRD err:000 text:Hello"
AT_1201 = 1_735_732_860_000  # 2025-01-01 12:01 UTC


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (USUAL, Report("0123456789", "delivered", None, None, AT_1201)),
        (USUAL.replace(" text:Hello", ""), Report("0123456789", "delivered", None, None, AT_1201)),
        (USUAL.replace("text:", "Text:"), Report("0123456789", "delivered", None, None, AT_1201)),
        (USUAL.replace("2501011201", "250101120130"), Report("0123456789", "delivered", None, None, HALF_PAST)),
        (USUAL.replace("2501011201", "20250101120130"), Report("0123456789", "delivered", None, None, HALF_PAST)),
        (USUAL.replace("2501011201", "2513011201"), Report("0123456789", "delivered", None, None, None)),
        (USUAL.replace("2501011201", ""), Report("0123456789", "delivered", None, None, None)),
        (USUAL.replace(" ", ","), Report("0123456789", "delivered", None, None, None)),
        (
            "id:abc,sub:001,dlvrd:000,submit date:250101120000,done date:250101120100,stat:UNDELIV,err:027,Text:x",
            Report("abc", "undelivered", "027", "absent", AT_1201),
        ),
        ("id:7f-a stat:EXPIRED err:1B", Report("7f-a", "expired", "1B", None, None)),
        ("stat:REJECTD id:9 err:13", Report("9", "rejected", "13", "barred", None)),
        ("ID: 9 STAT: delivrd ERR: 000", Report("9", "delivered", None, None, None)),
        ("id:9 submit_date:2501011200 done_date:2501011201 stat:DELETED", Report("9", "deleted", None, None, AT_1201)),
        ("id:9 stat:FAILED err:EC_ABSENT", Report("9", "undelivered", "EC_ABSENT", None, None)),
        ("id:9 stat:BUFFERED", Report("9", "enroute", None, None, None)),
        ("id:9 stat:ACCEPTD", Report("9", "accepted", None, None, None)),
        ("id:9 stat:WHATEVER err:5", Report("9", "unknown", "5", "unknown_number", None)),
        ("id:9 stat:UNDELIV err:006 text:id:10 stat:DELIVRD", Report("9", "undelivered", "006", "absent", None)),
        (USUAL.replace("Hello", "id:1 stat:UNDELIV err:1"), Report("0123456789", "delivered", None, None, AT_1201)),
        ("text:id:10 stat:DELIVRD", Report("", "unknown", None, None, None)),
        ("", Report("", "unknown", None, None, None)),
        ("Hello", Report("", "unknown", None, None, None)),
    ],
)  # fmt: skip
def test_receipt_texts(text: str, expected: Report) -> None:
    assert parse_report(text) == expected
    assert parse_report(text.encode()) == expected


def test_tlvs_win_where_they_say_something() -> None:
    read = parse_report(USUAL, receipted_id=b"ABC\0", message_state=5, network_error=b"\x03\x00\x1b")
    assert read == Report("ABC", "undelivered", "027", "absent", AT_1201)
    assert parse_report(USUAL, receipted_id="", message_state=200, network_error=b"\x03") == parse_report(USUAL)
    assert parse_report(USUAL, receipted_id=b"a\nb").ref == "0123456789"


def test_tlvs_alone_are_enough() -> None:
    assert parse_report("", receipted_id="7", message_state=2) == Report("7", "delivered", None, None, None)


def test_a_zero_network_error_does_not_hide_the_texts_own() -> None:
    text = USUAL.replace("err:000", "err:033")
    assert parse_report(text, network_error=b"\x03\x00\x00").error == "memory_full"


def test_the_operators_own_table_goes_first() -> None:
    own = {"001": "absent", "99": "blocked"}
    assert parse_report("id:1 stat:UNDELIV err:001", errors=own).error == "absent"
    assert parse_report("id:1 stat:UNDELIV err:001").error == "unknown_number"
    assert report_error("0099", own) == "blocked"
    assert report_error("1", own) == "absent"
    assert report_error("424", own) is None
    assert report_error(None, own) is None
    assert report_error("²") is None


def test_the_operators_clock_has_an_offset() -> None:
    assert parse_report(USUAL, utc_offset_s=3600).done_at == AT_1201 - 3_600_000


pieces = st.sampled_from(
    ["id:", "sub:", "stat:", "err:", "text:", "done date:", "DELIVRD", "000", "001", " ", ",", "2501011200", "\0", "é"]
)


@given(
    st.one_of(st.text(), st.binary(), st.lists(pieces).map("".join)),
    st.one_of(st.none(), st.text(), st.binary()),
    st.one_of(st.none(), st.integers()),
    st.one_of(st.none(), st.binary(max_size=5)),
)
def test_it_never_raises(
    text: str | bytes, receipted_id: str | bytes | None, message_state: int | None, network_error: bytes | None
) -> None:
    read = parse_report(text, receipted_id=receipted_id, message_state=message_state, network_error=network_error)
    assert read.state in get_args(reports.ReportState)
    assert read.ref.isascii()
    is_report_text(text)


def test_a_report_is_told_from_a_text() -> None:
    assert is_report_text(USUAL.encode())
    assert not is_report_text("id:7 is my seat")
    assert not is_report_text("STOP")


def test_the_states_are_those_of_the_events() -> None:
    assert get_args(reports.ReportState) == get_args(report_events.ReportState)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (0x0B, SubmitError("unknown_number", "never")),
        (0x0A, SubmitError("sender_refused", "never")),
        (0x58, SubmitError("throttled", "slow")),
        (0x14, SubmitError("operator_queue_full", "slow")),
        (0x08, SubmitError("operator_failure", "later")),
        (0x451, SubmitError("operator_refused", "never")),
    ],
)
def test_refused_submits(status: int, word: SubmitError) -> None:
    assert submit_error(status) == word


@pytest.mark.parametrize(
    ("rule", "answer", "report"),
    [
        ("same", "Abc-01", "Abc-01"),
        ("same", " 0042\0", "0042"),
        ("decimal", "1A2B", "6699"),
        ("decimal", "00001a2b", "0000006699"),
        ("decimal", "0x1A2B", "6699"),
        ("hex", "6699", "1a2b"),
        ("hex", "0000006699", "00001A2B"),
        ("hex", "0", "0"),
        ("hex", "not-a-number", "not-a-number"),
        ("decimal", "not-a-number", "not-a-number"),
    ],
)
def test_a_report_finds_its_submit(rule: ReportIdRule, answer: str, report: str) -> None:
    assert submit_ref(rule, answer) == report_ref(rule, report)


@given(st.integers(0, 2**63))
def test_any_number_matches_by_rule_and_by_forgiveness(number: int) -> None:
    decimal, hexadecimal = str(number), format(number, "x")
    assert submit_ref("decimal", hexadecimal) == report_ref("decimal", decimal)
    assert submit_ref("hex", decimal) == report_ref("hex", hexadecimal)
    assert hexadecimal in (decimal, *forgiving_refs(decimal))
    assert decimal in (hexadecimal, *forgiving_refs(hexadecimal.upper()))
    assert decimal in (decimal, *forgiving_refs(decimal.zfill(20)))


@given(st.text(), st.sampled_from(REPORT_ID_RULES))
def test_refs_never_raise(value: str, rule: ReportIdRule) -> None:
    submit_ref(rule, value)
    report_ref(rule, value)
    alternatives = forgiving_refs(value)
    assert "" not in alternatives
    assert len(alternatives) <= 16


def test_forgiving_leaves_out_the_id_itself() -> None:
    assert "1A2B" not in forgiving_refs("1A2B")
    assert {"1a2b", "00001A2B", "6699"} < set(forgiving_refs("1A2B"))
    assert forgiving_refs("9e3c-AB") == ("9e3c-ab", "9E3C-AB")


def test_legacy_words_cover_every_status() -> None:
    words = {status: legacy_word(status) for status in get_args(message_events.Status)}
    assert words == {
        "accepted": None,
        "scheduled": None,
        "routed": None,
        "submitted": "operator",
        "delivered": "handset",
        "undelivered": "not delivered",
        "refused": "not delivered",
        "lost": "lost notification",
        "suppressed": "not delivered",
        "cancelled": "not delivered",
        "ambiguous": None,
    }

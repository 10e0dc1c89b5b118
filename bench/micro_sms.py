"""Microseconds that the rules of the trade take, one call each: `python bench/micro_sms.py`."""

import timeit
from collections.abc import Callable

from carillon.sms.alphabet import decode_gsm, encode_gsm
from carillon.sms.explain import explain
from carillon.sms.numbers import country_of, recipient
from carillon.sms.payloads import payloads
from carillon.sms.refs import forgiving_refs, submit_ref
from carillon.sms.reports import parse_report
from carillon.sms.segments import segment
from carillon.sms.sender import sender
from carillon.sms.udh import client_udh
from carillon.sms.wap_push import wap_push

SHORT = "Your code is 123456"
ONE = ("Hello, your parcel is on its way. " * 5)[:140]
TWO = ("Hello, your parcel is on its way. " * 6)[:200]
PAIRS = TWO[:190] + "€" * 10
CYRILLIC = ("Привет, ваша посылка в пути. " * 7)[:200]
EMOJI = CYRILLIC[:190] + "😀" * 10
REPORT = b"id:0123456789 sub:001 dlvrd:001 submit date:2501011200 done date:2501011201 stat:DELIVRD err:000 text:Hello"
ODD_REPORT = REPORT.replace(b" ", b",")

CASES: list[tuple[str, Callable[[], object]]] = [
    ("segment, 19 characters, 1 part", lambda: segment(SHORT)),
    ("segment, 140 characters, 1 part", lambda: segment(ONE)),
    ("segment, 200 characters, 2 parts", lambda: segment(TWO)),
    ("segment, 200 with 10 pairs", lambda: segment(PAIRS)),
    ("segment, 200 UCS-2, 3 parts", lambda: segment(CYRILLIC)),
    ("segment, 200 UCS-2 with 10 emoji", lambda: segment(EMOJI)),
    ("segment + payloads, 19 characters", lambda: payloads(segment(SHORT))),
    ("segment + payloads, 200 characters", lambda: payloads(segment(TWO), 7)),
    ("encode_gsm, 140 characters", lambda: encode_gsm(ONE)),
    ("decode_gsm, 140 octets", lambda: decode_gsm(ONE.encode())),
    ("explain, 200 characters UCS-2", lambda: explain(TWO[:199] + "ê")),
    ("recipient, France", lambda: recipient("33612345678")),
    ("recipient, United States", lambda: recipient("12025550123")),
    ("recipient, Germany", lambda: recipient("4915123456789")),
    ("recipient, forgiven", lambda: recipient("+33 6 12 34 56 78")),
    ("recipient, national", lambda: recipient("0612345678", "FR")),
    ("country_of", lambda: country_of("33612345678")),
    ("sender, text", lambda: sender("text", "Carillon")),
    ("parse_report, usual text", lambda: parse_report(REPORT)),
    ("parse_report, usual text and TLVs", lambda: parse_report(REPORT, receipted_id="0123456789", message_state=2)),
    ("parse_report, commas", lambda: parse_report(ODD_REPORT)),
    ("submit_ref, decimal", lambda: submit_ref("decimal", "0a1b2c3d")),
    ("forgiving_refs", lambda: forgiving_refs("0a1b2c3d")),
    ("client_udh", lambda: client_udh("2A0201", binary=False)),
    ("wap_push", lambda: wap_push("http://www.example.com/a?b=c", "A title")),
]


def main() -> None:
    for name, call in CASES:
        call()
        count = 5_000
        seconds = min(timeit.repeat(call, number=count, repeat=5)) / count
        print(f"{name:40s} {seconds * 1e6:8.2f} us")


if __name__ == "__main__":
    main()

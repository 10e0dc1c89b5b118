"""The legacy door's rules: from its parameters to a draft of a message, or the first refusal that applies.

The order of the checks is the contract's: number empty, number not numeric, content empty, everything else.
"""

from collections.abc import Mapping
from typing import Final

from carillon.events.account import AccountChanged, Door
from carillon.events.message import Accepted, SenderType
from carillon.sms.numbers import NumberInvalid, recipient
from carillon.sms.sender import SenderInvalid, sender
from carillon.sms.udh import UdhInvalid, client_udh
from ingest.domain.content import Content, binary_content, text_content, wap_content
from ingest.domain.refusal import CONTENT_EMPTY, NUMBER_EMPTY, NUMBER_NOT_NUMERIC, Refusal

PARAMETERS: Final = frozenset(
    {
        "number", "content", "typecontent", "udh", "sendertype", "senderid", "wappush", "waptitle", "login", "password",
        "ref",
    }
)  # fmt: skip
MAX_REF: Final = 128

_YES: Final = frozenset({"1", "true", "yes", "oui"})
_TEXT: Final = frozenset({"", "text", "texte"})

Parameters = Mapping[str, str]


def draft_of(parameters: Parameters, account: AccountChanged, door: Door, now_ms: int) -> Accepted:
    """The message that a push asks for, its id still 0.

    `parameters` has lower-case names and trimmed values; what is blank or absent counts as not given.
    """
    number, number_refusal = _number(parameters.get("number", ""))
    if not parameters.get("content"):
        raise Refusal(CONTENT_EMPTY, "content is required", "content")
    if number_refusal is not None:
        raise number_refusal
    if account.state != "active":
        raise Refusal("account_suspended", "the account is suspended")
    content = _content(parameters, door)
    sender_id, sender_type = _sender(parameters, account)
    return Accepted(
        id=0,
        account=account.id,
        number=number,
        sender=sender_id,
        sender_type=sender_type,
        lane="urgent",
        encoding=content.encoding,
        parts=content.parts,
        text=content.text,
        data=content.data,
        udh=content.udh,
        data_coding=content.data_coding,
        accepted_at=now_ms,
        on_ambiguous=account.on_ambiguous,
        door=door.name,
        client_ref=_ref(parameters),
    )


def _number(value: str) -> tuple[str, Refusal | None]:
    """The recipient. What is numeric but no recipient is refused after the content was looked at."""
    try:
        return recipient(value), None
    except NumberInvalid as error:
        refusal = Refusal(error.code, "number: digits of an international mobile number, 8 to 15", "number")
        if error.code in (NUMBER_EMPTY, NUMBER_NOT_NUMERIC):
            raise refusal from None
        return "", refusal


def _content(parameters: Parameters, door: Door) -> Content:
    content = parameters["content"]
    kind = parameters.get("typecontent", "").lower()
    binary = kind == "bin"
    if not binary and kind not in _TEXT:
        raise Refusal("typecontent_invalid", "typecontent is text or bin", "typecontent")
    udh = parameters.get("udh")
    if parameters.get("wappush", "").lower() in _YES:
        if udh:
            raise Refusal("udh_invalid", "a WAP push has a header of its own", "udh")
        return wap_content(content, parameters.get("waptitle", ""), split=door.split_long_text)
    try:
        header = client_udh(udh, binary=binary) if udh else None
    except UdhInvalid as error:
        raise Refusal(error.code, str(error), "udh") from None
    if binary:
        return binary_content(content, header, split=False)
    return text_content(content, header, split=door.split_long_text)


def _sender(parameters: Parameters, account: AccountChanged) -> tuple[str, SenderType]:
    kind, value = parameters.get("sendertype", ""), parameters.get("senderid")
    if not kind and not value:
        return account.default_sender, account.default_sender_type
    try:
        if not value:
            sender(kind, "0")  # the type is judged even where the default sender stands
            return account.default_sender, account.default_sender_type
        chosen = sender(kind or "text", value)
    except SenderInvalid as error:
        raise Refusal(error.code, str(error), "senderid") from None
    return chosen.value, chosen.kind


def _ref(parameters: Parameters) -> str | None:
    ref = parameters.get("ref")
    if ref and len(ref) > MAX_REF:
        raise Refusal("ref_too_long", f"ref has {MAX_REF} characters at most", "ref")
    return ref or None

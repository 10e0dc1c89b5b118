"""A template: one text a language, and the language of those who speak none of them."""

from collections.abc import Mapping

from msgspec import Struct

from campaign_scheduler.domain.errors import InvalidError
from campaign_scheduler.domain.placeholders import TemplateInvalid, parse
from carillon.sms.segments import ContentInvalid, segment


class Template(Struct, frozen=True, kw_only=True):
    """Times are milliseconds since 1970. `contents` are by language (BCP 47)."""

    id: str
    account: str
    name: str
    contents: dict[str, str]
    language: str
    version: int = 1
    created_at: int
    changed_at: int


def check_contents(contents: Mapping[str, str], language: str, field: str) -> None:
    """`InvalidError` for a text that cannot be read or sent, or a language without its text."""
    if language.casefold() not in {name.casefold() for name in contents}:
        raise InvalidError("language_missing", "there is no text in the template's own language", "language")
    for text in contents.values():
        check_text(text, field)


def check_text(text: str, field: str) -> None:
    """`InvalidError` for a text that is empty, or whose placeholders cannot be read, or that no SMS carries."""
    if not text.strip():
        raise InvalidError("content_empty", "there is nothing to send", field)
    try:
        segment(parse(text).shown())
    except (TemplateInvalid, ContentInvalid) as error:
        raise InvalidError(error.code, str(error), field) from error

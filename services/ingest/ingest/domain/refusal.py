"""Why a message is not taken."""

from typing import Final

# The words of `carillon.sms` that a number is judged by, as the doors say them.
NUMBER_EMPTY: Final = "number_empty"
NUMBER_NOT_NUMERIC: Final = "number_not_numeric"
CONTENT_EMPTY: Final = "content_empty"


class Refusal(Exception):  # noqa: N818  a word of the trade
    """A message that cannot be taken as it is.

    `code` is a stable word (`sender_invalid`), `detail` tells a developer more, `field` is the name under which the
    client gave what is wrong; `retry_after_s` says when the same message may be taken after all.
    """

    def __init__(self, code: str, detail: str, field: str | None = None, *, retry_after_s: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.field = field
        self.retry_after_s = retry_after_s

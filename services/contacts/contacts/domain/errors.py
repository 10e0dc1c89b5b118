"""What the rules of this service refuse, in words that an API can pass on."""


class RuleError(Exception):
    """A refusal. `code` is a stable word, `field` the input that is at fault, when one is."""

    def __init__(self, code: str, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.field = field


class UnknownError(RuleError):
    """What is named does not exist."""


class ConflictError(RuleError):
    """It cannot be done in the state that things are in."""


class StaleError(RuleError):
    """It was changed since the caller read it (If-Match)."""

    def __init__(self) -> None:
        super().__init__("version_stale", "it was changed since you read it: read it again")


class InvalidError(RuleError):
    """The values do not go together."""

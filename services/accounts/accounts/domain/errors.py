"""What an account's rules refuse, in words that an API can pass on."""


class RuleError(Exception):
    """A change that the rules refuse. `code` is a stable word, `field` the input that is at fault, when one is."""

    def __init__(self, code: str, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.field = field


class UnknownError(RuleError):
    """What is named does not exist."""


class ConflictError(RuleError):
    """It cannot be done in the state that things are in."""


class InvalidError(RuleError):
    """The values do not go together."""

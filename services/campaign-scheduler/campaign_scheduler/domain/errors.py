"""What the rules refuse, in words that the API can pass on."""


class RuleError(Exception):
    """A request that the rules refuse. `code` is a stable word, `field` the input that is at fault, when one is."""

    def __init__(self, code: str, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.field = field


class UnknownError(RuleError):
    """What is named does not exist, or is not the account's."""


class ConflictError(RuleError):
    """It cannot be done in the state that things are in."""


class InvalidError(RuleError):
    """The values are wrong, or do not go together."""

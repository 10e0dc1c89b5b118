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


class CreditError(RuleError):
    """The account's credit does not pay for it; not `is_known`: nobody could tell just now."""

    def __init__(self, *, is_known: bool) -> None:
        if is_known:
            super().__init__("credit_exhausted", "the account's credit does not pay for this")
        else:
            super().__init__("credit_unavailable", "nobody can tell what credit the account has; try again")
        self.is_known = is_known

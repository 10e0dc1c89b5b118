"""How this service's errors are told to those who ask."""

from collections.abc import Callable

from accounts.credit.ledger import CurrencyError
from accounts.domain.errors import ConflictError, InvalidError, RuleError, UnknownError
from accounts.topups.port import PaymentUnavailableError, SignatureError
from carillon.http.problem import FieldError, Problem, overloaded, retry_after
from carillon.mongo import TEMPORARY_ERRORS

_STATUS: dict[type[Exception], int] = {UnknownError: 404, ConflictError: 409, InvalidError: 422}


def _refused(error: Exception) -> Problem:
    assert isinstance(error, RuleError)
    fields = [FieldError(error.code, error.detail, pointer=f"#/{error.field}")] if error.field else []
    return Problem(_STATUS[type(error)], error.code, error.detail, errors=fields)


def _away(_error: Exception) -> Problem:
    return overloaded(2, "The database can't be reached just now; try again.")


def _unsigned(error: Exception) -> Problem:
    return Problem(400, "signature_invalid", str(error))


def _other_currency(_error: Exception) -> Problem:
    return Problem(422, "currency_mismatch", "The account's credit is in another currency.")


def _no_provider(_error: Exception) -> Problem:
    detail = "The payment provider does not answer; try again, with the same Idempotency-Key if there was one."
    return Problem(503, "payment_unavailable", detail, headers=retry_after(5))


TRANSLATIONS: dict[type[Exception], Callable[[Exception], Problem]] = {
    RuleError: _refused,
    SignatureError: _unsigned,
    CurrencyError: _other_currency,
    **dict.fromkeys(TEMPORARY_ERRORS, _away),
    PaymentUnavailableError: _no_provider,
}

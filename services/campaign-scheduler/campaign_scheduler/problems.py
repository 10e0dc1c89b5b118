"""How this service's errors are told to those who ask."""

from collections.abc import Callable

from campaign_scheduler.domain.errors import ConflictError, CreditError, InvalidError, RuleError, UnknownError
from carillon.http.problem import FieldError, Problem, overloaded, retry_after
from carillon.mongo import TEMPORARY_ERRORS
from carillon.mongo.nodes import NoNodeError

_STATUS: dict[type[Exception], int] = {UnknownError: 404, ConflictError: 409, InvalidError: 422}


def _refused(error: Exception) -> Problem:
    assert isinstance(error, RuleError)
    fields = [FieldError(error.code, error.detail, pointer=f"#/{error.field}")] if error.field else []
    return Problem(_STATUS[type(error)], error.code, error.detail, errors=fields)


def _unpaid(error: Exception) -> Problem:
    assert isinstance(error, CreditError)
    if error.is_known:
        return Problem(402, error.code, error.detail)
    return Problem(503, error.code, error.detail, headers=retry_after(2))


def _away(_error: Exception) -> Problem:
    return overloaded(2, "The database or the broker can't be reached just now; try again.")


TRANSLATIONS: dict[type[Exception], Callable[[Exception], Problem]] = {
    RuleError: _refused,
    CreditError: _unpaid,
    **dict.fromkeys((*TEMPORARY_ERRORS, NoNodeError), _away),
}

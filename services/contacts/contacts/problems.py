"""How this service's errors are told to those who ask."""

from collections.abc import Callable

from carillon.http.problem import FieldError, Problem, overloaded
from carillon.mongo import TEMPORARY_ERRORS
from contacts.domain.errors import ConflictError, InvalidError, RuleError, StaleError, UnknownError
from contacts.store.contacts import NumberTakenError
from contacts.store.groups import GroupNameTakenError

_STATUS: dict[type[Exception], int] = {UnknownError: 404, ConflictError: 409, StaleError: 412, InvalidError: 422}


def _refused(error: Exception) -> Problem:
    assert isinstance(error, RuleError)
    fields = [FieldError(error.code, error.detail, pointer=f"#/{error.field}")] if error.field else []
    return Problem(_STATUS[type(error)], error.code, error.detail, errors=fields)


def _number_taken(_error: Exception) -> Problem:
    return _refused(ConflictError("contact_exists", "there is a contact with this number already", "number"))


def _name_taken(_error: Exception) -> Problem:
    return _refused(ConflictError("group_exists", "there is a group of this name already, in some case", "name"))


def _away(_error: Exception) -> Problem:
    return overloaded(2, "The database can't be reached just now; try again.")


TRANSLATIONS: dict[type[Exception], Callable[[Exception], Problem]] = {
    RuleError: _refused,
    NumberTakenError: _number_taken,
    GroupNameTakenError: _name_taken,
    **dict.fromkeys(TEMPORARY_ERRORS, _away),
}

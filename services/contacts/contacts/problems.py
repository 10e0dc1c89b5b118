"""How this service's errors are told to those who ask."""

from collections.abc import Callable

from carillon.http.problem import Problem, overloaded
from carillon.mongo import TEMPORARY_ERRORS


def _away(_error: Exception) -> Problem:
    return overloaded(2, "The database can't be reached just now; try again.")


TRANSLATIONS: dict[type[Exception], Callable[[Exception], Problem]] = dict.fromkeys(TEMPORARY_ERRORS, _away)

"""Numbers as requests give them."""

from carillon.http.problem import FieldError, Problem
from carillon.sms.numbers import NumberInvalid, recipient


def number_of(raw: str, country: str, *, parameter: str | None = None, pointer: str | None = None) -> str:
    """International digits, or a `Problem` 422 that names where the number was given. National ones are `country`'s."""
    try:
        return recipient(raw, country)
    except NumberInvalid as error:
        field = FieldError(error.code, "a mobile number, 8 to 15 digits", pointer=pointer, parameter=parameter)
        raise Problem(422, error.code, "The number is none that can be written to.", errors=[field]) from None

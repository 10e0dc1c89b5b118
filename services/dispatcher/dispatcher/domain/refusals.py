"""What an operator's refusal means, in the platform's own words (SMPP 3.4, table 5-2)."""

from carillon.smpp.constants import Status

_CODES: dict[int, str] = {
    Status.INVSRCADR: "sender_refused",
    Status.INVSRCTON: "sender_refused",
    Status.INVSRCNPI: "sender_refused",
    Status.INVDSTADR: "number_refused",
    Status.INVDSTTON: "number_refused",
    Status.INVDSTNPI: "number_refused",
    Status.INVMSGLEN: "content_refused",
    Status.INVEXPIRY: "validity_refused",
    Status.INVSCHED: "validity_refused",
}


def refusal_code(status: int) -> str:
    """A stable word; `operator_refused` for vendors' codes and everything else."""
    return _CODES.get(status, "operator_refused")

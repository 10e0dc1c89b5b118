"""Operators' error codes as stable words, ours for good: clients and statistics read them.

Two tables, each from a standard. An operator's own table (`[operators.errors]`) goes over the first.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

NO_ERROR: Final = frozenset({"", "0"})

# Report codes. SMPP leaves `err` and network_error_code to the network (3.4, appendix B and 5.3.2.31); on
# GSM networks they are the local errors of the Mobile Application Part: 3GPP TS 29.002 clause 17.6.6,
# decimal.
REPORT_ERRORS: Final[dict[int, str]] = {
    1: "unknown_number",  # unknownSubscriber: the HLR does not know it
    5: "unknown_number",  # unidentifiedSubscriber
    6: "absent",  # absentSubscriberSM: no paging response, or detached
    8: "roaming_not_allowed",  # roamingNotAllowed
    9: "illegal_subscriber",  # illegalSubscriber: authentication failed
    10: "not_provisioned",  # bearerServiceNotProvisioned
    11: "not_provisioned",  # teleserviceNotProvisioned: no SMS on this subscription
    12: "illegal_equipment",  # illegalEquipment: handset on a black list
    13: "barred",  # callBarred
    21: "not_supported",  # facilityNotSupported
    27: "absent",  # absentSubscriber
    31: "busy",  # subscriberBusyForMT-SMS
    32: "delivery_failure",  # sm-DeliveryFailure: memory full and other causes that only the detail tells
    33: "memory_full",  # messageWaitingListFull
    34: "network_failure",  # systemFailure
    35: "network_failure",  # dataMissing
    36: "network_failure",  # unexpectedDataValue
    71: "not_supported",  # unknownAlphabet
}

Remedy = Literal["slow", "later", "never"]


class SubmitError(NamedTuple):
    """What a refused submit means.

    Slow: the bind is too fast; later: again or another route; never: it is final.
    """

    word: str
    remedy: Remedy


# command_status of submit_sm_resp: SMPP 3.4 clause 5.1.3, table 5-2.
SUBMIT_ERRORS: Final[dict[int, SubmitError]] = {
    0x01: SubmitError("bad_request", "never"),  # ESME_RINVMSGLEN
    0x02: SubmitError("bad_request", "never"),  # ESME_RINVCMDLEN
    0x03: SubmitError("bad_request", "never"),  # ESME_RINVCMDID
    0x04: SubmitError("operator_unavailable", "later"),  # ESME_RINVBNDSTS
    0x06: SubmitError("bad_request", "never"),  # ESME_RINVPRTFLG
    0x07: SubmitError("bad_request", "never"),  # ESME_RINVREGDLVFLG
    0x08: SubmitError("operator_failure", "later"),  # ESME_RSYSERR
    0x0A: SubmitError("sender_refused", "never"),  # ESME_RINVSRCADR
    0x0B: SubmitError("unknown_number", "never"),  # ESME_RINVDSTADR
    0x14: SubmitError("operator_queue_full", "slow"),  # ESME_RMSGQFUL
    0x15: SubmitError("bad_request", "never"),  # ESME_RINVSERTYP
    0x43: SubmitError("bad_request", "never"),  # ESME_RINVESMCLASS
    0x45: SubmitError("operator_failure", "later"),  # ESME_RSUBMITFAIL
    0x48: SubmitError("sender_refused", "never"),  # ESME_RINVSRCTON
    0x49: SubmitError("sender_refused", "never"),  # ESME_RINVSRCNPI
    0x50: SubmitError("unknown_number", "never"),  # ESME_RINVDSTTON
    0x51: SubmitError("unknown_number", "never"),  # ESME_RINVDSTNPI
    0x58: SubmitError("throttled", "slow"),  # ESME_RTHROTTLED
    0x61: SubmitError("bad_request", "never"),  # ESME_RINVSCHED
    0x62: SubmitError("expired", "never"),  # ESME_RINVEXPIRY
    0x64: SubmitError("operator_failure", "later"),  # ESME_RX_T_APPN
    0x65: SubmitError("operator_refused", "never"),  # ESME_RX_P_APPN
    0x66: SubmitError("operator_refused", "never"),  # ESME_RX_R_APPN
    0xC0: SubmitError("bad_request", "never"),  # ESME_RINVOPTPARSTREAM
    0xC1: SubmitError("bad_request", "never"),  # ESME_ROPTPARNOTALLWD
    0xC2: SubmitError("bad_request", "never"),  # ESME_RINVPARLEN
    0xC3: SubmitError("bad_request", "never"),  # ESME_RMISSINGOPTPARAM
    0xC4: SubmitError("bad_request", "never"),  # ESME_RINVOPTPARAMVAL
    0xFE: SubmitError("operator_failure", "later"),  # ESME_RDELIVERYFAILURE
    0xFF: SubmitError("operator_failure", "later"),  # ESME_RUNKNOWNERR
}
_OTHER: Final = SubmitError("operator_refused", "never")


def report_error(raw: str | None, own: Mapping[str, str] | None = None) -> str | None:
    """The word for a report's error code; None for no error and for a code that neither table has.

    The operator's `own` table is asked for the code as it came, then without the zeros in front.
    """
    if not raw:
        return None
    bare = raw.lstrip("0") or "0"
    if own:
        word = own.get(raw) or own.get(bare) or own.get(raw.zfill(3))
        if word is not None:
            return word
    return REPORT_ERRORS.get(int(bare)) if bare.isascii() and bare.isdigit() and len(bare) <= 5 else None


def submit_error(command_status: int) -> SubmitError:
    """What a submit_sm_resp's status means.

    A vendor's code (0x400 to 0x4FF) that nobody explained is final.
    """
    return SUBMIT_ERRORS.get(command_status, _OTHER)

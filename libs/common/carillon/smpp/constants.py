"""Numbers of SMPP 3.4 (Short Message Peer to Peer Protocol Specification v3.4, Issue 1.2).

The wire may carry any other: everywhere in this room they are plain ints.
"""

from enum import IntEnum
from typing import Literal

RESPONSE = 0x80000000
"""Set in the command_id of every response (5.1.2.1)."""
MAX_SEQUENCE = 0x7FFFFFFF
"""Sequence numbers run from 1 to this and start again (5.1.4)."""
INTERFACE_VERSION = 0x34


class Command(IntEnum):
    """command_id of the requests (5.1.2.1); a response is its request `| RESPONSE`."""

    BIND_RECEIVER = 0x01
    BIND_TRANSMITTER = 0x02
    QUERY_SM = 0x03
    SUBMIT_SM = 0x04
    DELIVER_SM = 0x05
    UNBIND = 0x06
    REPLACE_SM = 0x07
    CANCEL_SM = 0x08
    BIND_TRANSCEIVER = 0x09
    OUTBIND = 0x0B
    ENQUIRE_LINK = 0x15
    SUBMIT_MULTI = 0x21
    ALERT_NOTIFICATION = 0x102
    DATA_SM = 0x103
    GENERIC_NACK = 0x80000000


class Status(IntEnum):
    """command_status (5.1.3), named as there without the `ESME_R`."""

    OK = 0x00
    INVMSGLEN = 0x01
    INVCMDLEN = 0x02
    INVCMDID = 0x03
    INVBNDSTS = 0x04
    ALYBND = 0x05
    INVPRTFLG = 0x06
    INVREGDLVFLG = 0x07
    SYSERR = 0x08
    INVSRCADR = 0x0A
    INVDSTADR = 0x0B
    INVMSGID = 0x0C
    BINDFAIL = 0x0D
    INVPASWD = 0x0E
    INVSYSID = 0x0F
    CANCELFAIL = 0x11
    REPLACEFAIL = 0x13
    MSGQFUL = 0x14
    INVSERTYP = 0x15
    INVNUMDESTS = 0x33
    INVDLNAME = 0x34
    INVDESTFLAG = 0x40
    INVSUBREP = 0x42
    INVESMCLASS = 0x43
    CNTSUBDL = 0x44
    SUBMITFAIL = 0x45
    INVSRCTON = 0x48
    INVSRCNPI = 0x49
    INVDSTTON = 0x50
    INVDSTNPI = 0x51
    INVSYSTYP = 0x53
    INVREPFLAG = 0x54
    INVNUMMSGS = 0x55
    THROTTLED = 0x58
    INVSCHED = 0x61
    INVEXPIRY = 0x62
    INVDFTMSGID = 0x63
    X_T_APPN = 0x64
    X_P_APPN = 0x65
    X_R_APPN = 0x66
    QUERYFAIL = 0x67
    INVOPTPARSTREAM = 0xC0
    OPTPARNOTALLWD = 0xC1
    INVPARLEN = 0xC2
    MISSINGOPTPARAM = 0xC3
    INVOPTPARAMVAL = 0xC4
    DELIVERYFAILURE = 0xFE
    UNKNOWNERR = 0xFF


SLOW_DOWN: frozenset[int] = frozenset({Status.THROTTLED, Status.MSGQFUL})
"""The peer wants fewer of us: pause the bind, then send the same again."""
TRANSIENT: frozenset[int] = frozenset({Status.INVBNDSTS, Status.SYSERR, Status.X_T_APPN})
"""This bind failed us, not the message: another try may do."""

Verdict = Literal["ok", "slow_down", "retry", "refuse"]


def verdict(status: int) -> Verdict:
    """What a command_status means for the message; vendors' codes (0x400-0x4FF) refuse it for good."""
    if status == 0:
        return "ok"
    if status in SLOW_DOWN:
        return "slow_down"
    return "retry" if status in TRANSIENT else "refuse"


def status_name(status: int) -> str:
    """`ESME_RTHROTTLED` for 0x58; `0x00000410` for what 5.1.3 does not name."""
    try:
        return f"ESME_R{Status(status).name}"
    except ValueError:
        return f"0x{status:08X}"


class Ton(IntEnum):
    """Type of number (5.2.5)."""

    UNKNOWN = 0
    INTERNATIONAL = 1
    NATIONAL = 2
    NETWORK_SPECIFIC = 3
    SUBSCRIBER = 4
    ALPHANUMERIC = 5
    ABBREVIATED = 6


class Npi(IntEnum):
    """Numbering plan (5.2.6)."""

    UNKNOWN = 0
    ISDN = 1
    DATA = 3
    TELEX = 4
    LAND_MOBILE = 6
    NATIONAL = 8
    PRIVATE = 9
    ERMES = 10
    INTERNET = 14
    WAP = 18


class EsmClass(IntEnum):
    """Bits of esm_class (5.2.12). Kannel sets mode bits on ordinary messages (3, 0x43): mask them."""

    MODE_MASK = 0x03
    TYPE_MASK = 0x3C
    RECEIPT = 0x04
    SME_DELIVERY_ACK = 0x08
    SME_MANUAL_ACK = 0x10
    CONVERSATION_ABORT = 0x18
    INTERMEDIATE = 0x20
    UDH = 0x40
    REPLY_PATH = 0x80


class RegisteredDelivery(IntEnum):
    """Bits of registered_delivery (5.2.17)."""

    NONE = 0x00
    RECEIPT = 0x01
    RECEIPT_ON_FAILURE = 0x02
    RECEIPT_MASK = 0x03
    INTERMEDIATE = 0x10


class MessageState(IntEnum):
    """message_state (5.2.28)."""

    ENROUTE = 1
    DELIVERED = 2
    EXPIRED = 3
    DELETED = 4
    UNDELIVERABLE = 5
    ACCEPTED = 6
    UNKNOWN = 7
    REJECTED = 8


class Tag(IntEnum):
    """Tags of the optional parameters (5.3.2); operators' own are 0x1400-0x3FFF."""

    DEST_ADDR_SUBUNIT = 0x0005
    DEST_NETWORK_TYPE = 0x0006
    DEST_BEARER_TYPE = 0x0007
    DEST_TELEMATICS_ID = 0x0008
    SOURCE_ADDR_SUBUNIT = 0x000D
    SOURCE_NETWORK_TYPE = 0x000E
    SOURCE_BEARER_TYPE = 0x000F
    SOURCE_TELEMATICS_ID = 0x0010
    QOS_TIME_TO_LIVE = 0x0017
    PAYLOAD_TYPE = 0x0019
    ADDITIONAL_STATUS_INFO_TEXT = 0x001D
    RECEIPTED_MESSAGE_ID = 0x001E
    MS_MSG_WAIT_FACILITIES = 0x0030
    PRIVACY_INDICATOR = 0x0201
    SOURCE_SUBADDRESS = 0x0202
    DEST_SUBADDRESS = 0x0203
    USER_MESSAGE_REFERENCE = 0x0204
    USER_RESPONSE_CODE = 0x0205
    SOURCE_PORT = 0x020A
    DESTINATION_PORT = 0x020B
    SAR_MSG_REF_NUM = 0x020C
    LANGUAGE_INDICATOR = 0x020D
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    SC_INTERFACE_VERSION = 0x0210
    CALLBACK_NUM_PRES_IND = 0x0302
    CALLBACK_NUM_ATAG = 0x0303
    NUMBER_OF_MESSAGES = 0x0304
    CALLBACK_NUM = 0x0381
    DPF_RESULT = 0x0420
    SET_DPF = 0x0421
    MS_AVAILABILITY_STATUS = 0x0422
    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    DELIVERY_FAILURE_REASON = 0x0425
    MORE_MESSAGES_TO_SEND = 0x0426
    MESSAGE_STATE = 0x0427
    USSD_SERVICE_OP = 0x0501
    DISPLAY_TIME = 0x1201
    SMS_SIGNAL = 0x1203
    MS_VALIDITY = 0x1204
    ALERT_ON_MESSAGE_DELIVERY = 0x130C
    ITS_REPLY_TYPE = 0x1380
    ITS_SESSION_INFO = 0x1383

"""SMPP 3.4: codec, session, client and server. No task, future or timer per message."""

from carillon.smpp.binding import BindMode, BindRequest
from carillon.smpp.client import Bind, BindSettings, connect
from carillon.smpp.constants import (
    Command,
    EsmClass,
    MessageState,
    Npi,
    RegisteredDelivery,
    Status,
    Tag,
    Ton,
    status_name,
    verdict,
)
from carillon.smpp.errors import BindRefusedError, NoRoomError, PduError
from carillon.smpp.keep_bound import Backoff, KeepBound
from carillon.smpp.message import ShortMessage
from carillon.smpp.server import ServerSettings, SmppServer
from carillon.smpp.server_session import Handlers, ServerSession
from carillon.smpp.window import Outcome

__all__ = [
    "Backoff",
    "Bind",
    "BindMode",
    "BindRefusedError",
    "BindRequest",
    "BindSettings",
    "Command",
    "EsmClass",
    "Handlers",
    "KeepBound",
    "MessageState",
    "NoRoomError",
    "Npi",
    "Outcome",
    "PduError",
    "RegisteredDelivery",
    "ServerSession",
    "ServerSettings",
    "ShortMessage",
    "SmppServer",
    "Status",
    "Tag",
    "Ton",
    "connect",
    "status_name",
    "verdict",
]

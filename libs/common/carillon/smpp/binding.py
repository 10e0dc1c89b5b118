"""Who we are to each other: bind_transmitter, bind_receiver, bind_transceiver and outbind (SMPP 3.4, 4.1)."""

from typing import Literal

from msgspec import Struct

from carillon.smpp.constants import INTERFACE_VERSION, Command, Status, Tag
from carillon.smpp.errors import PduError
from carillon.smpp.fields import Reader, c_octets, encode_tlvs, octets

BindMode = Literal["transceiver", "transmitter", "receiver"]

BIND_COMMANDS: dict[BindMode, int] = {
    "transceiver": int(Command.BIND_TRANSCEIVER),
    "transmitter": int(Command.BIND_TRANSMITTER),
    "receiver": int(Command.BIND_RECEIVER),
}
BIND_MODES: dict[int, BindMode] = {command: mode for mode, command in BIND_COMMANDS.items()}

_SYSTEM_ID, _PASSWORD, _SYSTEM_TYPE, _ADDRESS_RANGE = 16, 9, 13, 41
_LONG_PASSWORD = 65  # clients with longer passwords than the 8 characters of 5.2.2 are everyday


class BindRequest(Struct, frozen=True):
    """The fields of a bind (4.1.1). A password has at most 8 characters on the way out, 64 on the way in."""

    system_id: str
    password: str = ""
    mode: BindMode = "transceiver"
    system_type: str = ""
    interface_version: int = INTERFACE_VERSION
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""

    def __repr__(self) -> str:
        return f"BindRequest({self.system_id!r}, {self.mode})"


class Outbind(Struct, frozen=True):
    """The fields of an outbind (4.1.7)."""

    system_id: str
    password: str = ""


def encode_bind(bind: BindRequest) -> bytes:
    """Write a bind's body; its command_id is `BIND_COMMANDS[bind.mode]`."""
    return b"".join(
        (
            c_octets(bind.system_id, _SYSTEM_ID, Status.INVSYSID),
            c_octets(bind.password, _PASSWORD, Status.INVPASWD),
            c_octets(bind.system_type, _SYSTEM_TYPE, Status.INVSYSTYP),
            octets(bind.interface_version, bind.addr_ton, bind.addr_npi),
            c_octets(bind.address_range, _ADDRESS_RANGE),
        )
    )


def decode_bind(command_id: int, body: bytes) -> BindRequest:
    """Read a bind's body. Some clients leave address_range out; what follows it is ignored."""
    if command_id not in BIND_MODES:
        raise PduError(Status.INVCMDID, "not a bind")
    reader = Reader(body)
    system_id = reader.text(_SYSTEM_ID, Status.INVSYSID)
    password = reader.text(_LONG_PASSWORD, Status.INVPASWD)
    system_type = reader.text(_SYSTEM_TYPE, Status.INVSYSTYP)
    version, ton, npi = reader.data(3)
    try:
        address_range = reader.text(_ADDRESS_RANGE)
    except PduError:
        address_range = ""
    return BindRequest(system_id, password, BIND_MODES[command_id], system_type, version, ton, npi, address_range)


def encode_bind_answer(system_id: str) -> bytes:
    """Write the body of a bind's response (4.1.2), with our version as sc_interface_version."""
    return c_octets(system_id, _SYSTEM_ID) + encode_tlvs({Tag.SC_INTERFACE_VERSION: bytes([INTERFACE_VERSION])})


def encode_outbind(outbind: Outbind) -> bytes:
    """Write an outbind's body."""
    return c_octets(outbind.system_id, _SYSTEM_ID) + c_octets(outbind.password, _PASSWORD)


def decode_outbind(body: bytes) -> Outbind:
    """Read an outbind's body."""
    reader = Reader(body)
    return Outbind(reader.text(_SYSTEM_ID, Status.INVSYSID), reader.text(_PASSWORD, Status.INVPASWD))

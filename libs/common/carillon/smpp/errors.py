"""What can go wrong in this room, in one place."""

from carillon.smpp.constants import status_name


class PduError(Exception):
    """A PDU's body breaks the specification, on the way in or out; `status` is the command_status for it."""

    def __init__(self, status: int, what: str = "") -> None:
        super().__init__(f"{status_name(status)} {what}".rstrip())
        self.status = int(status)


class NoRoomError(Exception):
    """No slot of the window is free: the bind is full, paused, held back by the peer, or not bound."""


class BindRefusedError(Exception):
    """The peer answered our bind with an error."""

    def __init__(self, status: int) -> None:
        super().__init__(f"bind refused: {status_name(status)}")
        self.status = status

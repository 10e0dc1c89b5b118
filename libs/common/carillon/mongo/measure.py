"""How long the database takes for each command, as this process sees it."""

from threading import Lock

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from carillon.telemetry import metrics

_MICROS = 1_000_000


class Measure(CommandListener):
    """Called by the driver, in whichever of its threads ran the command: hence the lock."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._lock = Lock()

    def started(self, event: CommandStartedEvent) -> None:
        """Nothing is known yet."""

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Answered; a batch with write errors too."""
        with self._lock:
            metrics.record_mongo(self._service, event.command_name, "ok", event.duration_micros / _MICROS)

    def failed(self, event: CommandFailedEvent) -> None:
        """Refused, or the connection was lost."""
        with self._lock:
            metrics.record_mongo(self._service, event.command_name, "failed", event.duration_micros / _MICROS)

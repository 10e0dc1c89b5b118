"""One `tail` or `export`: what was asked, done, and what went wrong in words."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from carillon.bus.stream import NoStreamError, Offset
from carillon.bus.topology import RECEIPT_STREAM
from carillon.receipts.formats import Format
from carillon.receipts.reader import ReceiptReader
from carillon.receipts.span import Span, parse_moment, parse_offset
from carillon_cli.receipts.checkpoint import Output, OutputError, open_output
from carillon_cli.receipts.copying import Copying, GapError

FAILED, OUTPUT_FAILED, GAP, INTERRUPTED = 1, 3, 4, 130  # 2 is the usage error of every command
_ATTEMPTS = 5


class Failure(Exception):  # noqa: N818  what the command says before it ends
    """Why it ended early."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked. `follow`: go on until stopped, instead of to the stream's present end."""

    begin: Offset
    until: datetime | None
    account: str | None
    format_: Format
    output: Path | None
    follow: bool
    allow_gap: bool
    asked: dict[str, str | None]

    @classmethod
    def parse(
        cls, begin: str, to: str, account: str, format_: Format, output: Path | None, *, follow: bool, allow_gap: bool
    ) -> "Request":
        """From the words of the command line; `ValueError` says which is wrong."""
        try:
            first = parse_offset(begin)
        except ValueError:
            raise ValueError(f"--from {begin}: first, last, next, an offset, or a time with its offset") from None
        try:
            until = parse_moment(to) if to else None
        except ValueError:
            raise ValueError(f"--to {to}: a time with its offset, such as 2026-11-22T00:00:00Z") from None
        asked = {
            "stream": RECEIPT_STREAM,
            "format": format_,
            "account": account or None,
            "from": begin,
            "to": to or None,
        }
        return cls(first, until, account or None, format_, output, follow, allow_gap, asked)


def run(url: str, request: Request, say: Callable[[str], None]) -> None:
    """Do it; `Failure` when it did not come to its end."""
    try:
        output = open_output(request.output, request.format_, request.asked)
        try:
            rows = asyncio.run(_copy(url, request, output, say))
        finally:
            output.close()
    except OutputError as error:
        raise Failure(str(error), OUTPUT_FAILED) from error
    except GapError as error:
        raise Failure(f"{error}; --allow-gap goes on behind them", GAP) from error
    except NoStreamError as error:
        raise Failure(
            f"the broker has no stream {error}: no service of Carillon has connected to it yet", FAILED
        ) from error
    except ConnectionError as error:
        raise Failure(f"the broker can't be reached: {error}", FAILED) from error
    except KeyboardInterrupt:
        if request.follow:
            return
        raise Failure("interrupted: the same command goes on", INTERRUPTED) from None
    if request.output is not None:
        say(f"{rows} rows more; the next begin at offset {output.next_offset or 0}")


async def _copy(url: str, request: Request, output: Output, say: Callable[[str], None]) -> int:
    reader = ReceiptReader(url, name="carillon receipts")
    span = Span.starting(request.begin, request.until)
    if output.next_offset is not None:
        span = span.after(output.next_offset - 1)
    wanted = span if request.follow else span.up_to(await reader.last_offset())
    attempts = None if request.follow else _ATTEMPTS
    copying = Copying(reader, output, request.account, say, attempts=attempts, allow_gap=request.allow_gap)
    if wanted is not None:
        await copying.run(wanted)
    return copying.rows

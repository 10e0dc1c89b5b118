"""Both roles against another implementation: npm's smpp 0.5.1, which many clients and operators use."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from carillon.smpp import (
    Bind,
    BindRefusedError,
    BindRequest,
    BindSettings,
    Handlers,
    Outcome,
    PduError,
    ServerSession,
    ServerSettings,
    ShortMessage,
    SmppServer,
    Status,
    Tag,
    connect,
)

REPOSITORY = Path(__file__).parents[2]
CACHE = REPOSITORY / ".carillon" / "npm"
SCRIPTS = Path(__file__).parent / "node_smpp"
PACKAGE = "smpp@0.5.1"

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or shutil.which("npm") is None, reason="no node or no npm on this machine"
)


class Node:
    """A running script; gives what it says, line by line. Its `enquire` may come at any time: told when asked for."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def says(self, event: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        while True:
            line = await asyncio.wait_for(self._process.stdout.readline(), 20)
            said: dict[str, Any] = json.loads(line)
            if said["event"] != "enquire" or event == "enquire":
                assert said.pop("event") == event, said
                return said

    async def says_all(self, event: str, count: int) -> list[dict[str, Any]]:
        return [await self.says(event) for _ in range(count)]

    async def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


Run = Callable[..., Any]


@pytest.fixture(scope="session")
def modules() -> Path:
    found = CACHE / "node_modules"
    if not (found / ".package-lock.json").exists():  # npm writes it last
        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--prefix", str(CACHE), PACKAGE]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"npm could not install {PACKAGE}: {error}")
    return found


@pytest.fixture
async def run(modules: Path) -> AsyncIterator[Run]:
    running: list[Node] = []

    async def start(script: str, *arguments: str) -> Node:
        environment = {**os.environ, "NODE_PATH": str(modules)}
        process = await asyncio.create_subprocess_exec(
            "node", str(SCRIPTS / script), *arguments, stdout=asyncio.subprocess.PIPE, env=environment
        )
        running.append(Node(process))
        return running[-1]

    yield start
    for node in running:
        await node.stop()


async def answer_to(bind: Bind, message: ShortMessage) -> Outcome:
    done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    bind.submit(message, done.set_result)
    return await asyncio.wait_for(done, 10)


async def test_npm_smpp_as_the_operator(run: Run) -> None:
    operator = await run("operator.js")
    port = (await operator.says("listening"))["port"]
    reports: asyncio.Queue[tuple[int, ShortMessage]] = asyncio.Queue()

    def settings(password: str) -> BindSettings:
        return BindSettings(
            host="127.0.0.1",
            port=port,
            system_id="carillon",
            password=password,
            system_type="sms",
            enquire_interval_s=0.3,
            throttle_pause_s=0.1,
        )

    def on_deliver(_bind: Bind, sequence: int, message: ShortMessage) -> None:
        reports.put_nowait((sequence, message))

    with pytest.raises(BindRefusedError, match="ESME_RINVPASWD"):
        await connect(settings("wrong"), on_deliver=on_deliver)
    await operator.says("bind")
    bind = await connect(settings("secret"), on_deliver=on_deliver)
    assert await operator.says("bind") == {"system_id": "carillon", "system_type": "sms", "version": 0x34}
    assert bind.operator_system_id == "node"

    async def report_of(message_id: str) -> None:
        sequence, report = await asyncio.wait_for(reports.get(), 10)
        assert report.is_report
        assert report.tlv_text(Tag.RECEIPTED_MESSAGE_ID) == message_id
        assert report.tlv_int(Tag.MESSAGE_STATE) == 2
        assert report.short_message.startswith(f"id:{message_id} ".encode())
        assert bind.acknowledge(sequence)
        assert await operator.says("acknowledged") == {"id": message_id, "status": 0}

    to = {"source_ton": 5, "source_addr": "Carillon", "dest_ton": 1, "dest_npi": 1, "registered_delivery": 1}

    def message(dest_addr: str, **fields: Any) -> ShortMessage:
        return ShortMessage(**to, dest_addr=dest_addr, **fields)  # type: ignore[arg-type]

    plain = message("33612345678", short_message=b"Price \x00 5 \x1be", tlvs={0x0204: b"\x01\x02"})
    assert (await answer_to(bind, plain)).message_id == "N1"
    heard = await operator.says("submit")
    assert (heard["source"], heard["dest"], heard["text"]) == ("Carillon", "33612345678", "Price @ 5 \u20ac")
    assert (heard["data_coding"], heard["registered"], heard["tlv"]) == (0, 1, 0x0102)
    await report_of("N1")

    for number, (word, udh) in enumerate(((b"first ", "050003070201"), (b"second", "050003070202")), 2):
        part = message("33612345678", esm_class=0x40, short_message=bytes.fromhex(udh) + word)
        assert (await answer_to(bind, part)).message_id == f"N{number}"
        heard = await operator.says("submit")
        assert (heard["esm_class"], heard["text"], heard["udh"]) == (0x40, word.decode(), udh[2:])
        await report_of(f"N{number}")

    ucs2 = message("33612345678", data_coding=8, short_message="\u4f60\u597d \u20ac".encode("utf-16-be"))
    assert (await answer_to(bind, ucs2)).message_id == "N4"
    assert (await operator.says("submit"))["text"] == "\u4f60\u597d \u20ac"
    await report_of("N4")

    assert (await answer_to(bind, message("early", short_message=b"report first"))).message_id == "N5"
    await operator.says("submit")
    await report_of("N5")

    refused = await answer_to(bind, message("throttle", short_message=b"no"))
    assert (refused.status, refused.message_id) == (Status.THROTTLED, "")
    await operator.says("submit")
    assert bind.free == 0

    await operator.says("enquire")
    await bind.unbind_and_close(5)
    await operator.says("unbind")


async def test_npm_smpp_as_the_client(run: Run) -> None:
    came: list[tuple[ServerSession, ShortMessage]] = []
    acks: list[Outcome] = []

    async def authenticate(bind: BindRequest, peer: str) -> int:
        return 0 if (bind.system_id, bind.password) == ("node", "secret") else Status.INVPASWD

    def on_submit(session: ServerSession, sequence: int, message: ShortMessage) -> None:
        if message.user_data == b"refuse me":
            raise PduError(Status.INVDSTADR)
        came.append((session, message))
        session.answer_submit(sequence, 0, f"C{len(came)}")

    server = SmppServer(ServerSettings(port=0), Handlers(authenticate=authenticate, on_submit=on_submit))
    await server.start()
    try:
        client = await run("client.js", str(server.port))
        assert await client.says("early") == {"status": Status.INVBNDSTS}
        assert await client.says("bound") == {"status": 0, "system_id": "carillon", "version": 0x34}
        answers = await client.says_all("answered", 5)
        assert [answer["id"] for answer in answers[:4]] == ["C1", "C2", "C3", "C4"]
        assert answers[4] == {"status": Status.INVDSTADR, "id": None}

        gsm, ucs2, part, long = (message for _, message in came)
        assert (gsm.user_data, gsm.data_coding) == (b"Price \x00 5 \x1be", 1)  # GSM octets marked 1: left to who knows
        assert (gsm.source_addr, gsm.dest_addr, gsm.registered_delivery) == ("Node", "33612345678", 1)
        assert (ucs2.user_data.decode("utf-16-be"), ucs2.data_coding) == ("\u4f60\u597d", 8)
        assert part.has_udh
        assert part.user_data == bytes.fromhex("050003070201") + b"part one"
        assert (long.short_message, long.user_data) == (b"", b"p" * 1000)

        tlvs = {int(Tag.RECEIPTED_MESSAGE_ID): b"C1\0", int(Tag.MESSAGE_STATE): b"\x02"}
        receipt = ShortMessage(esm_class=4, short_message=b"id:C1 stat:DELIVRD", tlvs=tlvs)
        came[0][0].deliver(receipt, acks.append)
        delivered = await client.says("delivered")
        assert delivered == {"esm_class": 4, "id": "C1", "state": 2, "text": "id:C1 stat:DELIVRD"}
        assert await client.says("queried") == {"status": Status.INVCMDID}
        assert await client.says("alive") == {"status": 0}
        assert await client.says("unbound") == {"status": 0}
        await client.says("closed")
        assert [ack.ok for ack in acks] == [True]
    finally:
        await server.stop(1)

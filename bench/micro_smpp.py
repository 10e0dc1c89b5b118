"""What SMPP costs: CPU microseconds per encode, per decode, and per submit with its answer on either side.

    python bench/micro_smpp.py [--messages 100000] [--window 50] [--loop uvloop|asyncio]

Client and server are two processes; each reports the process time it used between first and last message.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
import timeit

from carillon.smpp import (
    Bind,
    BindRequest,
    BindSettings,
    Handlers,
    Outcome,
    ServerSession,
    ServerSettings,
    ShortMessage,
    SmppServer,
    connect,
)
from carillon.smpp.message import decode_short_message, encode_short_message

TEXT = b"Your code is 123456. It is valid for ten minutes. Do not give it to anyone, not even to us."
MESSAGE = ShortMessage(
    source_ton=5,
    source_addr="Carillon",
    dest_ton=1,
    dest_npi=1,
    dest_addr="33612345678",
    validity="000002000000000R",
    registered_delivery=1,
    short_message=TEXT,
)


def codec_us() -> dict[str, float]:
    body = encode_short_message(MESSAGE)
    report = encode_short_message(
        ShortMessage(esm_class=4, short_message=TEXT, tlvs={0x1E: b"0123456789\0", 0x0427: b"\x02"})
    )
    jobs = {
        "encode_us": lambda: encode_short_message(MESSAGE),
        "decode_us": lambda: decode_short_message(body),
        "decode_report_us": lambda: decode_short_message(report),
    }
    number = 20_000
    return {
        name: round(min(timeit.repeat(job, timer=time.process_time, number=number, repeat=5)) / number * 1e6, 2)
        for name, job in jobs.items()
    }


async def serve(messages: int) -> None:
    answered = 0
    used_s = 0.0
    done = asyncio.Event()

    async def authenticate(bind: BindRequest, peer: str) -> int:  # noqa: ARG001
        return 0

    def on_submit(session: ServerSession, sequence: int, message: ShortMessage) -> None:  # noqa: ARG001
        nonlocal answered, used_s
        if not answered:
            used_s = time.process_time()
        answered += 1
        session.answer_submit(sequence, 0, str(answered))
        if answered == messages:
            used_s = time.process_time() - used_s
            done.set()

    server = SmppServer(ServerSettings(port=0), Handlers(authenticate=authenticate, on_submit=on_submit))
    await server.start()
    print(server.port, flush=True)
    await done.wait()
    print(json.dumps({"server_us": round(used_s / messages * 1e6, 2)}), flush=True)
    await server.stop()


async def submit_all(port: int, messages: int, window: int) -> dict[str, float]:
    left, answers = messages, 0
    done = asyncio.Event()

    def on_answer(outcome: Outcome) -> None:
        nonlocal answers
        answers += outcome.ok and outcome.message_id != ""
        if answers == messages:
            done.set()

    def fill(bind: Bind) -> None:
        nonlocal left
        for _ in range(min(bind.free, left)):
            left -= 1
            bind.submit(MESSAGE, on_answer)

    settings = BindSettings(host="127.0.0.1", port=port, system_id="bench", window=window)
    bind = await connect(settings, on_deliver=lambda *_: None, on_room=fill)
    used_s, began_s = time.process_time(), time.monotonic()
    fill(bind)
    await done.wait()
    used_s, took_s = time.process_time() - used_s, time.monotonic() - began_s
    await bind.unbind_and_close()
    return {"client_us": round(used_s / messages * 1e6, 2), "per_s": round(messages / took_s)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--window", type=int, default=50)
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop == "uvloop":
        import uvloop  # noqa: PLC0415 (only where it is asked for)

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    if options.serve:
        asyncio.run(serve(options.messages))
        return
    result: dict[str, float] = codec_us()
    command = [
        sys.executable,
        __file__,
        "--serve",
        "--messages",
        str(options.messages),
        "--loop",
        options.loop,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        result |= asyncio.run(submit_all(port, options.messages, options.window))
        result |= json.loads(server.stdout.readline())
    print(json.dumps(result))


if __name__ == "__main__":
    main()

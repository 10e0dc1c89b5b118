"""Runs the benches and prints a table for each; JSON goes to bench/results/.

`make bench ARGS="push batch latency campaign"`; `ARGS="campaign -n 100000"`.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import campaign
from bench.usage import usage_of
from carillon_cli import up as platform
from carillon_cli.servers import Home, default_home
from carillon_cli.servers.ports import choose_ports

HERE = Path(__file__).parent
OURS = ["ingest", "dispatcher", "receipt", "accounts"]
SERVERS = ["rabbitmq", "mongod"]
BATCH = 1_000


def call(method: str, url: str, body: Any = None, token: str | None = None) -> Any:
    request = urllib.request.Request(url, method=method, data=None if body is None else json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
    return json.loads(text) if text else None


class Bench:
    """A platform of its own, one process per service, with a callback sink beside it."""

    def __init__(self) -> None:
        self.home = Home(default_home() / "bench", tools=default_home() / "tools")
        self.results: list[dict[str, Any]] = []

    def __enter__(self) -> "Bench":
        if self.home.path.exists():
            platform.bring_down(self.home, lambda _: None)
        ports = choose_ports(self.home.path, ["front", "sink"], 18_000)
        self.running = platform.bring_up(self.home, ports["front"], True, lambda line: print("-", line))
        self.env = dict(
            _unquote(line) for line in (self.home.path / "demo.env").read_text().splitlines() if "=" in line
        )
        self.sink_url = f"http://127.0.0.1:{ports['sink']}"
        self.sink = subprocess.Popen([sys.executable, HERE / "sink.py", str(ports["sink"])])
        self.simulator = self.env["CARILLON_SIMULATOR_URL"]
        return self

    def __exit__(self, *_: object) -> None:
        self.sink.terminate()
        platform.bring_down(self.home, lambda line: print("-", line))
        shutil.rmtree(self.home.path, ignore_errors=True)

    def prepare(self, form: str) -> None:
        """All numbers are delivered at once; the demo account's receipts go to the sink."""
        url, token = self.env["CARILLON_URL"], self.env["CARILLON_ADMIN_TOKEN"]
        account = call("GET", f"{url}/v1/account", token=self.env["CARILLON_API_KEY"])["id"]
        call("PUT", f"{url}/admin/accounts/{account}/callback", {"url": f"{self.sink_url}/r", "form": form}, token)
        call("PUT", f"{self.simulator}/faults", {"rules": False, "receipt_delay_s": 0})
        time.sleep(1.5)

    def measure(self, name: str, messages: int, final: str, job: dict[str, Any]) -> None:
        """Run one load to its last final callback, and keep what it cost."""
        call("POST", f"{self.simulator}/reset?keep=faults")
        urllib.request.urlopen(f"{self.sink_url}/reset", timeout=10).close()
        names = [*OURS, *SERVERS]
        before = usage_of(self.home, names)
        began_s = time.monotonic()
        out = subprocess.run([sys.executable, HERE / "load.py", json.dumps(job)], capture_output=True, check=True)
        load = json.loads(out.stdout)
        counts: dict[str, dict[str, int]] = {}
        while time.monotonic() - began_s < 300 and counts.get(final, {}).get("ids", 0) < messages:
            time.sleep(0.1)
            counts = call("GET", f"{self.sink_url}/count")
        wall_s = time.monotonic() - began_s
        time.sleep(1.0)
        after = usage_of(self.home, names)
        stats = call("GET", f"{self.simulator}/stats")
        cpu = {one: round((after[one].cpu_s - before[one].cpu_s) * 1000 / messages, 4) for one in names}
        result = {
            "bench": name,
            "messages": messages,
            "final_callbacks": counts.get(final, {}),
            "submitted": stats["accepted"],
            "throughput_per_s": round(messages / wall_s, 1),
            "cpu_s_per_1000": cpu,
            "own": round(sum(cpu[one] for one in OURS), 3),
            "total": round(sum(cpu.values()), 3),
            "memory_mib": {one: round(after[one].memory_mib) for one in names},
            "memory_growth_mib": {one: round(after[one].memory_mib - before[one].memory_mib) for one in names},
            "http": load,
        }
        self.results.append(result)
        show(result)

    def push(self, messages: int) -> None:
        self.prepare("query")
        env = self.env
        url = (
            f"{env['CARILLON_URL']}/Ext/{env['CARILLON_DOOR']}.asp?login={env['CARILLON_LOGIN']}"
            f"&password={env['CARILLON_PASSWORD']}&number=336{{i}}&content=Hello"
        )
        warm = {"url": url, "n": 500, "start": 90_000_000, "connections": 32}
        subprocess.run([sys.executable, HERE / "load.py", json.dumps(warm)], capture_output=True, check=True)
        time.sleep(3)
        self.measure("push", messages, "handset", {"url": url, "n": messages, "connections": 32})

    def batch(self, messages: int) -> None:
        self.prepare("json-batch")
        records = [{"to": f"336{place:08d}", "text": "Hello, this is Carillon"} for place in range(BATCH)]
        body = json.dumps({"messages": records})
        job = {
            "url": f"{self.env['CARILLON_URL']}/v1/messages",
            "method": "POST",
            "headers": {"Authorization": f"Bearer {self.env['CARILLON_API_KEY']}"},
            "body": body,
            "n": messages // BATCH,
            "connections": 4,
        }
        self.measure("batch", messages, "delivered", job)

    def latency(self, messages: int) -> None:
        """One message at a time on an idle system: from the request to the operator's submit_sm."""
        self.prepare("query")
        env = self.env
        waits_ms = []
        for place in range(messages):
            number = f"3367{place:07d}"
            url = (
                f"{env['CARILLON_URL']}/Ext/{env['CARILLON_DOOR']}.asp?login={env['CARILLON_LOGIN']}"
                f"&password={env['CARILLON_PASSWORD']}&number={number}&content=Hello"
            )
            began_ms = time.time() * 1000
            urllib.request.urlopen(url, timeout=10).close()
            received: list[dict[str, Any]] = []
            while not received:
                time.sleep(0.03)
                received = call("GET", f"{self.simulator}/handsets/{number}")["messages"]
            waits_ms.append(datetime.fromisoformat(received[0]["received_at"]).timestamp() * 1000 - began_ms)
        waits_ms.sort()
        p50, p99 = statistics.median(waits_ms), waits_ms[int(0.99 * (len(waits_ms) - 1))]
        print(f"\nlatency, idle: request to submit_sm p50 {p50:.1f} ms, p99 {p99:.1f} ms ({messages} messages)")
        self.results.append(
            {"bench": "latency", "messages": messages, "p50_ms": round(p50, 2), "p99_ms": round(p99, 2)}
        )


def _unquote(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name.removeprefix("export "), value.strip("'\"")


def show(result: dict[str, Any]) -> None:
    http = result["http"]
    print(f"\n{result['bench']}: {result['messages']} messages, {result['throughput_per_s']}/s to the last callback")
    print(f"  {http['answered']} requests answered, p50 {http['p50_ms']} ms, p99 {http['p99_ms']} ms")
    print(f"  submitted {result['submitted']}, final callbacks {result['final_callbacks']}")
    if http["unexpected"]:
        print("  unexpected answer:", http["unexpected"])
    print("  process      CPU-s / 1,000   memory MiB")
    for name, cpu in result["cpu_s_per_1000"].items():
        print(f"  {name:<12} {cpu:>13.3f}   {result['memory_mib'][name]:>6} ({result['memory_growth_mib'][name]:+d})")
    print(f"  own {result['own']:.3f}, with broker and database {result['total']:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benches", nargs="*", default=["push", "batch", "latency"])
    parser.add_argument("-n", type=int, help="messages (push 20,000, batch 100,000, latency 200, campaign 20,000)")
    parser.add_argument("--profile", help="campaign: py-spy writes this process' profile to bench/results/")
    arguments = parser.parse_args()
    with Bench() as bench:
        for name in arguments.benches:
            {
                "push": lambda: bench.push(arguments.n or 20_000),
                "batch": lambda: bench.batch(arguments.n or 100_000),
                "latency": lambda: bench.latency(arguments.n or 200),
                "campaign": lambda: bench.results.append(
                    campaign.run(bench.home, bench.env, arguments.n or 20_000, arguments.profile)
                ),
            }[name]()
        (HERE / "results").mkdir(exist_ok=True)
        file = HERE / "results" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
        file.write_text(json.dumps(bench.results, indent=1))
        print(f"\nwritten to {file.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()

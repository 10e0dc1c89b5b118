"""One campaign to a file of numbers, from `:start` to the last final receipt, by an account without a callback."""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from bench.usage import forget_peaks, peaks_of, usage_of
from carillon_cli.api import AdminApi
from carillon_cli.servers import Home

OURS = ["campaign-scheduler", "contacts", "dispatcher", "receipt", "accounts", "ingest"]
SERVERS = ["rabbitmq", "mongod"]
_POLL_S = 1.0
_LONGEST_S = 900
_TEXT = "Hello {name|you}, this is Carillon"


def run(home: Home, env: dict[str, str], messages: int, profiled: str | None = None) -> dict[str, Any]:
    """Measure it, print a table, and return the result."""
    simulator = AdminApi(env["CARILLON_SIMULATOR_URL"], "")
    simulator.call("PUT", "/faults", {"rules": False, "receipt_delay_s": 0})
    api = _account(env)
    file = _audience(api, messages)
    body = {"name": "Bench", "text": _TEXT, "audience": {"file": file}}
    path = f"/v1/campaigns/{api.call('POST', '/v1/campaigns', body)['id']}"
    time.sleep(5)  # what the upload left to do
    simulator.call("POST", "/reset?keep=faults")
    names = [*OURS, *SERVERS]
    forget_peaks(home, OURS)
    before = usage_of(home, names)
    spy = _spy(home, profiled) if profiled else None
    began_s = time.monotonic()
    view = api.call("POST", f"{path}:start")
    while view["state"] != "finished" and time.monotonic() - began_s < _LONGEST_S:
        time.sleep(_POLL_S)
        view = api.call("GET", path)
    wall_s = time.monotonic() - began_s
    time.sleep(1.0)
    after, peaks = usage_of(home, names), peaks_of(home, OURS)
    if spy:
        spy.send_signal(2)
        spy.wait()
    cpu = {one: round((after[one].cpu_s - before[one].cpu_s) * 1000 / messages, 4) for one in names}
    result = {
        "bench": "campaign",
        "messages": messages,
        "delivered": view["delivered"],
        "submitted": simulator.call("GET", "/stats")["accepted"],
        "throughput_per_s": round(messages / wall_s, 1),
        "cpu_s_per_1000": cpu,
        "own": round(sum(cpu[one] for one in OURS), 3),
        "total": round(sum(cpu.values()), 3),
        "memory_mib": {one: round(after[one].memory_mib) for one in names},
        "memory_growth_mib": {one: round(after[one].memory_mib - before[one].memory_mib) for one in names},
        "peak_mib": {one: round(peak) for one, peak in peaks.items()},
    }
    _show(result)
    return result


def _account(env: dict[str, str]) -> AdminApi:
    """A new one: nothing is told to anybody."""
    admin = AdminApi(env["CARILLON_URL"], env["CARILLON_ADMIN_TOKEN"])
    account = admin.call("POST", "/admin/accounts", {"name": f"Bench {time.time_ns()}", "country": "FR"})["id"]
    key = admin.call("POST", f"/admin/accounts/{account}/api-keys", {})["key"]
    time.sleep(1.5)  # until every process knows it
    return AdminApi(env["CARILLON_URL"], key)


def _audience(api: AdminApi, messages: int) -> str:
    """Upload the numbers; the id of the file when it is read."""
    data = "".join(f"336{place:08d};Person {place}\n" for place in range(messages)).encode()
    request = urllib.request.Request(
        f"{api.url}/v1/imports?kind=audience&file_name=bench.csv",
        method="POST",
        data=data,
        headers={"Authorization": f"Bearer {api.token}", "Content-Type": "text/csv"},
    )
    with urllib.request.urlopen(request, timeout=600) as answer:
        file = json.loads(answer.read())
    while file["state"] not in ("finished", "failed"):
        time.sleep(_POLL_S)
        file = api.call("GET", f"/v1/imports/{file['id']}")
    if file["state"] == "failed":
        raise SystemExit(f"the file was not read: {file['problem']}")
    return str(file["id"])


def _spy(home: Home, name: str) -> subprocess.Popen[bytes]:
    pid = home.pid_file(name).read_text().strip()
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    out = str(results / f"{name}.txt")
    spy = Path(sys.executable).with_name("py-spy")
    return subprocess.Popen([spy, "record", "-f", "raw", "-r", "100", "-p", pid, "-o", out, "-d", "900"])


def _show(result: dict[str, Any]) -> None:
    print(f"\ncampaign: {result['messages']} messages, {result['throughput_per_s']}/s to the last receipt")
    print(f"  submitted {result['submitted']}, delivered {result['delivered']}")
    print("  process            CPU-s / 1,000   memory MiB   peak")
    for name, cpu in result["cpu_s_per_1000"].items():
        memory = f"{result['memory_mib'][name]:>6} ({result['memory_growth_mib'][name]:+d})"
        print(f"  {name:<18} {cpu:>13.3f}   {memory:<12} {result['peak_mib'].get(name, '')}")
    print(f"  own {result['own']:.3f}, with broker and database {result['total']:.3f}")

"""RabbitMQ: does it answer, is it new enough, is anything full, is every queue there with all that belongs to it."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from carillon.bus.parked import NoQueueError, Parking, QueueCount, open_parking
from carillon.bus.topology import (
    DURABLE_QUEUES,
    EXCHANGE,
    RECEIPT_STREAM,
    STREAM_ARGUMENTS,
    Queue,
    dispatcher_submit,
    durable_arguments,
)
from carillon.events.base import LANES
from carillon_cli.check.findings import Finding, bad, good, warn
from carillon_cli.management import ManagementApi, ManagementError
from carillon_cli.places import Places
from dispatcher.domain.operators import Operator

AREA = "broker"
OLDEST_VERSION = (3, 10)
DEEP = 10_000  # messages of the broker: up to 500 records each
FLAGS = ("quorum_queue", "stream_queue")
GIB = 1 << 30


async def check_broker(places: Places, operators: Sequence[Operator]) -> list[Finding]:
    """By AMQP what can be seen that way, the rest by the management API."""
    if not places.amqp_url:
        return [bad(AREA, "amqp", "no address", "set CARILLON_AMQP_URL, or start a platform here: carillon up")]
    queues = [*DURABLE_QUEUES, *(dispatcher_submit(operator.name, lane) for operator in operators for lane in LANES)]
    try:
        async with open_parking(places.amqp_url) as parking:
            findings = [_version(parking.version)]
            counts = {name: await _count(parking, name) for queue in queues for name in durable_arguments(queue)}
            stream = await _count(parking, RECEIPT_STREAM)
    except OSError as error:
        says = f"does not answer: {str(error) or type(error).__name__}"
        return [bad(AREA, "amqp", says, "start RabbitMQ, or correct CARILLON_AMQP_URL")]
    for queue in queues:
        findings.extend(_queue(queue, counts))
    if stream is None:
        findings.append(bad(AREA, RECEIPT_STREAM, "missing", "start any service: each declares it when it connects"))
    if not places.management_url:
        do = "set CARILLON_MANAGEMENT_URL=http://user:password@host:15672"
        return [*findings, warn(AREA, "management", "no address: alarms, disk, arguments, bindings not looked at", do)]
    return findings + await asyncio.to_thread(_by_management, places, queues)


async def _count(parking: Parking, name: str) -> QueueCount | None:
    try:
        return await parking.count(name)
    except NoQueueError:
        return None


def _version(version: str) -> Finding:
    numbers = tuple(int(word) for word in version.split(".")[:2] if word.isdigit())
    if numbers < OLDEST_VERSION:
        return bad(AREA, "amqp", f"RabbitMQ {version}", "use 3.10 or newer: streams and delivery limits need it")
    return good(AREA, "amqp", f"RabbitMQ {version} answers")


def _queue(queue: Queue, counts: Mapping[str, QueueCount | None]) -> Iterator[Finding]:
    service = queue.name.partition(".")[0]
    missing = [name for name in durable_arguments(queue) if counts[name] is None]
    if missing:
        yield bad(AREA, queue.name, f"missing: {', '.join(missing)}", f"start {service}: it declares its queues")
        return
    main, parked, retry = counts[queue.name], counts[queue.parked], counts[queue.retry]
    assert main is not None
    assert parked is not None
    assert retry is not None
    says = f"{main.messages} waiting, {retry.messages} to be retried, {main.consumers} consumers"
    if not main.consumers:
        yield bad(AREA, queue.name, says, f"start {service}, or see its /readyz: nobody reads this queue")
    elif main.messages > DEEP:
        yield warn(
            AREA, queue.name, says, f"run more {service} processes, or see why they are slow (its log, its binds)"
        )
    else:
        yield good(AREA, queue.name, says)
    if parked.messages:
        do = f"carillon parked show {queue.name}; mend the cause; carillon parked replay {queue.name} --all"
        yield warn(AREA, queue.parked, f"{parked.messages} parked", do)


def _by_management(places: Places, queues: Sequence[Queue]) -> list[Finding]:
    api = ManagementApi(places.management_url, places.vhost)
    try:
        nodes, flags, there, bound = api.nodes(), api.features(), api.queues(), api.bindings(EXCHANGE)
    except (ManagementError, LookupError) as error:
        return [
            warn(AREA, "management", f"does not answer: {error}", "correct CARILLON_MANAGEMENT_URL, or its user's tag")
        ]
    findings = [finding for node in nodes for finding in _node(node)]
    off = [flag for flag in FLAGS if flags.get(flag, "enabled") != "enabled"]
    if off:
        findings.append(bad(AREA, "features", f"off: {', '.join(off)}", "rabbitmqctl enable_feature_flag all"))
    else:
        findings.append(good(AREA, "features", "quorum queues and streams"))
    wanted = {name: arguments for queue in queues for name, arguments in durable_arguments(queue).items()}
    wanted[RECEIPT_STREAM] = STREAM_ARGUMENTS
    differing = [finding for name in wanted if name in there for finding in _arguments(name, wanted[name], there[name])]
    unbound = [(queue.name, key) for queue in queues for key in queue.keys if (queue.name, key) not in bound]
    findings += differing
    findings += [
        bad(
            AREA,
            name,
            f"{key} does not lead here",
            f"restart any service: it binds {name} again; facts said meanwhile are lost",
        )
        for name, key in unbound
        if name in there
    ]
    if not differing and not unbound:
        findings.append(good(AREA, "topology", f"{len(wanted)} queues as declared, {len(bound)} bindings"))
    return findings


def _node(node: Mapping[str, Any]) -> Iterator[Finding]:
    name = str(node.get("name"))
    if not node.get("running"):
        yield bad(AREA, name, "the node is down", "start it: quorum queues need more than half of their nodes")
        return
    if node.get("partitions"):
        yield bad(AREA, name, f"cut off from {node['partitions']}", "see RabbitMQ's guide on network partitions")
    if node.get("mem_alarm"):
        do = "nothing can be published: give it memory, or let consumers catch up"
        yield bad(AREA, name, "memory alarm", do)
    free, limit = int(node.get("disk_free") or 0), int(node.get("disk_free_limit") or 0)
    says = f"{free / GIB:.1f} GiB of disk free, alarm below {limit / GIB:.1f}"
    if node.get("disk_free_alarm"):
        yield bad(AREA, name, f"disk alarm: {says}", "nothing can be published: make room on the broker's disk")
    elif free < 2 * limit:
        yield warn(AREA, name, says, "make room on the broker's disk soon")
    else:
        yield good(AREA, name, says)


def _arguments(name: str, wanted: Mapping[str, object], found: Mapping[str, Any]) -> Iterator[Finding]:
    there = found.get("arguments") or {}
    wrong = [f"{key} is {there.get(key)!r}, not {value!r}" for key, value in wanted.items() if there.get(key) != value]
    if wrong:
        do = "no service can start like this: drain the queue, delete it, and let a service declare it anew"
        yield bad(AREA, name, "; ".join(wrong), do)
    if found.get("state", "running") not in ("running", "idle", "flow"):
        yield bad(AREA, name, f"state {found['state']}", "start the nodes that hold it: rabbitmq-queues quorum_status")

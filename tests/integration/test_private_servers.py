"""The private RabbitMQ and mongod, started for real: twice, after a kill, and next to each other."""

import asyncio
import os

import aio_pika
import pytest
from pymongo import MongoClient

from carillon_cli.servers import Home, Servers, kill_server, mongod, rabbitmq, start_servers, stop_servers
from carillon_cli.servers.processes import running_pid

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        "CARILLON_AMQP_URL" in os.environ or "CARILLON_MONGO_URL" in os.environ,
        reason="the environment replaces the private servers",
    ),
]


async def declare_and_publish(servers: Servers) -> None:
    async with await aio_pika.connect(servers.amqp_url) as link:
        channel = await link.channel(publisher_confirms=True)
        queue = await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        await channel.default_exchange.publish(aio_pika.Message(b"still here"), queue.name)


async def read_back(servers: Servers) -> bytes:
    async with await aio_pika.connect(servers.amqp_url) as link:
        channel = await link.channel()
        queue = await channel.get_queue("kept")
        message = await queue.get(timeout=10)
        await message.ack()
        return message.body


async def test_servers_keep_their_address_and_data_over_a_restart_and_a_kill(own_home: Home) -> None:
    first = start_servers(own_home)
    pids = {name: running_pid(own_home.pid_file(name)) for name in ("rabbitmq", "mongod", "epmd")}
    assert all(pids.values())
    await declare_and_publish(first)
    # Before 4.0 RabbitMQ writes a new quorum queue's identity to disk up to a second late: a node killed
    # within it comes back with a queue that has no leader (rabbitmq/ra pull request 443).
    await asyncio.sleep(1.5)
    with MongoClient[dict[str, object]](first.mongo_url) as client:
        client.kept.things.insert_one({"_id": 1})

    assert start_servers(own_home) == first
    assert {name: running_pid(own_home.pid_file(name)) for name in pids} == pids

    kill_server(own_home, "rabbitmq")
    kill_server(own_home, "mongod")
    assert start_servers(own_home) == first
    assert await read_back(first) == b"still here"

    stop_servers(own_home)
    assert not rabbitmq.is_running(own_home)
    assert not mongod.is_running(own_home)
    assert not list(own_home.run.glob("*.pid"))

    # Another program took mongod's port meanwhile: the data moves to a new address with its server.
    facts = own_home.recall("mongod")
    own_home.remember("mongod", facts | {"port": None})
    with_new_port = mongod.start(own_home, lambda line: None)
    with MongoClient[dict[str, object]](with_new_port) as client:
        assert client.kept.things.find_one() == {"_id": 1}


async def test_fixtures_give_each_test_a_place_of_its_own(
    vhost_url: str, amqp_vhost: str, mongo_url: str, mongo_prefix: str
) -> None:
    async with await aio_pika.connect(vhost_url) as link:
        channel = await link.channel()
        await channel.declare_queue("mine")
    assert vhost_url.endswith(f"/{amqp_vhost}")
    with MongoClient[dict[str, object]](mongo_url) as client:
        client[f"{mongo_prefix}one"].things.insert_one({})

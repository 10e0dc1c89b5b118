"""Declares the topology. Declaring again what exists changes nothing, so every process does it at each connection."""

from aiormq.channel import Channel

from carillon.bus.topology import (
    DURABLE_QUEUES,
    EXCHANGE,
    RECEIPT_STREAM,
    STREAM_ARGUMENTS,
    Queue,
    durable_arguments,
)


async def declare_topology(channel: Channel) -> None:
    """The exchange, the receipt stream and all durable queues of the table."""
    await channel.exchange_declare(exchange=EXCHANGE, exchange_type="topic", durable=True)
    await channel.queue_declare(queue=RECEIPT_STREAM, durable=True, arguments=STREAM_ARGUMENTS)  # type: ignore[arg-type]
    for queue in DURABLE_QUEUES:
        await declare_queue(channel, queue)


async def declare_queue(channel: Channel, queue: Queue) -> None:
    """One queue with its bindings, and, when it is durable, its retry and parking queues."""
    if queue.transient:
        await channel.queue_declare(queue=queue.name, exclusive=True, auto_delete=True)
    else:
        for name, arguments in durable_arguments(queue).items():
            await channel.queue_declare(queue=name, durable=True, arguments=arguments)  # type: ignore[arg-type]
    for key in queue.keys:
        await channel.queue_bind(queue=queue.name, exchange=EXCHANGE, routing_key=key)

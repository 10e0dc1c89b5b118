"""Declares the topology. Declaring again what exists changes nothing, so every process does it at each connection."""

from aiormq.channel import Channel

from carillon.bus.topology import (
    DURABLE_QUEUES,
    EXCHANGE,
    RECEIPT_STREAM,
    STREAM_MAX_AGE,
    Queue,
    queue_arguments,
    retry_arguments,
)


async def declare_topology(channel: Channel) -> None:
    """The exchange, the receipt stream and all durable queues of the table."""
    await channel.exchange_declare(exchange=EXCHANGE, exchange_type="topic", durable=True)
    await channel.queue_declare(
        queue=RECEIPT_STREAM, durable=True, arguments={"x-queue-type": "stream", "x-max-age": STREAM_MAX_AGE}
    )
    for queue in DURABLE_QUEUES:
        await declare_queue(channel, queue)


async def declare_queue(channel: Channel, queue: Queue) -> None:
    """One queue with its bindings, and, when it is durable, its retry and parking queues."""
    if queue.transient:
        await channel.queue_declare(queue=queue.name, exclusive=True, auto_delete=True)
    else:
        await channel.queue_declare(queue=queue.parked, durable=True, arguments={"x-queue-type": "quorum"})
        await channel.queue_declare(queue=queue.retry, durable=True, arguments=retry_arguments(queue))  # type: ignore[arg-type]
        await channel.queue_declare(queue=queue.name, durable=True, arguments=queue_arguments(queue))  # type: ignore[arg-type]
    for key in queue.keys:
        await channel.queue_bind(queue=queue.name, exchange=EXCHANGE, routing_key=key)

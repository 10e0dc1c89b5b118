"""Every label name there may be, and what its values are: words from closed sets, never a number or an id."""

LABELS: dict[str, str] = {
    "code": "stable word for why a message is refused: no_route, expired, operator_refused, ...",
    "command": "MongoDB's name of a command: insert, update, find, aggregate, ...",
    "committer": "accepted.urgent, accepted.bulk, dispatcher.outbox, ...",
    "door": "legacy, json, smpp",
    "event": "name of an event, such as message.accepted.v1, or the receipt stream",
    "form": "form of a callback: query, xml, json, json-batch",
    "lane": "urgent, bulk",
    "method": "HTTP method, or other",
    "operator": "name in the operators file; none where no operator had the message",
    "outcome": "what became of it; the words are with each metric",
    "queue": "name of a queue; of a process's own queue, without the process",
    "route": "path template, door prefix, or unmatched",
    "service": "name of a service; carillon where all run in one process",
    "state": "word of a delivery report: delivered, undelivered, expired, deleted, rejected, unknown, enroute, ...",
    "status": "of an HTTP answer its class (2xx); of a message the word of the API (delivered, lost, ...)",
    "version": "release of Carillon",
}

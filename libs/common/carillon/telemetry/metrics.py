"""Every metric of Carillon, declared once, and the functions that write them: handlers use nothing else.

Labels are words from closed sets (doors, lanes, queues, operators, outcomes); never a number, an id or an
account (see `labels`). The services of one process share these. Process memory and CPU are prometheus_client's own.
docs/metrics.md is made from this file (`make generated`).
"""

from collections.abc import Callable, Sequence

from carillon.telemetry.instruments import SECONDS, SIZES, Counter, Gauge, Histogram, Instrument

HTTP_DURATION = Histogram(
    "carillon.http.request.duration",
    "s",
    "Time to answer an HTTP request",
    ("service", "method", "route", "status"),
)
REQUESTS = Counter(
    "carillon.requests",
    "{request}",
    "Push requests; outcome: accepted, rejected, unauthorised, overloaded, failed",
    ("door", "outcome"),
)
ACCEPTED = Counter("carillon.messages.accepted", "{message}", "Messages that were given an id", ("door", "lane"))
REFUSED = Counter("carillon.messages.refused", "{message}", "Accepted messages that will not be delivered", ("code",))
PASSWORDS = Counter(
    "carillon.passwords.verified",
    "{password}",
    "Door passwords that were not in the cache; outcome: good, bad, turned_away",
    ("outcome",),
)

COMMIT_BATCH = Histogram("carillon.commit.batch", "{item}", "Items committed together", ("committer",), bounds=SIZES)
COMMIT_DURATION = Histogram("carillon.commit.duration", "s", "Time to make a batch durable", ("committer",))
COMMIT_WAITING = Gauge("carillon.commit.waiting", "{item}", "Items that wait for the next batch", ("committer",))

PUBLISHED = Counter("carillon.bus.published", "{record}", "Records that the broker confirmed", ("event",))
PUBLISH_BATCH = Histogram(
    "carillon.bus.publish.batch", "{record}", "Records in one published message", ("event",), bounds=SIZES
)
PUBLISH_DURATION = Histogram("carillon.bus.publish.duration", "s", "Time to the broker's confirm", ("event",))
CONSUMED = Counter("carillon.bus.consumed", "{record}", "Records that a handler has dealt with", ("queue",))
CONSUME_BATCH = Histogram(
    "carillon.bus.consume.batch", "{record}", "Records given to a handler at once", ("queue",), bounds=SIZES
)
HANDLER_DURATION = Histogram("carillon.bus.handler.duration", "s", "Time that a handler took for a batch", ("queue",))
QUEUE_AGE = Histogram(
    "carillon.bus.queue.age",
    "s",
    "Time from the moment of a batch's oldest record (its acceptance, for a message on its way out) to its handling",
    ("queue",),
)
RETRIED = Counter("carillon.bus.retried", "{record}", "Records put aside for a later attempt", ("queue",))
PARKED = Counter("carillon.bus.parked", "{record}", "Records parked for good, until replayed", ("queue",))

SUBMITS = Counter(
    "carillon.submits",
    "{part}",
    "Parts by the operator's answer; outcome: taken, throttled, temporary, refused, unanswered",
    ("operator", "outcome"),
)
SUBMIT_DURATION = Histogram("carillon.submit.duration", "s", "Time to an operator's answer", ("operator",))
BINDS_UP = Gauge("carillon.binds.up", "{bind}", "Binds that are up in this process", ("operator",))
BINDS_WANTED = Gauge(
    "carillon.binds.wanted", "{bind}", "Binds that the operators file asks for, over all processes", ("operator",)
)
WINDOW_USED = Gauge("carillon.window.used", "{part}", "Submits that wait for the operator's answer", ("operator",))
LINE_MESSAGES = Gauge(
    "carillon.line.messages", "{message}", "Messages of an operator in this process's hands", ("operator",)
)
REPORTS = Counter("carillon.reports", "{report}", "Delivery reports by what they say", ("operator", "state"))
UNMATCHED = Counter(
    "carillon.reports.unmatched", "{report}", "Reports of which the message was not known yet; they are tried again"
)
INBOUND = Counter("carillon.inbound", "{part}", "Inbound SMS parts from operators", ("operator",))

RECEIPTS = Counter("carillon.receipts", "{message}", "Changes of a message's status", ("status", "operator"))
URGENT_DURATION = Histogram(
    "carillon.urgent.duration",
    "s",
    "Time from the acceptance of an urgent message (a one-time code) to this status: submitted, delivered",
    ("status",),
    bounds=(*SECONDS, 120.0, 300.0),
)
CALLBACKS = Counter(
    "carillon.callbacks",
    "{request}",
    "Callbacks made to clients; outcome: ok, refused, unreachable, timeout, forbidden, gone",
    ("form", "outcome"),
)
CALLBACK_DURATION = Histogram("carillon.callback.duration", "s", "Time of one callback attempt", ("form",))
CALLBACKS_WAITING = Gauge(
    "carillon.callbacks.waiting", "{receipt}", "Receipts that wait in the database for a callback, of all clients"
)
CALLBACKS_PARKED = Counter("carillon.callbacks.parked", "{receipt}", "Receipts whose callback was given up")

LOW_BALANCES = Gauge(
    "carillon.credit.low", "{account}", "Prepaid accounts, of all, that are at or below the balance they warn of"
)

MONGO_DURATION = Histogram(
    "carillon.mongo.duration",
    "s",
    "Time of a command to MongoDB, its wait for a majority included; outcome: ok, failed",
    ("service", "command", "outcome"),
)

READY = Gauge("carillon.ready", "{service}", "1 while a service is ready, 0 while something is wrong", ("service",))
LOOP_LAG = Histogram("carillon.loop.lag", "s", "How late the event loop woke a timer", ("service",))
BUILD = Gauge("carillon.build.info", "{process}", "1; says which release a process runs", ("service", "version"))

CATALOGUE: tuple[Instrument, ...] = (
    HTTP_DURATION, REQUESTS, ACCEPTED, REFUSED, PASSWORDS, COMMIT_BATCH, COMMIT_DURATION, COMMIT_WAITING, PUBLISHED,
    PUBLISH_BATCH, PUBLISH_DURATION, CONSUMED, CONSUME_BATCH, HANDLER_DURATION, QUEUE_AGE, RETRIED, PARKED,
    SUBMITS, SUBMIT_DURATION, BINDS_UP, BINDS_WANTED, WINDOW_USED, LINE_MESSAGES, REPORTS, UNMATCHED, INBOUND,
    RECEIPTS, URGENT_DURATION, CALLBACKS, CALLBACK_DURATION, CALLBACKS_WAITING, CALLBACKS_PARKED, MONGO_DURATION,
    LOW_BALANCES, READY, LOOP_LAG, BUILD,
)  # fmt: skip


def record_http(service: str, method: str, route: str, status: str, seconds: float) -> None:
    """One HTTP request answered. `route` is a path template, `status` a class: 2xx."""
    HTTP_DURATION.observe(seconds, (service, method, route, status))


def record_request(door: str, outcome: str, count: int = 1) -> None:
    """Push requests.

    `door`: legacy, json, smpp. `outcome`: accepted, rejected, unauthorised, overloaded, failed.
    """
    REQUESTS.values[door, outcome] += count


def record_accepted(door: str, lane: str, count: int) -> None:
    """Messages that were given an id (after the commit)."""
    ACCEPTED.values[door, lane] += count


def record_refused(code: str, count: int = 1) -> None:
    """Messages refused by the dispatcher; `code` is the stable word of `message.refused`."""
    REFUSED.values[(code,)] += count


def record_password(outcome: str) -> None:
    """A password that had to be verified. `outcome`: good, bad, turned_away."""
    PASSWORDS.values[(outcome,)] += 1


def record_commit(committer: str, items: int, seconds: float) -> None:
    """A batch made durable by a group commit."""
    COMMIT_BATCH.observe(items, (committer,))
    COMMIT_DURATION.observe(seconds, (committer,))


def watch_committer(committer: str, waiting: Callable[[], int]) -> None:
    """Ask `waiting` at each scrape, until `forget_committer`."""
    COMMIT_WAITING.watched[(committer,)] = waiting


def forget_committer(committer: str) -> None:
    """It has stopped."""
    COMMIT_WAITING.watched.pop((committer,), None)


def record_published(event: str, records: int, seconds: float) -> None:
    """One message confirmed by the broker, with so many records in it."""
    PUBLISHED.values[(event,)] += records
    PUBLISH_BATCH.observe(records, (event,))
    PUBLISH_DURATION.observe(seconds, (event,))


def record_consumed(queue: str, records: int, seconds: float) -> None:
    """One batch that a handler has dealt with."""
    CONSUMED.values[(queue,)] += records
    CONSUME_BATCH.observe(records, (queue,))
    HANDLER_DURATION.observe(seconds, (queue,))


def record_queue_age(queue: str, seconds: float) -> None:
    """How old the oldest record of a batch was when its handler got it."""
    QUEUE_AGE.observe(seconds, (queue,))


def record_retried(queue: str, records: int) -> None:
    """Records put aside for a later attempt."""
    RETRIED.values[(queue,)] += records


def record_parked(queue: str, records: int) -> None:
    """Records parked with their reason."""
    PARKED.values[(queue,)] += records


def record_submits(operator: str, outcome: str, count: int = 1) -> None:
    """Parts answered by an operator. `outcome`: taken, throttled, temporary, refused, unanswered."""
    SUBMITS.values[operator, outcome] += count


def record_submit_duration(operator: str, seconds: float) -> None:
    """Time from writing a submit to its answer."""
    SUBMIT_DURATION.observe(seconds, (operator,))


def set_binds_up(operator: str, binds: int) -> None:
    """Binds of an operator that are up in this process now."""
    BINDS_UP.values[(operator,)] = binds


def set_binds_wanted(operator: str, binds: int) -> None:
    """Binds that the operators file asks for."""
    BINDS_WANTED.values[(operator,)] = binds


def set_line(operator: str, messages: int, unanswered: int) -> None:
    """Messages of this process at an operator, and submits that it has not answered yet."""
    LINE_MESSAGES.values[(operator,)] = messages
    WINDOW_USED.values[(operator,)] = unanswered


def record_reports(operator: str, state: str, count: int = 1) -> None:
    """Delivery reports; `state` is the word of `report.received`."""
    REPORTS.values[operator, state] += count


def record_unmatched(reports: int) -> None:
    """Reports put aside because their message is not known."""
    UNMATCHED.values[()] += reports


def record_inbound(operator: str, count: int = 1) -> None:
    """Inbound SMS parts."""
    INBOUND.values[(operator,)] += count


def record_receipts(status: str, operator: str, count: int) -> None:
    """Messages whose status has changed to `status`."""
    RECEIPTS.values[status, operator] += count


def record_urgent(status: str, seconds: Sequence[float]) -> None:
    """Urgent messages were submitted or delivered so long after their acceptance."""
    URGENT_DURATION.observe_all(seconds, (status,))


def record_callback(form: str, outcome: str, seconds: float) -> None:
    """One attempt to call a client. `outcome`: ok, refused, unreachable, timeout, forbidden, gone."""
    CALLBACKS.values[form, outcome] += 1
    CALLBACK_DURATION.observe(seconds, (form,))


def set_callbacks_waiting(receipts: int) -> None:
    """Receipts that wait for their callback now."""
    CALLBACKS_WAITING.values[()] = receipts


def record_callbacks_parked(receipts: int) -> None:
    """Receipts whose callback is made again only when somebody asks for it."""
    CALLBACKS_PARKED.values[()] += receipts


def set_low_balances(accounts: int) -> None:
    """Prepaid accounts whose balance is low now."""
    LOW_BALANCES.values[()] = accounts


def record_mongo(service: str, command: str, outcome: str, seconds: float) -> None:
    """One command answered by MongoDB."""
    MONGO_DURATION.observe(seconds, (service, command, outcome))


def set_ready(service: str, ready: bool) -> None:
    """Whether a service is ready."""
    READY.values[(service,)] = float(ready)


def record_loop_lag(service: str, seconds: float) -> None:
    """How late a timer was."""
    LOOP_LAG.observe(seconds, (service,))


def set_build(service: str, version: str) -> None:
    """What runs here."""
    BUILD.values[service, version] = 1

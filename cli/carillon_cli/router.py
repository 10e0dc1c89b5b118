"""The router's configuration (HAProxy), written from the path table: the first rule that fits counts, as in the front.

`infra/router/haproxy.cfg` is its output (`make generated`); a test compares the two.
"""

from collections.abc import Iterable, Iterator

from carillon.http.paths import ANY_CASE, RULES, Rule, allowed_methods, head_of
from carillon.http.problem import MEDIA_TYPE, Problem, not_found, retry_after
from carillon_cli.services import DEFAULT_PORTS, SERVICES

REPLICAS = 8  # containers of one service that the router finds (docker compose up --scale)

_HEAD = """\
# Written by `make generated` from carillon.http.paths, the path table: change that. HAProxy 2.6 or later.
global
    maxconn 4096
    log stdout format raw local0 info
    hard-stop-after 60s

defaults
    mode http
    log global
    # neither paths nor queries: numbers, texts and the legacy door's passwords travel in them
    log-format "%ci %b/%s %ST %B bytes %Ta ms %tsc"
    option dontlog-normal
    # Event streams say something every 15 s. Idle connections to services close before the services' own 75 s.
    timeout connect 3s
    timeout client 75s
    timeout server 75s
    timeout http-request 10s
    timeout http-keep-alive 75s
    # a request goes to another container only while not a byte of it was sent
    option redispatch
    retries 3
    retry-on conn-failure
"""

_RESOLVERS = """
resolvers docker
    nameserver engine 127.0.0.11:53
    accepted_payload_size 8192
    hold valid 1s
    hold nx 1s
    hold obsolete 1s
    timeout resolve 1s

frontend metrics
    bind :8404
    http-request use-service prometheus-exporter if { path /metrics }
"""

_FRONT = """
frontend front
    bind :8080
    # what a client says of other addresses is hearsay
    http-request del-header X-Forwarded-For
    option forwardfor
    monitor-uri /livez
"""


def haproxy_config() -> str:
    """The whole file."""
    return "\n".join((*_head(), *_frontend(), *_backends())) + "\n"


def _head() -> Iterator[str]:
    yield _HEAD.rstrip("\n")
    for problem in (
        Problem(502, "unreachable", "The service behind this path does not answer.", headers=retry_after(1)),
        Problem(503, "unreachable", "The service behind this path is not there.", headers=retry_after(1)),
        Problem(504, "unreachable", "The service behind this path took too long.", headers=retry_after(1)),
    ):
        yield f"    http-error {_answer(problem)}"
    yield _RESOLVERS.rstrip("\n")


def _frontend() -> Iterator[str]:
    yield _FRONT.rstrip("\n")
    yield from _readiness()
    for number, rule in enumerate(RULES):
        name = f"rule{number}"
        yield from _covers(name, rule.path, rule.below)
        methods = f" {{ method {' '.join(sorted(rule.methods))} }}" if rule.methods else ""
        first = "!{ var(txn.service) -m found }"
        yield f"    http-request set-var(txn.service) str({rule.service}) if {name} {first}{methods}"
    for number, (path, below, allowed) in enumerate(_limited(RULES)):
        yield from _covers(f"limited{number}", path, below)
        refusal = Problem(405, "method_not_allowed", headers={"Allow": ", ".join(sorted(allowed))})
        yield f"    http-request return {_answer(refusal)} if limited{number} !{{ var(txn.service) -m found }}"
    nothing = not_found("There is nothing at this path.")
    yield f"    http-request return {_answer(nothing)} if !{{ var(txn.service) -m found }}"
    yield "    use_backend %[var(txn.service)]"


def _readiness() -> Iterator[str]:
    """`/readyz` speaks for all services, as the front's does."""
    for service in SERVICES:
        yield f"    acl unready nbsrv(ready-{service}) lt 1"
    for ready, status in (("unready", 503), ("ready", 200)):
        condition = "unready" if ready == "unready" else "!unready"
        body = f'{{"status":"{ready}"}}'
        yield (
            f"    http-request return status {status} content-type application/json string '{body}' "
            f"if {{ path /readyz }} {condition}"
        )


def _covers(name: str, path: str, below: bool) -> Iterator[str]:
    """A condition of this name: the path itself and, if asked, what is below it."""
    case = "-i " if head_of(path + "/") in ANY_CASE else ""
    yield f"    acl {name} path {case}{path}"
    if below:
        yield f"    acl {name} path_beg {case}{path}/"


def _limited(rules: Iterable[Rule]) -> Iterator[tuple[str, bool, frozenset[str]]]:
    """Paths that are served for some methods only, the most exact first: path, whether with all below, methods."""
    limited = [rule for rule in rules if rule.methods is not None]
    for path in dict.fromkeys(rule.path for rule in limited):
        yield path, False, allowed_methods(path)
    for path in dict.fromkeys(rule.path for rule in limited if rule.below):
        yield path, True, allowed_methods(f"{path}/-")


def _answer(problem: Problem) -> str:
    headers = "".join(f' hdr {name} "{value}"' for name, value in problem.headers.items())
    return f"status {problem.status} content-type {MEDIA_TYPE} string '{problem.body().decode()}'{headers}"


def _backends() -> Iterator[str]:
    """Two a service: requests go where the process lives, `/readyz` asks whether it can work."""
    for service in SERVICES:
        for name, probe in ((service, "/livez"), (f"ready-{service}", "/readyz")):
            yield ""
            yield f"backend {name}"
            yield f"    option httpchk GET {probe}"
            yield (
                f"    server-template {service}- {REPLICAS} {service}:{DEFAULT_PORTS[service]} "
                "check inter 1s fall 2 rise 1 resolvers docker init-addr none"
            )

"""The router's file says what the path table says, request for request."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from carillon.http.paths import RULES, allowed_methods, service_of
from carillon_cli.router import haproxy_config
from carillon_cli.services import DEFAULT_PORTS, SERVICES

COMMITTED = Path(__file__).parents[2] / "infra/router/haproxy.cfg"
ACL = re.compile(r"    acl (\w+) (path|path_beg) (-i )?(\S+)$")
GOES_TO = re.compile(
    r"    http-request set-var\(txn\.service\) str\((\S+)\) if (\w+) !\{ \S+ -m found \}(?: \{ method (.+) \})?$"
)
REFUSED = re.compile(r'    http-request return status 405 .* hdr Allow "(.*)" if (\w+) !\{ \S+ -m found \}$')


class Reader:
    """HAProxy's reading of the file, as far as the file uses it: conditions of one name are joined by "or"."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.conditions: dict[str, list[tuple[str, bool, str]]] = {}
        for found in filter(None, map(ACL.match, self.lines)):
            name, kind, any_case, path = found.groups()
            self.conditions.setdefault(name, []).append((kind, bool(any_case), path))

    def holds(self, name: str, path: str) -> bool:
        for kind, any_case, wanted in self.conditions[name]:
            seen, sought = (path.lower(), wanted.lower()) if any_case else (path, wanted)
            if seen == sought if kind == "path" else seen.startswith(sought):
                return True
        return False

    def answer(self, method: str, path: str) -> str | frozenset[str]:
        """The service, or the methods that a 405 allows, or nothing at all (404)."""
        for line in self.lines:
            goes, refused = GOES_TO.match(line), REFUSED.match(line)
            if goes and self.holds(goes[2], path) and (goes[3] is None or method in goes[3].split()):
                return goes[1]
            if refused and self.holds(refused[2], path):
                return frozenset(refused[1].split(", "))
        return frozenset()


READER = Reader(haproxy_config())
PATHS = st.sampled_from(
    sorted({rule.path for rule in RULES} | {"/Ext", "/EXT", "/v1", "/extra", "/v1/message", "/V1/messages"})
)
TAILS = st.sampled_from(["", "/", "/x", "/x/y", "/quote", "x", ".asp", "/demo.asp"])
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])


@given(METHODS, PATHS, TAILS)
@example("POST", "/eXt", "/demo.asp")
@example("GET", "/v1/messages", "/quote")
def test_a_request_goes_where_the_front_sends_it(method: str, path: str, tail: str) -> None:
    service = service_of(method, path + tail)
    expected = service if service is not None else allowed_methods(path + tail)
    assert READER.answer(method, path + tail) == expected


def test_every_rule_is_in_the_file() -> None:
    said = [found[1] for found in map(GOES_TO.match, READER.lines) if found]
    assert said == [rule.service for rule in RULES]


def test_the_file_is_never_stale() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == haproxy_config(), "run `make generated`"


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_its_two_backends(service: str) -> None:
    text = haproxy_config()
    for name, probe in ((service, "/livez"), (f"ready-{service}", "/readyz")):
        block = text.partition(f"\nbackend {name}\n")[2].partition("\nbackend ")[0]
        assert f"option httpchk GET {probe}\n" in block
        assert f" {service}:{DEFAULT_PORTS[service]} " in block


def test_no_log_line_holds_a_path() -> None:
    """Numbers, texts and passwords travel in the legacy door's addresses."""
    (line,) = [line for line in haproxy_config().splitlines() if "log-format" in line]
    assert not {"%r", "%HU", "%HP", "%HPO", "%HQ", "%hr"} & set(re.findall(r"%\w+", line))
    assert "httplog" not in haproxy_config()

"""Which service serves what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carillon.http.paths import RULES, allowed_methods, service_of


@pytest.mark.parametrize(
    ("method", "path", "service"),
    [
        ("GET", "/Ext/demo.asp", "ingest"),
        ("POST", "/ext/demo.asp", "ingest"),
        ("GET", "/EXT/Demo.ASP", "ingest"),
        ("POST", "/v1/messages", "ingest"),
        ("POST", "/v1/messages/quote", "ingest"),
        ("POST", "/v1/messages/7", None),
        ("GET", "/v1/messages", "receipt"),
        ("HEAD", "/v1/messages/7", "receipt"),
        ("GET", "/v1/messages/7/callbacks", "receipt"),
        ("GET", "/v1/messagesx", None),
        ("GET", "/v1/receipts/stream", "receipt"),
        ("POST", "/v1/callbacks/replay", "receipt"),
        ("GET", "/v1/stats", "receipt"),
        ("DELETE", "/v1/messages/7", "campaign-scheduler"),
        ("POST", "/v1/campaigns/cmp_1:start", "campaign-scheduler"),
        ("GET", "/v1/contacts/search", "contacts"),
        ("POST", "/v1/imports", "contacts"),
        ("GET", "/v1/account", "accounts"),
        ("PATCH", "/v1/account/callback", "accounts"),
        ("GET", "/v1/accounts", None),
        ("DELETE", "/v1/api-keys/key_1", "accounts"),
        ("POST", "/v1/doors", "accounts"),
        ("PUT", "/admin/accounts/acc_1", "accounts"),
        ("GET", "/Admin/accounts", None),
        ("GET", "/simulator", "simulator"),
        ("POST", "/simulator/handsets", "simulator"),
        ("GET", "/openapi/ingest.json", "ingest"),
        ("GET", "/openapi/ingest.json/x", None),
        ("GET", "/", None),
        ("GET", "", None),
        ("GET", "//v1/messages", None),
        ("GET", "/v1", None),
        ("GET", "/v1/", None),
        ("GET", "/metrics", None),
    ],
)
def test_the_table(method: str, path: str, service: str | None) -> None:
    assert service_of(method, path) == service


def test_methods_of_a_path() -> None:
    assert allowed_methods("/v1/messages") == {"GET", "HEAD", "POST", "DELETE"}
    assert allowed_methods("/v1/messages/7") == {"GET", "HEAD", "DELETE"}
    assert allowed_methods("/nowhere") == frozenset()


def test_rules_are_written_as_they_are_matched() -> None:
    for rule in RULES:
        assert rule.path.startswith("/")
        assert not rule.path.endswith("/")
        method = next(iter(rule.methods)) if rule.methods else "GET"
        assert service_of(method, rule.path) == rule.service


@given(st.sampled_from(["GET", "POST", "X"]), st.text(max_size=40).map(lambda text: "/" + text))
def test_any_path_is_answered_without_an_error(method: str, path: str) -> None:
    service_of(method, path)
    allowed_methods(path)

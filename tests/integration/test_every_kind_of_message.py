"""From the client's request to the handset and back to the client's URL, for every kind of message and every form.

One platform, one process, as `carillon up` starts it.
"""

import json
import shlex
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from carillon_cli import up as platform
from carillon_cli.servers import Home
from carillon_cli.servers.ports import choose_ports

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


class Client:
    """The demo account's client system, with the simulator's handsets in view."""

    def __init__(self, home: Home) -> None:
        lines = (home.path / "demo.env").read_text().splitlines()
        self.env = {name: shlex.split(value)[0] for name, _, value in (line.partition("=") for line in lines)}
        self.door = f"{self.env['CARILLON_URL']}/Ext/{self.env['CARILLON_DOOR'].upper()}.asp"
        self.login = {"login": self.env["CARILLON_LOGIN"], "password": self.env["CARILLON_PASSWORD"]}

    def get(self, **parameters: str) -> tuple[str, str]:
        """Answer and `Carillon-Reason` of a push by GET."""
        return self._text(urllib.request.Request(f"{self.door}?{urllib.parse.urlencode({**self.login, **parameters})}"))

    def xml(self, body: str) -> str:
        login = "".join(f"<{name}>{value}</{name}>" for name, value in self.login.items())
        document = f"<?xml version='1.0' encoding='UTF-8'?><sms>{login}{body}</sms>"
        form = urllib.parse.urlencode({"xmldata": document}).encode()
        return self._text(urllib.request.Request(self.door, form))[0]

    def json(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(f"{self.env['CARILLON_URL']}{path}", method=method)
        request.add_header("Authorization", f"Bearer {self.env['CARILLON_API_KEY']}")
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def handset(self, number: str) -> dict[str, Any]:
        """What the handset shows, once its newest message is whole."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with urllib.request.urlopen(f"{self.env['CARILLON_SIMULATOR_URL']}/handsets/{number}", timeout=5) as answer:
                messages = json.load(answer)["messages"]
            if messages and messages[0]["parts"] == messages[0]["parts_total"]:
                return dict(messages[0])
            time.sleep(0.02)
        raise AssertionError(f"{number} got nothing")

    def statuses(self, identifier: str, last: str) -> list[str]:
        """Statuses of the callbacks for a message, in order, up to `last`; within 3 s."""
        deadline = time.monotonic() + 3
        found: list[str] = []
        while time.monotonic() < deadline:
            url = f"{self.env['CARILLON_SIMULATOR_URL']}/callbacks/messages"
            with urllib.request.urlopen(url, timeout=5) as answer:
                found = json.load(answer).get(identifier, [])
            if last in found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{identifier} got {found}")

    def _text(self, request: urllib.request.Request) -> tuple[str, str]:
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith("text/plain")
            return answer.read().decode(), answer.headers.get("Carillon-Reason", "")


@pytest.fixture(scope="module")
def client(amqp_url: str, mongo_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    patch = pytest.MonkeyPatch()
    patch.setenv("CARILLON_AMQP_URL", amqp_url)
    patch.setenv("CARILLON_MONGO_URL", mongo_url)
    patch.setenv("CARILLON_MONGO_PREFIX", "kinds_")
    home = Home(tmp_path_factory.mktemp("kinds"))
    try:
        platform.bring_up(home, choose_ports(home.path, ["front"], 16_000)["front"], False, lambda _: None)
        yield Client(home)
    finally:
        platform.bring_down(home, lambda _: None)
        patch.undo()


def test_text_by_get_in_any_case_with_both_receipts(client: Client) -> None:
    identifier, _ = client.get(NUMBER="+33 6 12-00.00.50", Content="Déjà vu, 5 €")
    assert identifier.isdigit()
    shown = client.handset("33612000050")
    assert (shown["text"], shown["sender"], shown["encoding"]) == ("Déjà vu, 5 €", "Carillon", "gsm")
    assert client.statuses(identifier, "handset") == ["operator", "handset"]


def test_xml(client: Client) -> None:
    identifier = client.xml("<Number>33612000051</Number><CONTENT>Hello &amp; bye</CONTENT>")
    assert client.handset("33612000051")["text"] == "Hello & bye"
    assert client.statuses(identifier, "handset") == ["operator", "handset"]


def test_json_one_and_its_story(client: Client) -> None:
    answer = client.json("POST", "/v1/messages", {"to": "33612000052", "text": "Приве́т " * 12, "client_ref": "o-1"})
    [result] = answer.get("results", [answer])
    assert result["parts"] == 2
    assert client.handset("33612000052")["text"] == "Приве́т " * 12
    client.statuses(result["id"], "handset")
    story = client.json("GET", f"/v1/messages/{result['id']}")
    assert (story["status"], story["client_ref"]) == ("delivered", "o-1")


def test_json_batch(client: Client) -> None:
    messages = [{"to": f"336121{place:05d}", "text": f"number {place}"} for place in range(20, 40)]
    results = client.json("POST", "/v1/messages", {"messages": [*messages, {"to": "12", "text": "x"}]})["results"]
    assert [result.get("status") for result in results[:-1]] == ["accepted"] * 20
    assert results[-1]["error"]
    assert client.handset("33612100039")["text"] == "number 39"


def test_binary(client: Client) -> None:
    client.get(number="33612000053", typecontent="bin", content="00ff80a5")
    shown = client.handset("33612000053")
    assert shown["text"].replace(" ", "").lower() == "00ff80a5"


def test_concatenated_by_the_client(client: Client) -> None:
    client.get(number="33612000054", content="first half,", udh="7A0201")
    client.get(number="33612000054", content="second half", udh="7A0202")
    assert client.handset("33612000054")["text"] == "first half,second half"


def test_wap_push(client: Client) -> None:
    identifier, reason = client.get(
        number="33612000055", content="http://www.example.com/a", wappush="oui", waptitle="Look"
    )
    assert identifier.isdigit(), reason
    assert "example.com/a" in client.handset("33612000055")["text"]


@pytest.mark.parametrize(
    ("sendertype", "senderid", "shown"),
    [("mobile", "33699887766", "33699887766"), ("number", "36111", "36111"), ("texte", "Shop 24", "Shop 24")],
)
def test_typed_senders(client: Client, sendertype: str, senderid: str, shown: str) -> None:
    number = {"mobile": "33613000061", "number": "33613000062", "texte": "33613000063"}[sendertype]
    client.get(number=number, content="Hi", sendertype=sendertype, senderid=senderid)
    assert client.handset(number)["sender"].lstrip("+") == shown


@pytest.mark.parametrize(
    ("parameters", "answer", "reason"),
    [
        ({"password": "wrong", "number": "", "content": ""}, "KO - not authorised IP", ""),
        ({"number": " ", "content": ""}, "KO - Empty number parameter", ""),
        ({"number": "abc", "content": ""}, "KO - Not numeric number parameter", ""),
        ({"number": "33612000056", "content": " "}, "KO - Empty content parameter", ""),
        ({"number": "1234567", "content": "x"}, "KO - SMS rejected", "number_impossible"),
        ({"number": "33612000056", "content": "x" * 161}, "KO - SMS rejected", "content_too_long"),
        ({"number": "33612000056", "content": "x", "senderid": "a*b"}, "KO - SMS rejected", "sender_invalid"),
        ({"number": "33612000056", "content": "0", "typecontent": "bin"}, "KO - SMS rejected", ""),
    ],
)
def test_every_ko_in_its_order(client: Client, parameters: dict[str, str], answer: str, reason: str) -> None:
    text, code = client.get(**parameters)
    assert text == answer
    assert code == reason or not reason


@pytest.mark.parametrize(
    ("ending", "status", "word", "last"),
    [
        ("0001", "undelivered", "absent", "not delivered"),
        ("0002", "undelivered", "expired", "not delivered"),
        ("0006", "refused", "number_refused", "not delivered"),
        ("0007", "delivered", None, "handset"),
        ("0008", "delivered", None, "handset"),
        ("0010", "delivered", None, "handset"),
    ],
)
def test_what_operators_do_is_what_clients_are_told(
    client: Client, ending: str, status: str, word: str | None, last: str
) -> None:
    identifier, _ = client.get(number=f"3361400{ending}", content="Hello")
    told = client.statuses(identifier, last)
    assert told.count(last) == 1
    story = client.json("GET", f"/v1/messages/{identifier}")
    assert story["status"] == status
    assert word is None or word in json.dumps(story)


def test_another_accounts_message_is_not_there(client: Client) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        client.json("GET", "/v1/messages/1234567890")

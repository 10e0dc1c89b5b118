"""docs/api is what the code says, and valid."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate

from carillon.events.catalogue import CATALOGUE
from carillon_cli.documents import documents
from carillon_cli.services import SERVICES

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "docs" / "api"
OFFICIAL = "@asyncapi/specs@6.11.1"


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    return documents()


@pytest.fixture(scope="module")
def asyncapi(written: dict[str, str]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(written["asyncapi.json"])
    return document


def test_they_are_not_stale(written: dict[str, str]) -> None:
    kept = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*")}
    assert {name for name, text in written.items() if kept.get(name) != text} == set(), "run `make generated`"
    assert set(kept) == set(written)


def test_each_service_has_a_valid_openapi_document(written: dict[str, str]) -> None:
    for service in SERVICES:
        validate(json.loads(written[f"openapi-{service}.json"]))


def test_no_secret_and_no_address_of_this_machine_is_in_them(written: dict[str, str]) -> None:
    for text in written.values():
        assert "for-the-documents-only" not in text
        assert str(REPOSITORY) not in text


def test_every_event_is_there_with_who_says_and_hears_it(asyncapi: dict[str, Any]) -> None:
    assert len(asyncapi["channels"]) == len(asyncapi["components"]["messages"]) == len(CATALOGUE) + 1
    for event in CATALOGUE:
        name = event.name.replace(".", "_")
        assert asyncapi["channels"][name]["address"].startswith(event.name)
        for action, services in (("send", event.said_by), ("receive", event.heard_by)):
            operation = asyncapi["operations"][f"{action}_{name}"]
            assert operation["channel"] == {"$ref": f"#/channels/{name}"}
            assert tuple(tag["name"] for tag in operation["tags"]) == services
    assert asyncapi["channels"]["receipts"]["address"] == "carillon.receipts"


def test_every_reference_leads_somewhere_and_every_parameter_is_in_its_address(asyncapi: dict[str, Any]) -> None:
    for reference in _references(asyncapi):
        place: Any = asyncapi
        for word in reference.removeprefix("#/").split("/"):
            place = place[word]
    for channel in asyncapi["channels"].values():
        for name in channel.get("parameters", {}):
            assert f"{{{name}}}" in channel["address"]
        assert channel["address"].count("{") == len(channel.get("parameters", {}))


def test_every_example_is_as_its_schema_says(asyncapi: dict[str, Any]) -> None:
    for message in asyncapi["components"]["messages"].values():
        schema = {**message["payload"], "components": asyncapi["components"]}
        checker = jsonschema.Draft7Validator(schema)
        checker.check_schema(schema)
        for example in message["examples"]:
            checker.validate(example["payload"])
            with pytest.raises(jsonschema.ValidationError):
                checker.validate([{}] if isinstance(example["payload"], list) else {})


def test_it_is_valid_by_the_official_schema(asyncapi: dict[str, Any]) -> None:
    if shutil.which("npm") is None:
        pytest.skip("no npm on this machine")
    cache = REPOSITORY / ".carillon" / "npm-asyncapi"
    schema = cache / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0-without-$id.json"
    if not schema.exists():
        cache.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--prefix", str(cache), OFFICIAL]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"npm could not install {OFFICIAL}: {error}")
    jsonschema.Draft7Validator(json.loads(schema.read_text(encoding="utf-8"))).validate(asyncapi)


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for inner in value.values() for found in _references(inner)]
    return [found for inner in value for found in _references(inner)] if isinstance(value, list) else []

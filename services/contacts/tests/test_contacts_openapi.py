"""The service can be built without a server, and what it says of its API is valid."""

from openapi_spec_validator import validate
from pydantic import SecretStr

from contacts.main import build
from contacts.settings import Settings


async def test_the_document_is_valid_and_complete() -> None:
    service = build(Settings(number_hash_key=SecretStr("k" * 40)))
    document = service.app.openapi()  # type: ignore[attr-defined]
    validate(document)
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    assert {"/v1/contacts", "/v1/contacts/search", "/v1/groups", "/v1/imports", "/v1/suppressions"} <= {
        path for path, _, _ in operations
    }
    for path, method, operation in operations:
        assert operation.get("description"), f"{method} {path}"
        assert operation.get("security"), f"{method} {path}"
    upload = document["paths"]["/v1/imports"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(upload["properties"]) == {"file", "kind", "dry_run", "group", "encoding", "separator"}

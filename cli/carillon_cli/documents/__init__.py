"""The documents under docs/api, generated from the code: OpenAPI of each service, AsyncAPI of everything on the bus."""

import json
from typing import Any

from carillon_cli.documents.asyncapi import asyncapi_document
from carillon_cli.documents.openapi import openapi_documents


def documents() -> dict[str, str]:
    """Every document by its file name, as text."""
    found: dict[str, dict[str, Any]] = {"asyncapi.json": asyncapi_document()}
    found |= {f"openapi-{service}.json": document for service, document in openapi_documents().items()}
    return {name: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in found.items()}

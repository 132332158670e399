"""The description of the API agrees with what the API does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

TOKEN = "a-token-that-is-long-enough"


@pytest.fixture
def description(client: TestClient) -> dict[str, Any]:
    return client.get("/openapi.json").json()


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def conforms(value: Any, schema: dict[str, Any], whole: dict[str, Any]) -> bool:
    """Whether JSON is what a schema says; for the keywords that occur here."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return conforms(value, whole["components"]["schemas"][name], whole)
    if "anyOf" in schema:
        return any(conforms(value, option, whole) for option in schema["anyOf"])
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        properties = schema["properties"]
        return (
            isinstance(value, dict)
            and set(schema.get("required", ())) <= set(value) <= set(properties)
            and all(conforms(v, properties[k], whole) for k, v in value.items())
        )
    if kind == "array":
        return isinstance(value, list) and all(
            conforms(item, schema["items"], whole) for item in value
        )
    python = {
        "object": dict,
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "null": type(None),
    }[kind]
    return isinstance(value, python)


def test_endpoints(description: dict[str, Any]) -> None:
    assert re.match(r"3\.\d+\.\d+$", description["openapi"])
    found = {
        (method.upper(), path)
        for path, methods in description["paths"].items()
        for method in methods
    }
    assert found == {
        ("GET", "/api/health"),
        ("GET", "/api/stats"),
        ("POST", "/api/embed"),
        ("POST", "/api/recognise"),
        ("POST", "/api/images/list"),
        ("POST", "/api/search"),
        ("POST", "/api/search/image"),
        ("POST", "/api/images"),
        ("POST", "/api/images/delete"),
        ("GET", "/api/images/{id}"),
        ("DELETE", "/api/images/{id}"),
        ("GET", "/api/images/{id}/thumbnail"),
        ("GET", "/api/images/{id}/picture"),
    }


def test_is_well_formed(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    for reference in references(description):
        assert reference.startswith("#/components/schemas/")
        assert reference.rpartition("/")[2] in schemas
    operations = [
        operation
        for methods in description["paths"].values()
        for operation in methods.values()
    ]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    for operation in operations:
        assert operation["description"]
        assert any(status.startswith("2") for status in operation["responses"])


def test_errors_are_described_as_they_are(description: dict[str, Any]) -> None:
    for methods in description["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                if status.startswith("4"):
                    schema = response["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/Error"}


def test_answers_are_as_described(
    make_client: Callable[..., TestClient], faces: list[Path]
) -> None:
    client = make_client(writable=True)
    description = client.get("/openapi.json").json()
    files = {"image": faces[0].read_bytes()}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("get", "/api/health", {}),
        ("get", "/api/stats", {}),
        ("post", "/api/embed", {"files": files}),
        ("post", "/api/search", {"json": {"like": [{"id": 1}]}}),
        ("post", "/api/search/image", {"files": files}),
        ("post", "/api/images", {"files": files}),
        ("get", "/api/images/{id}", {}),
        ("post", "/api/search", {"json": {}}),
        ("get", "/api/images/{id}/thumbnail", {}),
        ("delete", "/api/images/{id}", {}),
        ("get", "/api/images/{id}", {}),
    ]
    seen = set()
    for method, path, arguments in calls:
        answer = client.request(method, path.replace("{id}", "1"), **arguments)
        responses = description["paths"][path][method]["responses"]
        content = responses[str(answer.status_code)].get("content", {})
        media_type = answer.headers.get("content-type", "")
        assert media_type in content or not content
        if media_type == "application/json":
            schema = content[media_type]["schema"]
            assert conforms(answer.json(), schema, description), answer.text
        seen.add(answer.status_code)
    assert seen == {200, 201, 204, 404, 422}


def test_token_is_described(make_client: Callable[..., TestClient]) -> None:
    description = make_client(token=TOKEN).get("/openapi.json").json()
    (scheme,) = description["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for path, methods in description["paths"].items():
        for operation in methods.values():
            assert ("security" in operation) == (path != "/api/health")

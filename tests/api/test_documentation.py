"""What the API says about itself is true and complete."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.problems import INTERNAL, KINDS

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "http-api.md"


@pytest.fixture
def described(as_nobody: httpx.Client) -> dict[str, Any]:
    document: dict[str, Any] = as_nobody.get("/openapi.json").json()
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def references(node: Any) -> Iterator[str]:
    match node:
        case dict():
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for each in node.values():
                yield from references(each)
        case list():
            for each in node:
                yield from references(each)


def test_the_interactive_pages_are_served(as_nobody: httpx.Client) -> None:
    page = as_nobody.get("/docs")

    parts = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert page.status_code == 200
    assert "/openapi.json" in page.text
    # All of it from here: a browser without a way out shows the page too.
    assert len(parts) == 3
    assert {as_nobody.get(part).status_code for part in parts} == {200}
    assert all(part.startswith(str(as_nobody.base_url)) for part in parts)


def test_every_operation_is_there_named_and_described(described: dict[str, Any]) -> None:
    found = {name: operation["operationId"] for name, operation in operations(described)}

    assert found == {
        "POST /v1/jobs": "create_job",
        "GET /v1/jobs": "list_jobs",
        "GET /v1/jobs/{job_id}": "get_job",
        "POST /v1/jobs/{job_id}/cancel": "cancel_job",
        "POST /v1/jobs/{job_id}/retry": "retry_job",
        "GET /v1/jobs/{job_id}/attempts": "list_attempts",
        "GET /v1/limits": "get_limits",
        "GET /v1/tasks": "list_tasks",
        "PUT /v1/files/{name}": "put_file",
        "GET /v1/files/{name}": "get_file",
        "HEAD /v1/files/{name}": "head_file",
        "GET /healthz": "healthz",
        "GET /readyz": "readyz",
    }
    assert all(operation["description"] for _, operation in operations(described))


def test_every_operation_needs_a_key_but_the_probes(described: dict[str, Any]) -> None:
    open_to_all = {name for name, operation in operations(described) if "security" not in operation}

    assert open_to_all == {"GET /healthz", "GET /readyz"}
    assert described["components"]["securitySchemes"]["API key"]["scheme"] == "bearer"


def test_every_error_is_declared_as_a_problem(described: dict[str, Any]) -> None:
    for name, operation in operations(described):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], f"{name} {status}"


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    known = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    used = set(references(described))

    assert used <= known
    assert {"#/components/schemas/JobRequest", "#/components/schemas/Problem"} <= used


def test_every_type_of_problem_is_in_the_reference() -> None:
    reference = REFERENCE.read_text()

    missing = [kind.type for kind in (*KINDS.values(), INTERNAL) if f"`{kind.type}`" not in reference]

    assert missing == []


def test_every_address_is_in_the_reference(described: dict[str, Any]) -> None:
    reference = REFERENCE.read_text()

    assert [name for name, _ in operations(described) if f"`{name}`" not in reference] == []

"""What every error answer has to look like."""

from typing import Any

import httpx


def problem(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """Return the problem after checking what holds for all of them."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json"), (
        response.text
    )
    body: dict[str, Any] = response.json()
    assert (body["type"], body["status"]) == (f"/problems/{slug}", status)
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == response.headers["x-request-id"]
    return body


def pointers(body: dict[str, Any]) -> list[str]:
    """Return where in the body something is wrong."""
    return [each["pointer"] for each in body["errors"]]

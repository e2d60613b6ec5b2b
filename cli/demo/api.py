"""The HTTP API as a producer sees it."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

CHUNK_BYTES = 256 * 1024


class Refused(Exception):  # noqa: N818 - what the API did, not what went wrong with us
    """The API answered with an error, or not at all. The text fits on a line and quotes no credential."""


class Api:
    """The API at `url`, for many tenants: each call names the key it is made with."""

    def __init__(self, url: str) -> None:
        # Nobody's HTTP_PROXY may stand between us and the loopback interface.
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def upload(self, key: str, name: str, path: Path) -> None:
        """Store a file of the tenant, as a stream.

        Raises:
            Refused: it was not stored.
        """
        size = {"Content-Length": str(path.stat().st_size)}
        self._call("PUT", f"/v1/files/{name}", key, content=_chunks(path), headers=size)

    def enqueue(self, key: str, task: str, payload: dict[str, Any], *, run_at: datetime | None = None) -> str:
        """Return the id of a new job, to be run now or at `run_at`.

        Raises:
            Refused: there is none.
        """
        asked: dict[str, Any] = {"task": task, "payload": payload}
        if run_at is not None:
            asked["run_at"] = run_at.isoformat()
        return str(self._call("POST", "/v1/jobs", key, json=asked).json()["id"])

    def job(self, key: str, job_id: str) -> dict[str, Any]:
        """Return the job as the API shows it.

        Raises:
            Refused: the tenant has no such job.
        """
        shown: dict[str, Any] = self._call("GET", f"/v1/jobs/{job_id}", key).json()
        return shown

    def status(self, key: str, path: str) -> int:
        """Return the status that a GET of `path` is answered with."""
        return self._send("GET", path, key).status_code

    def _call(self, method: str, path: str, key: str, **options: Any) -> httpx.Response:
        response = self._send(method, path, key, **options)
        if response.is_error:
            raise Refused(f"{method} {path} was answered {response.status_code}: {_problem(response)}")
        return response

    def _send(
        self, method: str, path: str, key: str, *, headers: dict[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        authorised = {"Authorization": f"Bearer {key}"} | (headers or {})
        try:
            return self._http.request(method, path, headers=authorised, **options)
        except httpx.TransportError as error:
            raise Refused(f"{method} {path} was not answered: {str(error) or type(error).__name__}") from error


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _problem(response: httpx.Response) -> str:
    """Return what a problem+json answer says, in a line; of any other answer the beginning."""
    try:
        said = response.json()
        text = ": ".join(str(said[name]) for name in ("title", "detail") if said.get(name))
    except (ValueError, AttributeError):
        text = response.text
    return " ".join(text.split())[:300]

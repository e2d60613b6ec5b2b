"""Starting, being ready, and what producers see while PostgreSQL or the broker is away."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from cli.stack.ports import any_free_port
from db.roles import Role
from tests.api.problems import problem
from tests.api.server import serving, start
from tests.databases import PASSWORD, Database, TestTenant
from tests.waiting import wait_until

FETCH = {"task": "errands.fetch", "payload": {"item": "bread"}}


@contextmanager
def seen_as(database: Database, path: str) -> Iterator[None]:
    """Let the database believe that it has this file of `sql/` instead of the function `claim`."""
    rename = "update partywall_private.installed_files set path = :new where path = :old"
    database.do(rename, old="functions/claim.sql", new=path)
    try:
        yield
    finally:
        database.do(rename, old=path, new="functions/claim.sql")


OLDER, NEWER = "functions/gone.sql", "app/9999_of_newer_code.sql"


def test_a_running_api_is_alive_and_ready(as_nobody: httpx.Client) -> None:
    for path in ("/healthz", "/readyz"):
        response = as_nobody.get(path)

        assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", [OLDER, NEWER])
def test_a_database_of_another_version_is_not_ready(as_nobody: httpx.Client, database: Database, path: str) -> None:
    with seen_as(database, path):
        wait_until(lambda: as_nobody.get("/readyz").status_code == 503, timeout_seconds=5, what="not ready")
        body = problem(as_nobody.get("/readyz"), 503, "schema-mismatch")
        alive = as_nobody.get("/healthz")

    assert ("older" in body["detail"]) == (path == OLDER)
    assert body["hint"]
    assert alive.status_code == 200
    assert as_nobody.get("/readyz").status_code == 200


class Refusal:
    """An API that must not start."""

    def __init__(self, settings: dict[str, str], directory: Path) -> None:
        self._log = directory / f"api-{any_free_port()}.log"
        self._process = start(settings | {"PARTYWALL_API_PORT": str(any_free_port())}, self._log)

    def reason(self) -> str:
        """Return why, after checking that it said so in one line and with the exit code for it."""
        try:
            code = self._process.wait(20)
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
        [line] = self._log.read_text().splitlines()
        said = json.loads(line)
        assert (code, said["event"], said["level"]) == (78, "refused_to_start", "critical")
        reason: str = said["reason"]
        return reason


@pytest.mark.parametrize("path", [OLDER, NEWER])
def test_an_api_refuses_to_start_on_a_database_of_another_version(
    settings: dict[str, str], database: Database, tmp_path: Path, path: str
) -> None:
    with seen_as(database, path):
        reason = Refusal(settings, tmp_path).reason()

    assert ("older" if path == OLDER else "newer") in reason


def test_an_api_refuses_to_start_with_a_setting_that_cannot_work(settings: dict[str, str], tmp_path: Path) -> None:
    without = {name: value for name, value in settings.items() if name != "PARTYWALL_API_DATABASE_URL"}
    # At once: each takes as long as the imports do.
    no_database = Refusal(without, tmp_path)
    no_module = Refusal(settings | {"PARTYWALL_TASK_MODULES": "no.such.module"}, tmp_path)
    no_number = Refusal(settings | {"PARTYWALL_FILE_LIMIT_BYTES": "plenty"}, tmp_path)

    assert "PARTYWALL_API_DATABASE_URL" in no_database.reason()
    assert "'no'" in no_module.reason()
    assert "file_limit_bytes" in no_number.reason()


def test_with_postgresql_away_producers_are_told_to_come_back_and_nothing_is_lost(
    settings: dict[str, str], acme: TestTenant, as_acme: httpx.Client, tmp_path: Path
) -> None:
    before = as_acme.post("/v1/jobs", json=FETCH).json()["id"]
    away = f"postgresql://{Role.API.login}:{PASSWORD}@127.0.0.1:{any_free_port()}/nowhere"

    with (
        serving(settings | {"PARTYWALL_API_DATABASE_URL": away}, tmp_path) as server,
        server.client(acme.key.spell()) as client,
    ):
        answers = [
            client.post("/v1/jobs", json=FETCH),
            client.get(f"/v1/jobs/{before}"),
            client.put("/v1/files/orders.csv", content=b"x"),
            client.get("/readyz"),
        ]
        alive = client.get("/healthz")

    for answer in answers:
        problem(answer, 503, "database-unavailable")
        assert int(answer.headers["retry-after"]) > 0
    assert alive.status_code == 200
    assert PASSWORD not in server.output()
    assert [each["id"] for each in as_acme.get("/v1/jobs").json()["data"]] == [before]


def test_with_the_broker_away_a_job_is_accepted_as_ever(as_acme: httpx.Client, dead_broker: str) -> None:
    with pytest.raises(httpx.ConnectError):
        httpx.get(dead_broker.replace("redis", "http"), trust_env=False)

    assert as_acme.post("/v1/jobs", json=FETCH).status_code == 202

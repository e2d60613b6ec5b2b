"""`/v1/jobs` and `/v1/tasks` through a real server."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.problems import pointers, problem
from tests.databases import Database, TestTenant

FETCH = {"task": "errands.fetch", "payload": {"item": "bread"}}


def accepted(database: Database, tenant: TestTenant) -> list[str]:
    """Return the ids of the tenant's jobs as the database knows them."""
    rows = database.ask("select id from partywall.jobs where tenant_id = :tenant", tenant=tenant.id)
    return [str(job_id) for (job_id,) in rows]


def test_an_accepted_job_is_a_committed_row(as_acme: httpx.Client, acme: TestTenant, database: Database) -> None:
    response = as_acme.post("/v1/jobs", json=FETCH)

    assert response.status_code == 202
    job = response.json()
    rows = database.ask(
        "select id::text, task_name, state, max_attempts, payload from partywall.jobs where tenant_id = :tenant",
        tenant=acme.id,
    )
    with_defaults = {"item": "bread", "count": 1, "stops": [], "note": ""}
    assert rows == [(job["id"], "errands.fetch", "queued", 7, with_defaults)]
    assert job["payload"] == with_defaults
    assert (job["task"], job["state"], job["attempt"], job["max_attempts"]) == ("errands.fetch", "queued", 0, 7)
    assert (job["progress"], job["result"], job["error"], job["started_at"]) == (None, None, None, None)


def test_the_location_of_an_accepted_job_shows_it(as_acme: httpx.Client) -> None:
    accepted = as_acme.post("/v1/jobs", json=FETCH)

    shown = as_acme.get(accepted.headers["location"])

    assert shown.status_code == 200
    assert accepted.json()["waiting_on"] is None
    assert shown.json() | {"waiting_on": None} == accepted.json()
    assert shown.headers["cache-control"] == "no-store"


def test_a_job_for_later_is_scheduled(as_acme: httpx.Client) -> None:
    later = datetime.now(UTC) + timedelta(hours=3)

    job = as_acme.post("/v1/jobs", json=FETCH | {"run_at": later.isoformat()}).json()

    assert job["state"] == "scheduled"
    assert datetime.fromisoformat(job["run_at"]) == later


def test_a_job_shows_how_far_it_is_and_why_it_failed_but_not_where(
    as_acme: httpx.Client, acme: TestTenant, database: Database
) -> None:
    job_id = as_acme.post("/v1/jobs", json=FETCH).json()["id"]
    database.do(
        """
        update partywall.jobs
        set progress_current = 3, progress_total = 9, progress_note = 'rows',
            error = '{"type": "ValueError", "message": "no bread", "traceback": "File secret.py"}'
        where id = :id
        """,
        id=job_id,
    )

    job = as_acme.get(f"/v1/jobs/{job_id}").json()

    assert job["progress"] == {"current": 3, "total": 9, "note": "rows"}
    assert job["error"] == {"type": "ValueError", "message": "no bread"}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_tenants_job_answers_404_byte_for_byte_like_one_that_never_was(
    as_acme: httpx.Client, as_zeta: httpx.Client, method: str
) -> None:
    job_id = as_acme.post("/v1/jobs", json=FETCH).json()["id"]
    same = {"X-Request-Id": "the-same"}

    of_acme = as_zeta.request(method, f"/v1/jobs/{job_id}", headers=same)
    of_nobody = as_zeta.request(method, f"/v1/jobs/{uuid4()}", headers=same)

    assert of_acme.content == of_nobody.content
    assert of_acme.status_code == of_nobody.status_code
    volatile = {"date"}
    assert {k: v for k, v in of_acme.headers.items() if k not in volatile} == {
        k: v for k, v in of_nobody.headers.items() if k not in volatile
    }
    if method == "GET":
        problem(of_acme, 404, "job-not-found")


@pytest.mark.parametrize("job_id", ["1", "not-a-uuid", "%00", "..%2f..", "' or 1=1 --"])
def test_an_id_that_is_none_answers_404(as_acme: httpx.Client, job_id: str) -> None:
    response = as_acme.get(f"/v1/jobs/{job_id}")

    assert response.status_code == 404


def test_an_unknown_task_is_refused_with_a_pointer(as_acme: httpx.Client, acme: TestTenant, database: Database) -> None:
    body = problem(as_acme.post("/v1/jobs", json={"task": "no.such", "payload": {}}), 422, "unknown-task")

    assert pointers(body) == ["/task"]
    assert "/v1/tasks" in body["hint"]
    assert accepted(database, acme) == []


def test_a_tenant_cannot_ask_for_a_tenantless_task(as_acme: httpx.Client) -> None:
    body = problem(as_acme.post("/v1/jobs", json={"task": "errands.sweep"}), 422, "unknown-task")

    assert pointers(body) == ["/task"]


def test_each_thing_wrong_with_a_payload_has_a_pointer(
    as_acme: httpx.Client, acme: TestTenant, database: Database
) -> None:
    payload = {"item": "", "count": 1001, "stops": [{"a": 1}, {"b/c~d": "x"}]}

    body = problem(as_acme.post("/v1/jobs", json={"task": "errands.fetch", "payload": payload}), 422, "invalid-payload")

    assert sorted(pointers(body)) == ["/payload/count", "/payload/item", "/payload/stops/1/b~1c~0d"]
    assert all(each["code"] and each["detail"] for each in body["errors"])
    assert accepted(database, acme) == []


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, ["/task"]),
        ([], [""]),
        ({"task": 7}, ["/task"]),
        (FETCH | {"tenant": "zeta", "tenant_id": str(uuid4())}, ["/tenant", "/tenant_id"]),
        (FETCH | {"run_at": "2030-01-01T00:00:00"}, ["/run_at"]),
        (FETCH | {"run_at": 1900000000}, ["/run_at"]),
        (FETCH | {"run_at": "1900000000"}, ["/run_at"]),
        (FETCH | {"run_at": "9999-12-31T23:59:59-14:00"}, ["/run_at"]),
    ],
)
def test_a_request_of_another_shape_is_refused_with_pointers(
    as_acme: httpx.Client, acme: TestTenant, database: Database, sent: Any, expected: list[str]
) -> None:
    body = problem(as_acme.post("/v1/jobs", json=sent), 422, "invalid-request")

    assert pointers(body) == expected
    assert accepted(database, acme) == []


@pytest.mark.parametrize(
    "text", [b"", b"{", b'{"task": NaN}', b"\xff\xfe", b'{"task": "\\ud800"}', b"[" * 5000 + b"]" * 5000]
)
def test_what_is_not_json_is_refused(as_acme: httpx.Client, text: bytes) -> None:
    response = as_acme.post("/v1/jobs", content=text, headers={"Content-Type": "application/json"})

    assert "column" in problem(response, 400, "malformed-json")["detail"]


@pytest.mark.parametrize(
    "payload", [{"item": "nul \0"}, {"item": "x", "stops": [{"\0": 1}]}, {"item": "x", "note": "\0"}]
)
def test_a_payload_that_postgresql_cannot_keep_is_refused(
    as_acme: httpx.Client, acme: TestTenant, database: Database, payload: dict[str, Any]
) -> None:
    body = problem(as_acme.post("/v1/jobs", json=FETCH | {"payload": payload}), 422, "unstorable-payload")

    assert pointers(body) == ["/payload"]
    assert accepted(database, acme) == []


def test_a_number_without_end_is_refused(as_acme: httpx.Client) -> None:
    text = b'{"task": "errands.fetch", "payload": {"item": "x", "count": 1e999}}'
    response = as_acme.post("/v1/jobs", content=text, headers={"Content-Type": "application/json"})

    assert pointers(problem(response, 422, "invalid-payload")) == ["/payload/count"]


def test_of_many_faults_the_first_hundred_are_told(as_acme: httpx.Client) -> None:
    payload = {"item": "x", "stops": [0] * 1000}

    body = problem(as_acme.post("/v1/jobs", json=FETCH | {"payload": payload}), 422, "invalid-payload")

    assert len(body["errors"]) == 100


def test_a_body_that_is_not_declared_as_json_is_refused(as_acme: httpx.Client) -> None:
    problem(as_acme.post("/v1/jobs", data={"task": "errands.fetch"}), 415, "unsupported-media-type")
    problem(as_acme.post("/v1/jobs", content=b"{}"), 415, "unsupported-media-type")


def test_tasks_are_listed_with_their_schemas_but_not_the_tenantless(as_acme: httpx.Client) -> None:
    tasks = {each["name"]: each for each in as_acme.get("/v1/tasks").json()["data"]}

    assert "errands.sweep" not in tasks
    fetch = tasks["errands.fetch"]
    assert (fetch["description"], fetch["queue"], fetch["max_attempts"]) == ("Fetch something.", "default", 7)
    assert fetch["payload_schema"]["required"] == ["item"]
    assert fetch["payload_schema"]["properties"]["count"]["maximum"] == 1000

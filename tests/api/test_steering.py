"""Cancelling a job, letting it try again, and what its attempts came to."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import httpx
import pytest

from db import attempts
from db.attempts import Attempt
from tests.api.problems import pointers, problem
from tests.databases import Database, TestTenant
from tests.db.work import TESTS, body_of, claim_of, dispatch_all, enqueue_one

FETCH = {"task": "errands.fetch", "payload": {"item": "bread"}}
VERBS = [("POST", "cancel"), ("POST", "retry"), ("GET", "attempts")]


def running(tenant: TestTenant, *, max_attempts: int = 1) -> Attempt:
    """Return the running attempt of a new job. On a queue of its tenant's: the database is everybody's here."""
    enqueue_one(tenant, queue=tenant.slug, max_attempts=max_attempts, task_name="errands.fetch")
    (message,) = dispatch_all(tenant.slug)
    (attempt,) = claim_of(message)
    return attempt


def failed(tenant: TestTenant) -> str:
    """Return the id of a job that has failed."""
    attempt = running(tenant)
    error = {"type": "ValueError", "message": "no bread", "traceback": "File secret.py"}
    with body_of(attempt) as connection:
        attempts.fail(connection, error=error, retry_after_seconds=None)
    return str(attempt.job_id)


def succeeded(tenant: TestTenant) -> str:
    """Return the id of a job that has succeeded."""
    attempt = running(tenant)
    with body_of(attempt) as connection:
        attempts.finish(connection, result=None)
    return str(attempt.job_id)


@pytest.mark.parametrize(("method", "verb"), VERBS)
def test_another_tenants_job_answers_404_byte_for_byte_like_one_that_never_was(
    as_acme: httpx.Client, as_zeta: httpx.Client, method: str, verb: str
) -> None:
    job = as_acme.post("/v1/jobs", json=FETCH).json()
    same = {"X-Request-Id": "the-same"}

    of_acme = as_zeta.request(method, f"/v1/jobs/{job['id']}/{verb}", headers=same)
    of_nobody = as_zeta.request(method, f"/v1/jobs/{uuid4()}/{verb}", headers=same)

    problem(of_acme, 404, "job-not-found")
    assert of_acme.content == of_nobody.content
    assert as_acme.get(f"/v1/jobs/{job['id']}").json() | {"waiting_on": None} == job


@pytest.mark.parametrize("job_id", ["1", "not-a-uuid", "%00", "' or 1=1 --"])
@pytest.mark.parametrize(("method", "verb"), VERBS)
def test_an_id_that_is_none_answers_404(as_acme: httpx.Client, method: str, verb: str, job_id: str) -> None:
    problem(as_acme.request(method, f"/v1/jobs/{job_id}/{verb}"), 404, "job-not-found")


@pytest.mark.parametrize(("method", "verb"), VERBS)
def test_nobody_is_let_in_without_a_key(as_nobody: httpx.Client, method: str, verb: str) -> None:
    problem(as_nobody.request(method, f"/v1/jobs/{uuid4()}/{verb}"), 401, "credential-refused")


def test_a_job_that_waits_is_cancelled_at_once_and_says_by_whom_and_why(
    as_acme: httpx.Client, acme: TestTenant
) -> None:
    job_id = as_acme.post("/v1/jobs", json=FETCH).json()["id"]

    response = as_acme.post(f"/v1/jobs/{job_id}/cancel", json={"reason": "ordered twice"})

    assert response.status_code == 200
    job = response.json()
    assert (job["state"], job["cancel_reason"]) == ("cancelled", "ordered twice")
    assert job["cancelled_by"] == f"key/{acme.key.id}"
    assert job["finished_at"] is not None
    assert as_acme.get(f"/v1/jobs/{job_id}").json() == job


@pytest.mark.parametrize("sent", [{}, {"json": {}}, {"json": {"reason": None}}])
def test_a_reason_may_be_left_out(as_acme: httpx.Client, sent: dict[str, Any]) -> None:
    job_id = as_acme.post("/v1/jobs", json=FETCH).json()["id"]

    job = as_acme.post(f"/v1/jobs/{job_id}/cancel", **sent).json()

    assert (job["state"], job["cancel_reason"]) == ("cancelled", None)


def test_cancelling_twice_is_once(as_acme: httpx.Client) -> None:
    job_id = as_acme.post("/v1/jobs", json=FETCH).json()["id"]
    first = as_acme.post(f"/v1/jobs/{job_id}/cancel", json={"reason": "first"})

    again = as_acme.post(f"/v1/jobs/{job_id}/cancel", json={"reason": "second"})

    assert (again.status_code, again.json()) == (200, first.json())


def test_a_running_job_is_cancelled_with_its_attempt(as_acme: httpx.Client, acme: TestTenant) -> None:
    attempt = running(acme)

    job = as_acme.post(f"/v1/jobs/{attempt.job_id}/cancel", json={"reason": "too late"}).json()

    assert job["state"] == "cancelled"
    (ended,) = as_acme.get(f"/v1/jobs/{attempt.job_id}/attempts").json()["data"]
    assert (ended["attempt"], ended["outcome"], ended["error"]["message"]) == (1, "cancelled", "too late")


def test_a_job_that_ended_otherwise_cannot_be_cancelled(as_acme: httpx.Client, acme: TestTenant) -> None:
    for job_id, state in ((succeeded(acme), "succeeded"), (failed(acme), "failed")):
        body = problem(as_acme.post(f"/v1/jobs/{job_id}/cancel"), 409, "job-over")

        assert body["state"] == state
        assert as_acme.get(f"/v1/jobs/{job_id}").json()["state"] == state


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"reason": "x" * 501}, ["/reason"]),
        ({"reason": "nul \0"}, ["/reason"]),
        ({"reason": 7}, ["/reason"]),
        ({"why": "typing error"}, ["/why"]),
        ([], [""]),
    ],
)
def test_a_reason_that_cannot_be_kept_cancels_nothing(as_acme: httpx.Client, sent: Any, expected: list[str]) -> None:
    job_id = as_acme.post("/v1/jobs", json=FETCH).json()["id"]

    body = problem(as_acme.post(f"/v1/jobs/{job_id}/cancel", json=sent), 422, "invalid-request")

    assert pointers(body) == expected
    assert as_acme.get(f"/v1/jobs/{job_id}").json()["state"] == "queued"


def test_a_failed_job_tries_once_more_and_counts_on(as_acme: httpx.Client, acme: TestTenant) -> None:
    job_id = failed(acme)

    response = as_acme.post(f"/v1/jobs/{job_id}/retry")

    assert response.status_code == 202
    job = response.json()
    assert (job["state"], job["attempt"], job["max_attempts"], job["finished_at"]) == ("queued", 1, 2, None)


def test_a_cancelled_job_may_be_wanted_after_all(as_acme: httpx.Client) -> None:
    job_id = as_acme.post("/v1/jobs", json=FETCH).json()["id"]
    as_acme.post(f"/v1/jobs/{job_id}/cancel", json={"reason": "a mistake"})

    job = as_acme.post(f"/v1/jobs/{job_id}/retry").json()

    assert (job["state"], job["cancelled_by"], job["cancel_reason"]) == ("queued", None, None)


def test_a_job_that_lives_or_has_succeeded_cannot_be_retried(as_acme: httpx.Client, acme: TestTenant) -> None:
    waiting = as_acme.post("/v1/jobs", json=FETCH).json()["id"]
    for job_id, state in ((waiting, "queued"), (succeeded(acme), "succeeded")):
        body = problem(as_acme.post(f"/v1/jobs/{job_id}/retry"), 409, "job-over")

        assert body["state"] == state


def test_retrying_twice_is_refused_the_second_time(as_acme: httpx.Client, acme: TestTenant) -> None:
    job_id = failed(acme)
    as_acme.post(f"/v1/jobs/{job_id}/retry")

    problem(as_acme.post(f"/v1/jobs/{job_id}/retry"), 409, "job-over")


def test_of_many_retries_at_once_one_starts_an_attempt(as_acme: httpx.Client, acme: TestTenant) -> None:
    job_id = failed(acme)
    together = Barrier(8)

    def ask(_: int) -> int:
        together.wait(10)
        return as_acme.post(f"/v1/jobs/{job_id}/retry").status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = sorted(threads.map(ask, range(8)))

    assert statuses == [202] + [409] * 7
    assert as_acme.get(f"/v1/jobs/{job_id}").json()["max_attempts"] == 2


def test_a_job_whose_unique_key_is_taken_cannot_be_retried(as_acme: httpx.Client) -> None:
    wanted = FETCH | {"unique_key": "bread-today"}
    job_id = as_acme.post("/v1/jobs", json=wanted).json()["id"]
    as_acme.post(f"/v1/jobs/{job_id}/cancel")
    as_acme.post("/v1/jobs", json=wanted)

    problem(as_acme.post(f"/v1/jobs/{job_id}/retry"), 409, "unique-key-taken")

    assert as_acme.get(f"/v1/jobs/{job_id}").json()["state"] == "cancelled"


def test_attempts_are_listed_in_order_and_tell_why_but_not_where(
    as_acme: httpx.Client, acme: TestTenant, database: Database
) -> None:
    job_id = failed(acme)
    as_acme.post(f"/v1/jobs/{job_id}/retry")
    (message,) = dispatch_all(acme.slug)
    (attempt,) = claim_of(message)
    assert [each["attempt"] for each in as_acme.get(f"/v1/jobs/{job_id}/attempts").json()["data"]] == [1]
    with body_of(attempt) as connection:
        attempts.finish(connection, result=None)

    response = as_acme.get(f"/v1/jobs/{job_id}/attempts")

    first, second = response.json()["data"]
    assert set(first) == {"attempt", "outcome", "worker", "started_at", "ended_at", "error"}
    assert (first["attempt"], first["outcome"]) == (1, "failed")
    assert first["error"] == {"type": "ValueError", "message": "no bread"}
    assert (second["attempt"], second["outcome"], second["error"]) == (2, "succeeded", None)
    assert second["worker"] == str(TESTS.id)
    assert TESTS.name not in response.text


def test_a_job_without_attempts_has_an_empty_list(as_acme: httpx.Client) -> None:
    job_id = as_acme.post("/v1/jobs", json=FETCH).json()["id"]

    page = {"cursor": None, "has_more": False, "limit": 20}
    assert as_acme.get(f"/v1/jobs/{job_id}/attempts").json() == {"data": [], "page": page}


def many_attempts(database: Database, tenant: TestTenant, count: int) -> str:
    """Return the id of a job that has been handed back very often."""
    job_id = failed(tenant)
    database.do(
        """
        insert into partywall.attempts (tenant_id, job_id, attempt, outcome, started_at)
        select tenant_id, id, number, 'handed_back', now()
        from partywall.jobs, generate_series(2, :count) as number where id = :id
        """,
        count=count,
        id=job_id,
    )
    return job_id


def test_attempts_come_in_pages_that_lose_and_repeat_none(
    as_acme: httpx.Client, acme: TestTenant, database: Database
) -> None:
    address = f"/v1/jobs/{many_attempts(database, acme, 7)}/attempts"
    found: list[list[int]] = []
    cursor: dict[str, Any] = {}
    while True:
        body = as_acme.get(address, params={"limit": 3} | cursor).json()
        found.append([each["attempt"] for each in body["data"]])
        if not body["page"]["has_more"]:
            break
        cursor = {"cursor": body["page"]["cursor"]}

    assert found == [[1, 2, 3], [4, 5, 6], [7]]


def test_a_list_of_attempts_has_20_unless_asked_otherwise(
    as_acme: httpx.Client, acme: TestTenant, database: Database
) -> None:
    address = f"/v1/jobs/{many_attempts(database, acme, 21)}/attempts"

    assert len(as_acme.get(address).json()["data"]) == 20
    problem(as_acme.get(address, params={"limit": 101}), 422, "invalid-request")
    problem(as_acme.get(address, params={"size": 5}), 422, "invalid-request")


def test_a_cursor_of_another_jobs_attempts_is_refused(
    as_acme: httpx.Client, acme: TestTenant, database: Database
) -> None:
    one, other = (many_attempts(database, acme, 2) for _ in range(2))
    cursor = as_acme.get(f"/v1/jobs/{one}/attempts", params={"limit": 1}).json()["page"]["cursor"]

    problem(as_acme.get(f"/v1/jobs/{other}/attempts", params={"cursor": cursor}), 422, "invalid-cursor")

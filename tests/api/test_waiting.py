"""Why a job waits, over HTTP."""

from typing import Any

import httpx
import pytest

from db.roles import Role
from db.session import platform_connection
from db.workers import register
from tests.databases import TestTenant
from tests.db.work import TESTS, claim_of, dispatch_all, enqueue_one

FETCH = {"task": "errands.fetch", "payload": {"item": "bread"}}


def test_a_job_that_waits_says_why(as_acme: httpx.Client) -> None:
    accepted = as_acme.post("/v1/jobs", json=FETCH | {"run_at": "2100-01-01T00:00:00Z"}).json()

    job = as_acme.get(f"/v1/jobs/{accepted['id']}").json()

    expected = {"reason": "run_at", "until": "2100-01-01T00:00:00Z", "ahead": None, "seconds": None}
    assert job["waiting_on"] == expected
    (listed,) = as_acme.get("/v1/jobs", params={"limit": 1}).json()["data"]
    assert listed["waiting_on"] == expected


@pytest.mark.parametrize(
    "request_of",
    [{"headers": {"Idempotency-Key": "bread"}}, {"json": FETCH | {"unique_key": "bread", "if_live": "return"}}],
)
def test_a_job_that_was_accepted_before_says_why_it_still_waits(
    as_acme: httpx.Client, request_of: dict[str, Any]
) -> None:
    accepted = as_acme.post("/v1/jobs", **{"json": FETCH} | request_of).json()

    again = as_acme.post("/v1/jobs", **{"json": FETCH} | request_of).json()

    # Of a new one it is not asked: it has not waited for anything yet.
    assert (accepted["waiting_on"], again["waiting_on"] is None) == (None, False)
    assert again == as_acme.get(f"/v1/jobs/{accepted['id']}").json()


def test_a_job_that_is_to_be_tried_again_says_what_it_waits_for_now(as_acme: httpx.Client) -> None:
    job_id = as_acme.post("/v1/jobs", json=FETCH).json()["id"]
    cancelled = as_acme.post(f"/v1/jobs/{job_id}/cancel").json()

    retried = as_acme.post(f"/v1/jobs/{job_id}/retry").json()

    assert (cancelled["waiting_on"], retried["waiting_on"] is None) == (None, False)
    assert retried == as_acme.get(f"/v1/jobs/{job_id}").json()


def test_only_a_job_that_is_asked_for_by_itself_says_how_many_are_before_it(
    as_acme: httpx.Client, acme: TestTenant
) -> None:
    with platform_connection(Role.WORKER) as connection:
        register(connection, TESTS, pool="threads", queues=[acme.slug])
    _, last = [enqueue_one(acme, queue=acme.slug, task_name="errands.fetch") for _ in range(2)]
    dispatch_all(acme.slug, batch_limit=0)

    job = as_acme.get(f"/v1/jobs/{last}").json()
    listed, _ = as_acme.get("/v1/jobs").json()["data"]

    assert (job["waiting_on"]["reason"], job["waiting_on"]["ahead"]) == ("behind", 1)
    assert job["waiting_on"]["seconds"] > 0
    assert (listed["id"], listed["waiting_on"]) == (str(last), job["waiting_on"] | {"ahead": None, "seconds": None})


def test_one_that_runs_waits_for_nothing(as_acme: httpx.Client, acme: TestTenant) -> None:
    job_id = enqueue_one(acme, queue=acme.slug, task_name="errands.fetch")
    (message,) = dispatch_all(acme.slug)
    claim_of(message)

    assert as_acme.get(f"/v1/jobs/{job_id}").json()["waiting_on"] is None

"""Why a job waits, over HTTP."""

import httpx

from tests.databases import TestTenant
from tests.db.work import claim_of, dispatch_all, enqueue_one

FETCH = {"task": "errands.fetch", "payload": {"item": "bread"}}


def test_a_job_that_waits_says_why(as_acme: httpx.Client) -> None:
    accepted = as_acme.post("/v1/jobs", json=FETCH | {"run_at": "2100-01-01T00:00:00Z"}).json()

    job = as_acme.get(f"/v1/jobs/{accepted['id']}").json()

    expected = {"reason": "run_at", "until": "2100-01-01T00:00:00Z", "ahead": None, "seconds": None}
    assert (accepted["waiting_on"], job["waiting_on"]) == (None, expected)
    (listed,) = as_acme.get("/v1/jobs", params={"limit": 1}).json()["data"]
    assert listed["waiting_on"] == expected


def test_one_that_runs_waits_for_nothing(as_acme: httpx.Client, acme: TestTenant) -> None:
    job_id = enqueue_one(acme, queue=acme.slug, task_name="errands.fetch")
    (message,) = dispatch_all(acme.slug)
    claim_of(message)

    assert as_acme.get(f"/v1/jobs/{job_id}").json()["waiting_on"] is None

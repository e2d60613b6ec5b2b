"""Limits as a tenant meets them over HTTP: `GET /v1/limits`, a full queue, a drained tenant, priorities."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from db.limits import drain_tenant, pause_tenant
from db.roles import Role
from db.session import platform_connection
from db.tenants import resume_tenant
from tests.api.problems import pointers, problem
from tests.databases import TestTenant
from tests.db.limiting import limit, limit_running

FETCH = {"task": "errands.fetch", "payload": {"item": "bread"}}


def drain(tenant: TestTenant) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        drain_tenant(connection, tenant.slug, reason="moving out")


def test_a_tenant_sees_what_holds_for_it_and_not_who_said_so(
    as_acme: httpx.Client, as_zeta: httpx.Client, acme: TestTenant
) -> None:
    limit(acme, max_running=3, rate=2.5)
    limit_running(acme, "task", "errands.fetch", 2)
    with platform_connection(Role.OPERATOR) as connection:
        pause_tenant(connection, acme.slug, reason="it does not pay", changed_by="operator/mary")

    response = as_acme.get("/v1/limits")

    assert response.status_code == 200
    body = response.json()
    assert body.pop("flow_at") is not None
    assert body == {
        "tier": "standard",
        "flow": "paused",
        "weight": 1,
        "max_running": 3,
        "rate": 2.5,
        "burst": 3,
        "max_queued": None,
        "running_limits": [{"kind": "task", "name": "errands.fetch", "max_running": 2}],
    }
    other = as_zeta.get("/v1/limits").json()
    assert (other["flow"], other["max_running"], other["running_limits"]) == ("open", None, [])


def test_nobody_sees_limits_without_a_key(as_nobody: httpx.Client) -> None:
    problem(as_nobody.get("/v1/limits"), 401, "credential-refused")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_tenant_cannot_set_them(as_acme: httpx.Client, method: str) -> None:
    problem(as_acme.request(method, "/v1/limits", json={"max_running": 1000}), 405, "method-not-allowed")


def test_a_full_queue_answers_429_and_when_to_come_again(as_acme: httpx.Client, acme: TestTenant) -> None:
    limit(acme, max_queued=1)
    assert as_acme.post("/v1/jobs", json=FETCH).status_code == 202

    response = as_acme.post("/v1/jobs", json=FETCH)

    body = problem(response, 429, "queue-full")
    assert (int(response.headers["retry-after"]) > 0, "At most 1" in body["hint"]) == (True, True)
    limit(acme, max_queued=2)
    assert as_acme.post("/v1/jobs", json=FETCH).status_code == 202


def test_many_requests_at_once_fill_a_queue_exactly(as_acme: httpx.Client, acme: TestTenant) -> None:
    limit(acme, max_queued=5)

    with ThreadPoolExecutor(12) as threads:
        asked = [threads.submit(as_acme.post, "/v1/jobs", json=FETCH) for _ in range(12)]
        statuses = Counter(each.result().status_code for each in asked)

    assert statuses == {202: 5, 429: 7}


def test_a_request_sent_again_is_answered_as_before(as_acme: httpx.Client, acme: TestTenant) -> None:
    limit(acme, max_queued=1)
    key = {"Idempotency-Key": "order-1"}
    first = as_acme.post("/v1/jobs", json=FETCH, headers=key)

    again = as_acme.post("/v1/jobs", json=FETCH, headers=key)

    assert (again.status_code, again.json() | {"waiting_on": None}) == (200, first.json())


def test_a_drained_tenant_is_refused_and_still_sees_its_jobs(as_acme: httpx.Client, acme: TestTenant) -> None:
    job = as_acme.post("/v1/jobs", json=FETCH).json()
    drain(acme)

    problem(as_acme.post("/v1/jobs", json=FETCH), 403, "tenant-draining")
    assert as_acme.get(f"/v1/jobs/{job['id']}").json()["state"] == "queued"
    as_acme.post(f"/v1/jobs/{job['id']}/cancel")
    problem(as_acme.post(f"/v1/jobs/{job['id']}/retry"), 403, "tenant-draining")

    with platform_connection(Role.OPERATOR) as connection:
        resume_tenant(connection, acme.slug)
    assert as_acme.post("/v1/jobs", json=FETCH).status_code == 202


@pytest.mark.parametrize("priority", [-100, 0, 100])
def test_a_job_shows_its_priority(as_acme: httpx.Client, priority: int) -> None:
    job = as_acme.post("/v1/jobs", json=FETCH | {"priority": priority}).json()

    assert job["priority"] == priority
    assert [each["priority"] for each in as_acme.get("/v1/jobs").json()["data"]] == [priority]


@pytest.mark.parametrize("priority", [101, -101, 2**70, 0.5, 1.0, "5", True, None])
def test_no_other_priority_is_taken(as_acme: httpx.Client, priority: Any) -> None:
    body = problem(as_acme.post("/v1/jobs", json=FETCH | {"priority": priority}), 422, "invalid-request")

    assert pointers(body) == ["/priority"]
    assert as_acme.get("/v1/jobs").json()["data"] == []

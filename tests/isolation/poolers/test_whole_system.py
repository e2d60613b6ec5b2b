"""The whole system behind PgBouncer in transaction mode: nothing it promises is lost."""

from typing import Any

import httpx
import pytest

from tests.databases import TestTenant
from tests.isolation.poolers.conftest import PooledSite
from tests.waiting import wait_until

pytestmark = pytest.mark.pgbouncer

OVER = ("succeeded", "failed", "cancelled", "expired")


def enqueue(client: httpx.Client, task: str, payload: Any = None) -> str:
    answer = client.post("/v1/jobs", json={"task": task, "payload": payload or {}})
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def ended(client: httpx.Client, job_id: str) -> dict[str, Any]:
    def over() -> dict[str, Any] | None:
        job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").json()
        return job if job["state"] in OVER else None

    job = wait_until(over, timeout_seconds=60, what=f"job {job_id} is over")
    assert job is not None
    return job


def client_of(pooled: PooledSite, tenant: TestTenant) -> httpx.Client:
    return pooled.api.client(tenant.key.spell())


def test_jobs_of_two_tenants_that_litter_leave_nothing_to_each_other(pooled: PooledSite) -> None:
    a, b = pooled.tenants
    with client_of(pooled, a) as as_a, client_of(pooled, b) as as_b:
        sent = []
        for _ in range(6):
            for client, tenant in ((as_a, a), (as_b, b)):
                sent.append((client, tenant, enqueue(client, "probe.commits")))
                sent.append((client, tenant, enqueue(client, "probe.look")))
        jobs = [(tenant, ended(client, job_id)) for client, tenant, job_id in sent]

    assert {job["state"] for _, job in jobs} == {"succeeded"}
    looks = [(tenant, job["result"]) for tenant, job in jobs if job["task"] == "probe.look"]
    for tenant, found in looks:
        assert found["tenant_id"] == str(tenant.id)
        left = {
            name: found[name] for name in ("settings", "cursors", "prepared_statements", "channels", "session_locks")
        }
        assert left == {"settings": [], "cursors": 0, "prepared_statements": 0, "channels": 0, "session_locks": 0}
    assert len({found["backend_pid"] for _, found in looks}) <= 2
    assert len({found["process_id"] for _, found in looks}) == 2


def test_another_tenants_job_answers_404(pooled: PooledSite) -> None:
    a, b = pooled.tenants
    with client_of(pooled, a) as as_a, client_of(pooled, b) as as_b:
        job_id = enqueue(as_a, "probe.idles")
        assert ended(as_a, job_id)["state"] == "succeeded"

        assert as_b.get(f"/v1/jobs/{job_id}").status_code == 404


def test_a_file_of_several_chunks_goes_through(pooled: PooledSite) -> None:
    a, b = pooled.tenants
    content = b"0123456789abcdef" * 200_000
    with client_of(pooled, a) as as_a, client_of(pooled, b) as as_b:
        assert as_a.put("/v1/files/big.csv", content=content).status_code in (200, 201)

        assert as_a.get("/v1/files/big.csv").content == content
        assert as_b.get("/v1/files/big.csv").status_code == 404


def test_a_body_over_its_time_is_cancelled_through_the_pooler_and_the_next_one_runs(pooled: PooledSite) -> None:
    a, b = pooled.tenants
    with client_of(pooled, a) as as_a, client_of(pooled, b) as as_b:
        late = enqueue(as_a, "probe.sleeps_in_sql")
        assert ended(as_a, late)["state"] == "failed"

        assert ended(as_b, enqueue(as_b, "probe.look"))["state"] == "succeeded"


def test_progress_shows_while_the_body_has_the_other_connection(pooled: PooledSite) -> None:
    a, _ = pooled.tenants
    with client_of(pooled, a) as as_a:
        assert ended(as_a, enqueue(as_a, "probe.reports_with_others"))["state"] == "succeeded"


def test_many_clients_share_two_connections(pooled: PooledSite) -> None:
    ((backends,),) = pooled.site.database.ask(
        "select count(*) from pg_stat_activity where usename = 'partywall_worker' and datname = current_database()"
    )

    assert backends in (1, 2)

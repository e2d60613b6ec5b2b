"""What a worker does with messages that no dispatcher sent. Anyone who reaches the broker can write one."""

import uuid
from typing import Any

import pytest
from celery import Celery
from sqlalchemy import text

from db import accepting
from db.errors import NoTenantError
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.tenants import resume_tenant, suspend_tenant
from tests.databases import TestTenant
from tests.site import Site
from tests.waiting import wait_until
from tests.workers import probe_tasks


def send(site: Site, task_name: str, *args: Any, **kwargs: Any) -> None:
    with Celery(broker=site.broker.url, set_as_current=False) as forger:
        forger.conf.broker_transport_options = {"socket_connect_timeout": 5}
        forger.send_task(task_name, args=args, kwargs=kwargs, queue="default")


def held_back(site: Site, tenant: TestTenant) -> tuple[uuid.UUID, uuid.UUID]:
    """Return the id and the nonce of a job that is dispatched while its message is on its way."""
    # Due tomorrow, so the dispatcher leaves it alone; then moved on by hand, as if it had been sent.
    with tenant_session(tenant.context, role=Role.API) as session:
        job_id = accepting.accept(session, task_name="probe.idles", payload={}, queue="default", max_attempts=1).job_id
        session.execute(text("select 1"))
        session.rollback()
    nonce = uuid.uuid4()
    site.database.do(
        "insert into partywall.jobs (tenant_id, id, task_name, queue, state, max_attempts, run_at, payload,"
        " dispatch_nonce, dispatched_at) values (:tenant, :id, 'probe.idles', 'default', 'dispatched', 1, now(), '{}',"
        " :nonce, now())",
        tenant=tenant.id,
        id=job_id,
        nonce=nonce,
    )
    return job_id, nonce


def state_of(site: Site, job_id: uuid.UUID) -> tuple[object, ...]:
    return site.database.ask("select state, attempt from partywall.jobs where id = :id", id=job_id)[0]


def wait_for_refusals(site: Site, count: int) -> None:
    def refused() -> bool:
        output = site.worker.output()
        return output.count("message_dropped") + output.count("message_refused") >= count

    wait_until(refused, timeout_seconds=15)


def refusals(site: Site) -> int:
    output = site.worker.output()
    return output.count("message_dropped") + output.count("message_refused")


@pytest.mark.parametrize("forged", ["nonce", "tenant", "task", "job"])
def test_a_forged_message_starts_nothing(site: Site, tenant_a: TestTenant, tenant_b: TestTenant, forged: str) -> None:
    job_id, nonce = held_back(site, tenant_a)
    before = refusals(site)
    send(
        site,
        "probe.look" if forged == "task" else "probe.idles",
        tenant_id=str(tenant_b.id if forged == "tenant" else tenant_a.id),
        job_ids=[str(uuid.uuid4() if forged == "job" else job_id)],
        nonce=str(uuid.uuid4() if forged == "nonce" else nonce),
    )
    wait_for_refusals(site, before + 1)

    assert state_of(site, job_id) == ("dispatched", 0)


def test_a_true_message_starts_the_job_once_and_a_replay_starts_nothing(site: Site, tenant_a: TestTenant) -> None:
    job_id, nonce = held_back(site, tenant_a)
    message = {"tenant_id": str(tenant_a.id), "job_ids": [str(job_id)], "nonce": str(nonce)}
    send(site, "probe.idles", **message)
    site.wait(tenant_a, job_id)
    before = refusals(site)
    send(site, "probe.idles", **message)
    wait_for_refusals(site, before + 1)

    assert state_of(site, job_id) == ("succeeded", 1)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        ((1, 2), {}),
        ((), {"tenant_id": "acme", "job_ids": [], "nonce": 1}),
        ((), {"tenant_id": str(uuid.uuid4()), "job_ids": ["x' or true"], "nonce": str(uuid.uuid4()), "more": 1}),
    ],
)
def test_a_malformed_message_is_refused_and_the_worker_lives(
    site: Site, tenant_a: TestTenant, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    before = refusals(site)
    send(site, "probe.idles", *args, **kwargs)
    wait_for_refusals(site, before + 1)

    assert site.run(tenant_a, "probe.idles").state == "succeeded"


def test_a_job_whose_tenant_was_suspended_after_dispatch_waits_for_the_tenant(site: Site, tenant_b: TestTenant) -> None:
    job_id, nonce = held_back(site, tenant_b)
    before = refusals(site)
    with platform_connection(Role.OPERATOR) as connection:
        suspend_tenant(connection, "tenant-b")
    send(site, "probe.idles", tenant_id=str(tenant_b.id), job_ids=[str(job_id)], nonce=str(nonce))
    wait_for_refusals(site, before + 1)

    assert state_of(site, job_id) == ("queued", 0)
    with platform_connection(Role.OPERATOR) as connection:
        resume_tenant(connection, "tenant-b")
    assert site.wait(tenant_b, job_id).state == "succeeded"


def test_a_tenant_task_cannot_be_started_past_the_database(site: Site) -> None:
    with pytest.raises(NoTenantError, match="No tenant"):
        probe_tasks.idles.delay()
    with pytest.raises(NoTenantError, match="publishing_as"):
        probe_tasks.idles.apply()

"""Tenants that are suspended, deleted or gone while their work is on its way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from uuid import UUID

import pytest
from celery.result import AsyncResult

from db.errors import TenantDeletingError, TenantSuspendedError
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.tenants import delete_tenant, resume_tenant, suspend_tenant
from tasks import producing, stamping
from tests.databases import TestTenant, make_tenant
from tests.isolation.edges.conftest import Edges
from tests.isolation.edges.edge_tasks import step
from tests.isolation.edges.footprints import footprints
from tests.isolation.edges.messages import captured, put
from tests.waiting import wait_until

_numbers = count(1)


@pytest.fixture
def tenant(system: Edges) -> TestTenant:
    """One that the test may do away with."""
    return make_tenant(f"mortal-{next(_numbers)}")


@pytest.fixture(scope="module")
def reaper(system: Edges) -> None:
    """What cancels the jobs of tenants that go."""
    system.site.start("reaper", "workers.reaper").wait_for_line("agent_started")


def change(tenant: TestTenant, to: Callable[..., UUID]) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        to(connection, tenant.slug)


def steps(system: Edges, word: str) -> list[str]:
    return sorted(each.step for each in footprints(system.site.database, word))


def state_of(system: Edges, job_id: UUID) -> tuple[object, ...]:
    return system.site.database.ask("select state, attempt from partywall.jobs where id = :id", id=job_id)[0]


def times_held(system: Edges, call: str) -> int:
    return len(system.watcher.events("task-retried", call=call))


@contextmanager
def no_free_slot(system: Edges, path: Path) -> Iterator[None]:
    """Keep the worker's one slot busy, with another tenant's job, while the block runs."""
    other = system.tenants[1]
    busy = system.site.enqueue(other, "states.wait", {"path": str(path), "word": "busy"})
    wait_until(lambda: state_of(system, busy)[0] == "running", timeout_seconds=20)
    yield
    path.touch()
    system.site.wait(other, busy)


# -- suspended ------------------------------------------------------------------------------------


def test_a_call_of_a_suspended_tenant_runs_once_when_it_is_resumed(system: Edges, tenant: TestTenant) -> None:
    change(tenant, suspend_tenant)
    call = system.call(tenant, "edges.retry", word=tenant.slug, step="2 after 0")
    wait_until(lambda: times_held(system, call) >= 2, timeout_seconds=20)
    before = steps(system, tenant.slug)
    change(tenant, resume_tenant)
    wait_until(lambda: steps(system, tenant.slug), timeout_seconds=5)

    assert before == []
    # Being held is no attempt of its own.
    assert steps(system, tenant.slug) == ["attempt 2"]
    assert {each["kwargs"] for each in system.watcher.events("task-received", call=call)} == {
        f"{{'tenant': '{tenant.slug}'}}"
    }


def test_a_call_that_is_held_for_longer_than_its_token_lives_still_runs_and_so_does_what_follows(
    system: Edges, tenant: TestTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(tenant, suspend_tenant)
    monkeypatch.setattr(stamping, "lifetime_seconds", lambda: 2)
    call = system.call(tenant, "edges.step", word=tenant.slug, step="a", link=[step.s(step="b")])
    monkeypatch.undo()
    published_at = datetime.now(UTC)
    wait_until(
        lambda: times_held(system, call) and datetime.now(UTC) - published_at > timedelta(seconds=3), timeout_seconds=20
    )
    change(tenant, resume_tenant)
    wait_until(lambda: len(steps(system, tenant.slug)) >= 2, timeout_seconds=5)

    assert steps(system, tenant.slug) == ["a", "b"]


def test_a_job_that_was_dispatched_comes_back_when_its_tenant_is_suspended_and_leaves_when_it_is_resumed(
    system: Edges, tenant: TestTenant, tmp_path: Path
) -> None:
    with no_free_slot(system, tmp_path / "gate"):
        job_id = system.site.enqueue(tenant, "edges.step", {"word": tenant.slug})
        wait_until(lambda: state_of(system, job_id)[0] == "dispatched", timeout_seconds=20)
        change(tenant, suspend_tenant)
        suspended = state_of(system, job_id)
    system.site.run(system.tenants[1], "edges.step", {"word": "the next job"})
    meanwhile = state_of(system, job_id)
    change(tenant, resume_tenant)
    # A message that was sent is sent again after half a minute; this is sooner.
    job = system.site.wait(tenant, job_id, timeout_seconds=10)

    assert suspended == meanwhile == ("queued", 0)
    assert (job.state, job.attempt) == ("succeeded", 1)
    assert steps(system, tenant.slug) == ["started"]


@pytest.mark.parametrize("to", [suspend_tenant, delete_tenant])
def test_a_job_that_runs_ends(
    system: Edges, tenant: TestTenant, tmp_path: Path, to: Callable[..., UUID], reaper: None
) -> None:
    job_id = system.site.enqueue(tenant, "states.wait", {"path": str(tmp_path / "gate"), "word": tenant.slug})
    wait_until(lambda: state_of(system, job_id)[0] == "running", timeout_seconds=20)
    change(tenant, to)
    (tmp_path / "gate").touch()

    assert system.site.wait(tenant, job_id).state == "succeeded"
    assert steps(system, tenant.slug) == ["waited"]


def test_nothing_is_accepted_for_a_suspended_tenant(system: Edges, tenant: TestTenant) -> None:
    change(tenant, suspend_tenant)

    with pytest.raises(TenantSuspendedError):
        system.site.enqueue(tenant, "edges.step", {"word": tenant.slug})
    with pytest.raises(TenantSuspendedError):
        system.site.enqueue(tenant, "states.clean", {"word": tenant.slug})


# -- being deleted --------------------------------------------------------------------------------


def test_what_waits_for_a_tenant_that_is_deleted_is_cancelled(
    system: Edges, tenant: TestTenant, tmp_path: Path, reaper: None
) -> None:
    with no_free_slot(system, tmp_path / "gate"):
        dispatched = system.site.enqueue(tenant, "edges.step", {"word": tenant.slug})
        with tenant_session(tenant.context, role=Role.API) as session:
            tomorrow = datetime.now(UTC) + timedelta(days=1)
            scheduled = producing.enqueue(session, "edges.step", {"word": tenant.slug}, run_at=tomorrow)
        wait_until(lambda: state_of(system, dispatched)[0] == "dispatched", timeout_seconds=20)
        change(tenant, delete_tenant)
        for job_id in (dispatched, scheduled):
            assert system.site.wait(tenant, job_id, timeout_seconds=10).state == "cancelled"
    system.site.run(system.tenants[1], "edges.step", {"word": "the next job"})

    assert steps(system, tenant.slug) == []


def test_a_job_that_fails_after_its_tenant_was_deleted_is_not_tried_again(
    system: Edges, tenant: TestTenant, tmp_path: Path, reaper: None
) -> None:
    payload = {"path": str(tmp_path / "gate"), "word": tenant.slug}
    job_id = system.site.enqueue(tenant, "states.wait_and_fail", payload)
    wait_until(lambda: state_of(system, job_id)[0] == "running", timeout_seconds=20)
    change(tenant, delete_tenant)
    (tmp_path / "gate").touch()
    job = system.site.wait(tenant, job_id, timeout_seconds=10)

    assert (job.state, job.attempt) == ("cancelled", 1)


def test_only_what_runs_for_deleted_tenants_is_accepted_and_run(
    system: Edges, tenant: TestTenant, reaper: None
) -> None:
    with tenant_session(tenant.context, role=Role.API) as session:
        soon = datetime.now(UTC) + timedelta(seconds=1)
        waiting = producing.enqueue(session, "states.clean", {"word": tenant.slug}, run_at=soon)
    change(tenant, delete_tenant)
    with pytest.raises(TenantDeletingError):
        system.site.enqueue(tenant, "edges.step", {"word": tenant.slug})
    accepted = system.site.enqueue(tenant, "states.clean", {"word": tenant.slug})

    assert [system.site.wait(tenant, job_id).state for job_id in (waiting, accepted)] == ["succeeded"] * 2
    assert steps(system, tenant.slug) == ["cleaned", "cleaned"]


def test_of_calls_too_only_those_run_that_run_for_deleted_tenants(system: Edges, tenant: TestTenant) -> None:
    change(tenant, delete_tenant)
    refused = system.call(tenant, "edges.step", word=tenant.slug)
    run = system.call(tenant, "states.clean", word=tenant.slug)
    wait_until(lambda: system.ended(refused) and system.ended(run), timeout_seconds=20)
    result: AsyncResult[object] = AsyncResult(refused, app=system.producer)

    assert (result.state, type(result.result)) == ("FAILURE", TenantDeletingError)
    assert steps(system, tenant.slug) == ["cleaned"]


@pytest.mark.parametrize("gone", [False, True])
def test_a_message_of_a_tenant_that_was_deleted_meanwhile_is_refused(
    system: Edges, tenant: TestTenant, gone: bool
) -> None:
    message = captured(system, tenant, "edges.step", word=tenant.slug)
    change(tenant, delete_tenant)
    if gone:
        system.site.database.do("delete from partywall.tenants where id = :id", id=tenant.id)
    put(system, message)
    wait_until(lambda: system.ended(message.id), timeout_seconds=20)
    result: AsyncResult[object] = AsyncResult(message.id, app=system.producer)

    assert result.state == "FAILURE"
    assert type(result.result).__name__ == ("TenantUnknownError" if gone else "TenantDeletingError")
    assert steps(system, tenant.slug) == []


# -- nobody to ask --------------------------------------------------------------------------------


def test_a_call_waits_for_a_database_that_is_away(system: Edges, tenant: TestTenant) -> None:
    database = system.site.database
    message = captured(system, tenant, "edges.step", word=tenant.slug)
    database.do("alter role partywall_worker with nologin")
    try:
        database.ask("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'partywall_worker'")
        put(system, message)
        wait_until(lambda: times_held(system, message.id), timeout_seconds=20)
    finally:
        database.do("alter role partywall_worker with login")
    wait_until(lambda: steps(system, tenant.slug), timeout_seconds=20)

    assert "DatabaseAwayError" in str(system.watcher.events("task-retried", call=message.id))
    assert steps(system, tenant.slug) == ["started"]

"""Several short jobs in one message: each still has its own transaction, outcome, time limit and cancellation."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from cli.stack.postgres import EmbeddedPostgres
from db import steering
from db.accepting import Wishes
from db.roles import Role
from db.session import tenant_session
from tasks import producing
from tests.databases import TestTenant, make_tenant
from tests.db.notes import create_notes
from tests.site import Site
from tests.waiting import wait_until
from tests.workers import bundle_tasks

NEIGHBOURS = 11


@pytest.fixture(scope="module", params=["prefork", "threads"])
def pool(request: pytest.FixtureRequest) -> str:
    """Celery's pool."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def site(pool: str, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A dispatcher and a worker with one slot, which know the step for a short one."""
    directory = tmp_path_factory.mktemp(f"bundles_{pool}")
    with Site.running(postgres, directory, task_modules=bundle_tasks.NAME, name=f"bundles_{pool}") as running:
        create_notes(running.database)
        running.start_all(f"--pool={pool}", "--concurrency=1")
        yield running


@pytest.fixture(scope="module")
def tenant(site: Site) -> TestTenant:
    """Whose jobs they are."""
    return make_tenant("acme")


def enqueue(
    site: Site, tenant: TestTenant, does: str, mark: Path, *, task: str = bundle_tasks.STEP
) -> tuple[UUID, list[UUID]]:
    """Enqueue a job that does something and its neighbours, at one moment; return their ids. It goes first."""
    site.take_for_short(task)
    with tenant_session(tenant.context, role=Role.API) as session:
        first = producing.accept(session, task, {"does": does, "mark": str(mark)}, wishes=Wishes(priority=1)).job_id
        neighbours = [producing.enqueue(session, task, {}) for _ in range(NEIGHBOURS)]
    return first, neighbours


def outcomes(site: Site, job_id: UUID) -> list[object]:
    ended = "select outcome from partywall.attempts where job_id = :id order by attempt"
    return [outcome for (outcome,) in site.database.ask(ended, id=job_id)]


def notes(site: Site, job_id: UUID) -> int:
    return len(site.database.ask("select 1 from app.notes where body = :id", id=str(job_id)))


def all_succeed(site: Site, tenant: TestTenant, job_ids: list[UUID]) -> None:
    """Wait for the jobs: each has succeeded, and left its note once."""
    assert {site.wait(tenant, job_id).state for job_id in job_ids} == {"succeeded"}
    assert {notes(site, job_id) for job_id in job_ids} == {1}


@pytest.mark.parametrize("task", [bundle_tasks.STEP, bundle_tasks.ASYNC_STEP])
def test_several_jobs_are_claimed_at_once(site: Site, tenant: TestTenant, task: str, tmp_path: Path) -> None:
    first, neighbours = enqueue(site, tenant, "nothing", tmp_path / "mark", task=task)
    all_succeed(site, tenant, [first, *neighbours])

    # None met what another left in its session: it would have failed.
    assert {tuple(outcomes(site, job_id)) for job_id in [first, *neighbours]} == {("succeeded",)}
    claims = site.database.ask(
        "select count(*) from partywall.jobs where id = any(:ids) group by started_at", ids=[first, *neighbours]
    )
    assert max(int(str(jobs)) for (jobs,) in claims) > 2


def test_what_a_slow_one_holds_up_goes_back_and_it_is_not_counted(
    site: Site, tenant: TestTenant, tmp_path: Path
) -> None:
    slow, neighbours = enqueue(site, tenant, "sleeps", tmp_path / "mark")
    all_succeed(site, tenant, [slow, *neighbours])

    assert outcomes(site, slow) == ["succeeded"]
    came_to = [outcomes(site, job_id) for job_id in neighbours]
    assert ["handed_back", "succeeded"] in came_to
    assert all(each[-1] == "succeeded" and set(each[:-1]) <= {"handed_back"} for each in came_to)


def test_one_that_fails_costs_its_neighbours_nothing(site: Site, tenant: TestTenant, tmp_path: Path) -> None:
    failing, neighbours = enqueue(site, tenant, "fails", tmp_path / "mark")
    all_succeed(site, tenant, [failing, *neighbours])

    assert outcomes(site, failing) == ["failed", "succeeded"]
    assert all(set(outcomes(site, job_id)[:-1]) <= {"handed_back"} for job_id in neighbours)


def test_one_over_its_time_limit_is_ended_alone(site: Site, tenant: TestTenant, tmp_path: Path) -> None:
    late, neighbours = enqueue(site, tenant, "outlasts", tmp_path / "mark")
    all_succeed(site, tenant, [late, *neighbours])

    assert outcomes(site, late) == ["timed_out", "succeeded"]
    assert all(set(outcomes(site, job_id)[:-1]) <= {"handed_back"} for job_id in neighbours)


@pytest.mark.parametrize("pool", ["prefork"], indirect=True)
def test_one_that_kills_its_process_is_the_only_loss(site: Site, tenant: TestTenant, tmp_path: Path) -> None:
    deadly, neighbours = enqueue(site, tenant, "is_killed_once", tmp_path / "mark")
    all_succeed(site, tenant, [deadly, *neighbours])

    assert outcomes(site, deadly) == ["killed", "succeeded"]
    came_to = [outcomes(site, job_id) for job_id in neighbours]
    assert ["handed_back", "succeeded"] in came_to
    assert all(set(each[:-1]) <= {"handed_back"} for each in came_to)


def test_one_that_is_cancelled_before_its_turn_never_begins(site: Site, tenant: TestTenant, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    slow, neighbours = enqueue(site, tenant, "sleeps", mark)
    wait_until(mark.exists, timeout_seconds=30)
    with tenant_session(tenant.context, role=Role.API) as session:
        steering.cancel_job(session, neighbours[0], reason="no longer needed")
    all_succeed(site, tenant, [slow, *neighbours[1:]])

    assert site.wait(tenant, neighbours[0]).state == "cancelled"
    assert notes(site, neighbours[0]) == 0

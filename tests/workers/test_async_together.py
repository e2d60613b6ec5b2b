"""Bodies of several tenants on one event loop: each is its tenant, and what one leaves behind is nobody."""

import itertools
from collections.abc import Iterator

import pytest

from cli.stack.postgres import EmbeddedPostgres
from tests.databases import TestTenant, make_tenant
from tests.db.notes import create_notes, rows_of
from tests.site import Site
from tests.waiting import wait_until
from tests.workers import async_probe_tasks, interleaved_tasks

BODIES = 3
"""How many bodies each tenant has on the loop at once."""
ROUNDS = 15


@pytest.fixture(scope="module")
def site(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One process with many slots."""
    directory = tmp_path_factory.mktemp("together")
    modules = f"{interleaved_tasks.NAME},{async_probe_tasks.NAME}"
    with Site.running(postgres, directory, task_modules=modules, name="together") as running:
        create_notes(running.database)
        # A group inside a chain is joined by its results.
        running.environment["PARTYWALL_RESULT_BACKEND_URL"] = running.broker.url
        running.start_all("--pool=threads", f"--concurrency={2 * BODIES + 2}")
        yield running


@pytest.fixture
def tenants(site: Site) -> tuple[TestTenant, TestTenant]:
    """Two tenants of the test's own."""
    number = next(_numbers)
    return make_tenant(f"a-{number}"), make_tenant(f"b-{number}")


_numbers = itertools.count(1)


def test_interleaved_bodies_are_and_publish_as_their_own_tenant(
    site: Site, tenants: tuple[TestTenant, TestTenant]
) -> None:
    company = {"bodies": 2 * BODIES, "rounds": ROUNDS}
    started = [
        (tenant, site.enqueue(tenant, "interleaved.publishes", company)) for _ in range(BODIES) for tenant in tenants
    ]
    ended = [(tenant, site.wait(tenant, job_id)) for tenant, job_id in started]
    for tenant in tenants:
        wait_until(lambda who=tenant: len(rows_of(who)) >= BODIES * ROUNDS, timeout_seconds=30)  # type: ignore[misc]

    heard = [(tenant, job.result or {}) for tenant, job in ended]
    assert [result["tenants"] for _, result in heard] == [[str(tenant.id)] for tenant, _ in heard]
    for tenant in tenants:
        messages = [result["message_id"] for who, result in heard if who is tenant]
        assert rows_of(tenant) == sorted(f"{tenant.slug}/{n} of {each}" for n in range(ROUNDS) for each in messages)


def test_what_outlives_a_body_finds_no_context_and_no_connection(
    site: Site, tenants: tuple[TestTenant, TestTenant]
) -> None:
    before = site.run(tenants[1], "interleaved.confesses").result or []
    assert site.run(tenants[0], "interleaved.leaves_behind").state == "succeeded"

    def diary() -> list[str]:
        found = (site.run(tenants[1], "interleaved.confesses").result or [])[len(before) :]
        return found if any(each.startswith("the thread's connection") for each in found) else []

    found = wait_until(diary, timeout_seconds=20)

    assert found == [
        "the task began",
        "the task ended",
        "the callback: NoTenantError",
        "the thread: NoTenantError",
        "the thread's connection: ResourceClosedError",
    ]
    assert rows_of(tenants[0]) == []


@pytest.mark.parametrize(
    ("task_name", "refusals"),
    [
        ("interleaved.uses_a_thread", ["NoTenantError", "ForeignConnectionError"]),
        ("interleaved.starts_a_thread", ["NoTenantError", "ForeignConnectionError", "ForeignConnectionError"]),
    ],
    ids=["async", "sync"],
)
def test_a_thread_that_a_body_starts_has_neither_its_context_nor_its_connection(
    site: Site, tenants: tuple[TestTenant, TestTenant], task_name: str, refusals: list[str]
) -> None:
    job = site.run(tenants[0], task_name)

    assert job.result == refusals, job.error
    assert rows_of(tenants[0]) == []


def test_a_call_cannot_be_run_in_place_on_the_loop(site: Site, tenants: tuple[TestTenant, TestTenant]) -> None:
    assert site.run(tenants[0], "interleaved.applies").result == "LoopBlockedError"


def test_calls_of_async_tasks_run_in_their_publishers_tenant(
    site: Site, tenants: tuple[TestTenant, TestTenant]
) -> None:
    for tenant in tenants:
        job = site.run(tenant, "interleaved.calls", {"body": tenant.slug})
        assert job.state == "succeeded", job.error

    for tenant in tenants:
        expected = sorted(f"{tenant.slug}, {how}" for how in ("applied", "published", "retried in try 2"))
        wait_until(lambda who=tenant, rows=expected: rows_of(who) == rows, timeout_seconds=20)  # type: ignore[misc]


def test_a_canvas_that_an_async_body_publishes_stays_in_its_tenant(
    site: Site, tenants: tuple[TestTenant, TestTenant]
) -> None:
    started = [site.enqueue(each, "interleaved.publishes_a_canvas", {"body": each.slug}) for each in tenants]
    for tenant, job_id in zip(tenants, started, strict=True):
        assert site.wait(tenant, job_id).state == "succeeded"

    for tenant in tenants:
        steps = ("in its place", "replaced", *(f"step {number}" for number in range(1, 5)))
        expected = [f"{tenant.slug}, {step}" for step in steps]
        wait_until(lambda who=tenant, rows=expected: rows_of(who) == rows, timeout_seconds=20)  # type: ignore[misc]


def test_an_async_body_can_ask_for_its_next_attempt(site: Site, tenants: tuple[TestTenant, TestTenant]) -> None:
    job = site.run(tenants[0], "interleaved.retries_a_job")

    assert (job.state, job.attempt, job.result) == ("succeeded", 2, 2)


def test_a_body_that_blocked_the_loop_is_cancelled_when_it_comes_back(
    site: Site, tenants: tuple[TestTenant, TestTenant]
) -> None:
    job = site.run(tenants[0], "interleaved.blocks")

    assert job.error is not None
    assert (job.state, job.error["type"]) == ("failed", "SoftTimeLimitExceeded")


def test_the_time_limit_of_one_body_leaves_the_others_alone(site: Site, tenants: tuple[TestTenant, TestTenant]) -> None:
    late = [site.enqueue(tenants[0], f"async_probe.{name}") for name in ("sleeps", "sleeps_in_sql", "sleeps_together")]
    others = [site.enqueue(tenants[1], "async_probe.gathers", {"value": 20}) for _ in range(20)]

    assert {site.wait(tenants[1], job_id).state for job_id in others} == {"succeeded"}
    assert {site.wait(tenants[0], job_id).state for job_id in late} == {"failed"}

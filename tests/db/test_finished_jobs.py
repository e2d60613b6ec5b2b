"""Jobs that are over are no burden to those that live, nor is getting rid of them."""

from collections.abc import Iterator

import psycopg
import pytest

from db import attempts, steering
from db.jobs import JobState
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.steering import RETRIED_PER_TRANSACTION
from tests.databases import Database, TestTenant
from tests.db.work import body_of, claim_one, enqueue_one, job_of

_FINISHED = """
    insert into partywall.jobs (tenant_id, task_name, queue, state, max_attempts, run_at, payload, finished_at)
    select :tenant, 'notes.write', 'default', :state, 1, now(), '{}', now() - make_interval(days => :days)
    from generate_series(1, :jobs)
"""
MANY = 5000


def finished(
    database: Database, tenant: TestTenant, *, jobs: int, days: int = 1, state: JobState = JobState.SUCCEEDED
) -> None:
    """Put jobs there that ended so long ago."""
    database.do(_FINISHED, tenant=tenant.id, state=state.value, days=days, jobs=jobs)


@pytest.fixture
def watched(database: Database, acme: TestTenant) -> Iterator[psycopg.Connection]:
    """A superuser's transaction in acme's context, beside many finished jobs and a few of everything else."""
    finished(database, acme, jobs=MANY)
    finished(database, acme, jobs=10, state=JobState.FAILED)
    finished(database, acme, jobs=20, days=31)
    for _ in range(3):
        enqueue_one(acme)
    database.do("analyze partywall.jobs")
    with psycopg.connect(database.admin_url) as connection:
        connection.execute("select partywall.enter(%s)", (acme.context.token,))
        yield connection
        connection.rollback()


@pytest.mark.parametrize(
    "call",
    [
        "enqueue('notes.write', '{}', 'default', null, 1, idempotency_key => 'a', unique_key => 'b')",
        "dispatch(array['default'], array['notes.write'], null, 10, 100, '1 minute')",
        "dispatch(array['default'], null, null, 10, 100, '-1 minute')",
        "undo_dispatch(array[gen_random_uuid()])",
        "claim(gen_random_uuid(), array[gen_random_uuid()], gen_random_uuid(), 'x', 'x', null, '1 s', '1 s')",
        "cancel_job(gen_random_uuid(), 'x')",
        "expire_jobs(10)",
        "expire_leases(10)",
        "cancel_jobs_of_deleted(10)",
        "retry_jobs('failed', null, null, null, null, 10)",
        "retry_jobs('cancelled', 'notes.write', 'acme', now() - interval '1 hour', now(), 10)",
        "prune_jobs(10)",
        "suspend_tenant('acme')",
        "resume_tenant('acme')",
        "workers_overview()",
    ],
)
def test_what_a_function_reads_does_not_grow_with_what_is_over(watched: psycopg.Connection, call: str) -> None:
    for _ in range(7):
        # From the sixth call on, a plan may be one for any argument.
        watched.execute(f"select * from partywall.{call}")
    read = watched.execute(
        "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relid = 'partywall.jobs'::regclass"
    ).fetchone()

    assert read is not None
    assert read[0] < MANY / 5


@pytest.mark.parametrize(
    "relation",
    [
        "'partywall.jobs'::regclass",
        "'partywall.attempts'::regclass",
        "(select reltoastrelid from pg_class where oid = 'partywall.jobs'::regclass)",
    ],
    ids=["jobs", "attempts", "big values of jobs"],
)
def test_vacuum_looks_in_long_before_a_fifth_is_dead(catalog: Database, relation: str) -> None:
    ((options,),) = catalog.ask(f"select reloptions from pg_class where oid = {relation}")

    assert {"autovacuum_vacuum_scale_factor=0.02", "autovacuum_vacuum_cost_delay=0"} <= set(options)  # type: ignore[call-overload]


def test_nobody_waits_for_jobs_that_are_being_pruned(database: Database, acme: TestTenant) -> None:
    finished(database, acme, jobs=10, days=31)

    with tenant_session(acme.context, role=Role.WORKER) as session:
        assert steering.prune_jobs(session, limit=10) == 10
        job_id = enqueue_one(acme)
        with body_of(claim_one(acme)) as connection:
            attempts.finish(connection, result=None)
        session.rollback()

    assert job_of(acme, job_id).state == "succeeded"


def test_attempts_go_with_their_job(database: Database, acme: TestTenant) -> None:
    enqueue_one(acme)
    with body_of(claim_one(acme)) as connection:
        attempts.finish(connection, result=None)
    database.do("update partywall.jobs set finished_at = now() - interval '31 days'")

    with tenant_session(acme.context, role=Role.WORKER) as session:
        assert steering.prune_jobs(session, limit=10) == 1

    assert database.ask("select * from partywall.attempts") == []


def test_the_oldest_are_pruned_first(database: Database, acme: TestTenant) -> None:
    for days in (40, 50, 35):
        finished(database, acme, jobs=1, days=days)

    with tenant_session(acme.context, role=Role.WORKER) as session:
        steering.prune_jobs(session, limit=1)

    left = database.ask(
        "select extract(day from now() - finished_at)::integer from partywall.jobs order by finished_at"
    )
    assert left == [(40,), (35,)]


def retry_all(*, limit: int = 10_000) -> int:
    with platform_connection(Role.OPERATOR) as connection:
        return len(steering.retry_jobs(connection, state=JobState.FAILED, limit=limit))


@pytest.mark.parametrize("surplus", [-1, 0, 1])
def test_more_than_one_transaction_retries_are_retried_all(database: Database, acme: TestTenant, surplus: int) -> None:
    jobs = 2 * RETRIED_PER_TRANSACTION + surplus
    finished(database, acme, jobs=jobs, state=JobState.FAILED)

    assert retry_all() == jobs
    assert database.ask("select state, count(*) from partywall.jobs group by state") == [("queued", jobs)]


def test_no_more_are_retried_than_asked(database: Database, acme: TestTenant) -> None:
    finished(database, acme, jobs=RETRIED_PER_TRANSACTION + 7, state=JobState.FAILED)

    assert [retry_all(limit=RETRIED_PER_TRANSACTION + 3), retry_all()] == [RETRIED_PER_TRANSACTION + 3, 4]


def test_what_fails_again_meanwhile_is_not_retried_twice(database: Database, acme: TestTenant) -> None:
    """Each job fails at once, as a superuser's trigger has it: there would always be another one."""
    finished(database, acme, jobs=RETRIED_PER_TRANSACTION, state=JobState.FAILED)
    database.do("""
        create function public.fail_again() returns trigger language plpgsql as $$
        begin
            new.state := 'failed';
            new.finished_at := clock_timestamp();
            return new;
        end
        $$
    """)
    database.do("""
        create trigger fail_again before update on partywall.jobs for each row
        when (new.state = 'queued') execute function public.fail_again()
    """)
    try:
        assert retry_all(limit=3 * RETRIED_PER_TRANSACTION) == RETRIED_PER_TRANSACTION
    finally:
        database.do("drop function public.fail_again cascade")

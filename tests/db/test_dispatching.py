"""Choosing what the broker is told: which jobs, in which order, and how many."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from db.dispatching import Dispatched
from db.roles import Role
from db.session import platform_connection
from db.tenants import resume_tenant
from tests.databases import Database, TestTenant
from tests.db.racing import at_once
from tests.db.work import claim_of, dispatch_all, enqueue_one, job_of, suspend


def resume(tenant: TestTenant) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        resume_tenant(connection, tenant.slug)


def test_ready_jobs_are_dispatched_once_with_a_nonce_each(acme: TestTenant, zeta: TestTenant) -> None:
    accepted = [enqueue_one(acme), enqueue_one(zeta), enqueue_one(acme)]

    sent = dispatch_all()

    assert [message.job_id for message in sent] == accepted
    assert [message.tenant_slug for message in sent] == ["acme", "zeta", "acme"]
    assert len({message.nonce for message in sent}) == 3
    assert dispatch_all() == []


def test_a_dispatched_job_says_so(acme: TestTenant) -> None:
    job_id = enqueue_one(acme)
    dispatch_all()

    job = job_of(acme, job_id)
    assert (job.state, job.attempt) == ("dispatched", 0)
    assert job.dispatched_at is not None


def test_a_job_for_later_is_left_until_then(database: Database, acme: TestTenant) -> None:
    job_id = enqueue_one(acme, run_at=datetime.now(UTC) + timedelta(hours=1))
    assert dispatch_all() == []

    database.do("update partywall.jobs set run_at = now() - interval '1 second'")
    assert [message.job_id for message in dispatch_all()] == [job_id]


def test_of_a_tenants_jobs_what_was_due_first_goes_first(acme: TestTenant, database: Database) -> None:
    jobs = [enqueue_one(acme) for _ in range(3)]
    for minutes, job_id in zip((1, 3, 2), jobs, strict=True):
        database.do(
            "update partywall.jobs set run_at = now() - make_interval(mins => :m) where id = :id", m=minutes, id=job_id
        )

    assert [message.job_id for message in dispatch_all()] == [jobs[1], jobs[2], jobs[0]]


def test_a_batch_is_no_longer_than_asked(acme: TestTenant) -> None:
    for _ in range(5):
        enqueue_one(acme)

    assert [len(dispatch_all(batch_limit=2)) for _ in range(4)] == [2, 2, 1, 0]


def test_no_more_are_in_flight_than_allowed_and_a_claim_makes_room(acme: TestTenant) -> None:
    for _ in range(5):
        enqueue_one(acme)

    first = dispatch_all(in_flight_limit=3)
    assert (len(first), dispatch_all(in_flight_limit=3)) == (3, [])
    claim_of(first[0])
    assert len(dispatch_all(in_flight_limit=3)) == 1
    assert dispatch_all(in_flight_limit=0) == []


def test_a_suspended_tenants_jobs_wait_and_go_when_it_is_resumed(acme: TestTenant, zeta: TestTenant) -> None:
    waiting, other = enqueue_one(acme), enqueue_one(zeta)
    suspend(acme)
    assert [message.job_id for message in dispatch_all()] == [other]

    resume(acme)
    assert [message.job_id for message in dispatch_all()] == [waiting]


def test_what_is_in_flight_for_a_suspended_tenant_takes_no_room_from_others(acme: TestTenant, zeta: TestTenant) -> None:
    for _ in range(3):
        enqueue_one(acme)
    assert len(dispatch_all(in_flight_limit=3)) == 3
    suspend(acme)
    job_id = enqueue_one(zeta)

    assert [message.job_id for message in dispatch_all(in_flight_limit=3)] == [job_id]


def test_a_queue_that_nobody_serves_holds_up_no_other(acme: TestTenant) -> None:
    for _ in range(3):
        enqueue_one(acme, queue="slow")
    assert len(dispatch_all("slow", in_flight_limit=3)) == 3
    job_id = enqueue_one(acme)

    assert [message.job_id for message in dispatch_all(in_flight_limit=3)] == [job_id]
    assert dispatch_all("slow", in_flight_limit=3) == []


def test_a_task_nobody_knows_waits_and_takes_no_room(acme: TestTenant) -> None:
    unknown, known = enqueue_one(acme, task_name="notes.forget"), enqueue_one(acme)

    assert [message.job_id for message in dispatch_all(known_tasks=["notes.write"], in_flight_limit=1)] == [known]
    assert dispatch_all(known_tasks=[]) == []
    assert [message.job_id for message in dispatch_all()] == [unknown]


def test_two_dispatchers_at_once_never_hand_out_a_job_twice(acme: TestTenant, zeta: TestTenant) -> None:
    accepted = {enqueue_one(tenant) for tenant in (acme, zeta) for _ in range(100)}

    def drain() -> list[Dispatched]:
        sent: list[Dispatched] = []
        while batch := dispatch_all(batch_limit=7):
            sent += batch
        return sent

    taken = Counter(message.job_id for sent in at_once(4, drain) for message in sent)

    assert taken == dict.fromkeys(accepted, 1)


def test_a_hundred_thousand_waiting_jobs_are_not_read_to_choose_a_hundred(own_database: Database) -> None:
    own_database.do("insert into partywall.tenants (slug, name) values ('acme', 'Acme')")
    own_database.do("""
        insert into partywall.jobs (tenant_id, task_name, queue, state, max_attempts, run_at, payload)
        select tenants.id, 'notes.write', 'default', 'queued', 1, now() - make_interval(secs => number), '{}'
        from partywall.tenants, generate_series(1, 100000) as number
    """)
    own_database.do("analyze partywall.jobs")
    before = blocks_read(own_database)

    assert len(dispatch_all(batch_limit=100)) == 100
    # A scan of the table would read some 5,000.
    assert blocks_read(own_database) - before < 2500


def blocks_read(database: Database) -> int:
    database.do("select pg_stat_force_next_flush()")
    ((read,),) = database.ask("""
        select heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit
        from pg_statio_all_tables where relid = 'partywall.jobs'::regclass
    """)
    return int(str(read))

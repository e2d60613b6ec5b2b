"""Choosing what the broker is told, and taking back what came to nothing."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text

from db import attempts, dispatching
from db.dispatching import Dispatched, ExpiredLease
from db.engine import dispose_engines
from db.roles import Role
from db.session import platform_connection
from db.tenants import resume_tenant, suspend_tenant
from tests.databases import Database, TestTenant
from tests.db.work import body_of, claim_of, dispatch_all, enqueue_one, job_of, start_one

Answer = TypeVar("Answer")


def undo(*nonces: UUID) -> int:
    with platform_connection(Role.DISPATCHER) as connection:
        return dispatching.undo_dispatch(connection, nonces)


def expire(limit: int = 100) -> list[ExpiredLease]:
    with platform_connection(Role.DISPATCHER) as connection:
        return dispatching.expire_leases(connection, limit=limit)


def suspend(tenant: TestTenant) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        suspend_tenant(connection, tenant.slug)


def resume(tenant: TestTenant) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        resume_tenant(connection, tenant.slug)


def at_once(threads: int, act: Callable[[], Answer]) -> list[Answer]:
    """Return what each thread got, all of them started at the same moment."""
    start = threading.Barrier(threads)

    def run(_: int) -> Answer:
        start.wait(10)
        return act()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


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


def test_what_was_due_first_goes_first(acme: TestTenant, zeta: TestTenant, database: Database) -> None:
    jobs = [enqueue_one(acme), enqueue_one(zeta), enqueue_one(acme)]
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


def test_a_message_that_nobody_claimed_is_sent_again_with_its_nonce_and_claimed_once(acme: TestTenant) -> None:
    enqueue_one(acme)
    (first,) = dispatch_all()
    assert dispatch_all(resend_after=60) == []

    (again,) = dispatch_all(resend_after=0, in_flight_limit=0)

    assert again == first
    assert [len(claim_of(message)) for message in (first, again)] == [1, 0]


def test_a_suspended_tenants_message_is_not_sent_again(acme: TestTenant) -> None:
    enqueue_one(acme)
    dispatch_all()
    suspend(acme)

    assert dispatch_all(resend_after=0) == []


def test_undoing_makes_a_job_wait_again_and_its_message_worthless(acme: TestTenant) -> None:
    enqueue_one(acme)
    (lost,) = dispatch_all()

    assert undo(lost.nonce, uuid4()) == 1
    assert claim_of(lost) == []
    (sent,) = dispatch_all()
    assert sent.nonce != lost.nonce
    assert len(claim_of(sent)) == 1


def test_undoing_leaves_a_job_that_was_claimed_after_all(acme: TestTenant) -> None:
    enqueue_one(acme)
    (message,) = dispatch_all()
    (attempt,) = claim_of(message)

    assert undo(message.nonce) == 0
    assert job_of(acme, attempt.job_id).state == "running"


def test_undoing_does_not_wait_for_a_worker_that_is_claiming(database: Database, acme: TestTenant) -> None:
    enqueue_one(acme)
    (message,) = dispatch_all()

    with psycopg.connect(database.admin_url) as claiming:
        claiming.execute("select from partywall.jobs for update")
        with platform_connection(Role.DISPATCHER) as connection:
            connection.execute(text("set lock_timeout = '2s'"))
            assert dispatching.undo_dispatch(connection, [message.nonce]) == 0
        claiming.rollback()

    assert len(claim_of(message)) == 1


def test_two_dispatchers_at_once_never_hand_out_a_job_twice(acme: TestTenant, zeta: TestTenant) -> None:
    accepted = {enqueue_one(tenant) for tenant in (acme, zeta) for _ in range(100)}

    def drain() -> list[Dispatched]:
        sent: list[Dispatched] = []
        while batch := dispatch_all(batch_limit=7):
            sent += batch
        return sent

    taken = Counter(message.job_id for sent in at_once(4, drain) for message in sent)

    assert taken == dict.fromkeys(accepted, 1)


def test_of_many_claims_of_one_message_exactly_one_wins(acme: TestTenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTYWALL_POOL_SIZE", "8")
    dispose_engines()
    for _ in range(5):
        enqueue_one(acme)
        (message,) = dispatch_all()
        won = at_once(8, lambda message=message: claim_of(message))  # type: ignore[misc]
        assert sorted(map(len, won)) == [0] * 7 + [1]
    dispose_engines()


def test_an_attempt_that_outlives_its_lease_gives_the_job_back(acme: TestTenant) -> None:
    attempt = start_one(acme, lease_seconds=0)

    (expired,) = expire()

    job = job_of(acme, attempt.job_id)
    assert (expired.job_id, expired.attempt, expired.state) == (job.id, 1, "queued")
    assert (job.state, job.attempt, job.lease_expires_at) == ("queued", 1, None)
    assert job.error is not None
    assert job.error["type"] == "LeaseExpired"
    assert datetime.now(UTC) - timedelta(seconds=5) < job.run_at < datetime.now(UTC) + timedelta(seconds=2)


def test_an_attempt_within_its_lease_is_left_alone(acme: TestTenant) -> None:
    attempt = start_one(acme, lease_seconds=60)

    assert expire() == []
    assert job_of(acme, attempt.job_id).state == "running"


def test_attempts_are_counted_on_and_end_at_the_last(database: Database, acme: TestTenant) -> None:
    enqueue_one(acme, max_attempts=3)
    numbers, states = [], []
    for _ in range(3):
        database.do("update partywall.jobs set run_at = now()")
        (message,) = dispatch_all()
        (attempt,) = claim_of(message, lease_seconds=0)
        (expired,) = expire()
        numbers.append(attempt.number)
        states.append(expired.state)

    assert (numbers, states) == ([1, 2, 3], ["queued", "queued", "failed"])
    assert dispatch_all() == []
    assert job_of(acme, attempt.job_id).finished_at is not None


def test_no_more_leases_are_expired_than_asked(acme: TestTenant) -> None:
    for _ in range(3):
        start_one(acme, lease_seconds=0)

    assert [len(expire(limit=2)) for _ in range(3)] == [2, 1, 0]


def test_two_reapers_at_once_take_each_lease_once(acme: TestTenant) -> None:
    for _ in range(40):
        start_one(acme, lease_seconds=0)

    taken = Counter(expired.job_id for each in at_once(4, lambda: expire(limit=40)) for expired in each)

    assert len(taken) == 40
    assert set(taken.values()) == {1}


def test_the_reaper_does_not_take_a_job_that_is_being_finished(acme: TestTenant) -> None:
    """The share lock of the fence makes it wait; here it skips and looks again later."""
    attempt = start_one(acme, lease_seconds=1)
    with body_of(attempt) as connection:
        connection.execute(text("select partywall.hold_lease()"))
        connection.execute(text("select pg_sleep(1.1)"))

        assert expire() == []

    assert [expired.job_id for expired in expire()] == [attempt.job_id]


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


def test_the_claims_order_is_the_messages(acme: TestTenant, database: Database) -> None:
    jobs = [enqueue_one(acme) for _ in range(3)]
    dispatch_all()
    nonce = uuid4()
    database.do("update partywall.jobs set dispatch_nonce = :nonce", nonce=nonce)
    asked = [jobs[2], jobs[0], jobs[1]]

    with platform_connection(Role.WORKER) as connection:
        claimed = attempts.claim(
            connection,
            tenant_id=acme.id,
            job_ids=asked,
            nonce=nonce,
            task_name="notes.write",
            worker="tests@here",
            lease_seconds=60,
        )

    assert [attempt.job_id for attempt in claimed] == asked


def test_a_queue_that_nobody_serves_holds_up_no_other(acme: TestTenant) -> None:
    for _ in range(3):
        enqueue_one(acme, queue="slow")
    assert len(dispatch_all(queue="slow", in_flight_limit=3)) == 3
    job_id = enqueue_one(acme)

    assert [message.job_id for message in dispatch_all(in_flight_limit=3)] == [job_id]
    assert dispatch_all(queue="slow", in_flight_limit=3) == []


def test_a_task_nobody_knows_waits_and_takes_no_room(acme: TestTenant) -> None:
    unknown, known = enqueue_one(acme, task_name="notes.forget"), enqueue_one(acme)

    assert [message.job_id for message in dispatch_all(known_tasks=["notes.write"], in_flight_limit=1)] == [known]
    assert dispatch_all(known_tasks=[]) == []
    assert [message.job_id for message in dispatch_all()] == [unknown]


def test_the_pause_before_sending_again_doubles(database: Database, acme: TestTenant) -> None:
    enqueue_one(acme)
    dispatch_all()

    def sent_after(seconds: int) -> bool:
        database.do("update partywall.jobs set dispatched_at = now() - make_interval(secs => :s)", s=seconds)
        return dispatch_all(resend_after=10) != []

    assert [sent_after(9), sent_after(11), sent_after(19), sent_after(21), sent_after(39), sent_after(41)] == [
        False,
        True,
        False,
        True,
        False,
        True,
    ]


def test_the_first_send_after_a_failed_attempt_counts_anew(database: Database, acme: TestTenant) -> None:
    enqueue_one(acme)
    dispatch_all()
    (message,) = dispatch_all(resend_after=0)
    claim_of(message, lease_seconds=0)
    expire()
    database.do("update partywall.jobs set run_at = now()")
    dispatch_all()

    assert database.ask("select sends, attempt from partywall.jobs") == [(1, 1)]

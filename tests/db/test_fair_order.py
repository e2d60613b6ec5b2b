"""Start-time fair queueing: who is served next, and what that hangs on."""

from collections.abc import Callable

import psycopg
import pytest

from db.limits import pause_tenant
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.steering import cancel_job
from db.tenants import resume_tenant
from tests.databases import Database, TestTenant
from tests.db.limiting import limit
from tests.db.ordering import LONG, SHORT, backlog, shares, takes
from tests.db.work import TASK, dispatch_all, enqueue_one, finish_all


def test_whoever_comes_after_a_flood_is_served_next(acme: TestTenant, zeta: TestTenant) -> None:
    backlog(acme, 30)
    dispatch_all(batch_limit=5)
    backlog(zeta, 2)

    assert shares(dispatch_all(batch_limit=4)) == {"acme": 2, "zeta": 2}


def test_alone_it_gets_everything(acme: TestTenant, zeta: TestTenant) -> None:
    backlog(zeta, 1)
    dispatch_all()
    backlog(acme, 20)

    assert shares(dispatch_all(batch_limit=20)) == {"acme": 20}


def test_who_did_nothing_has_saved_nothing_up(acme: TestTenant, zeta: TestTenant) -> None:
    backlog(zeta, 1)
    dispatch_all()
    backlog(acme, 40)
    dispatch_all(batch_limit=20)
    backlog(zeta, 20)

    assert shares(dispatch_all(batch_limit=10)) == {"acme": 5, "zeta": 5}


def test_what_counts_is_run_time_not_the_number_of_jobs(database: Database, acme: TestTenant, zeta: TestTenant) -> None:
    takes(database, LONG, 0.9)
    takes(database, SHORT, 0.1)
    backlog(acme, 20, task_name=LONG)
    backlog(zeta, 30, task_name=SHORT)

    assert shares(dispatch_all(batch_limit=20)) == {"acme": 2, "zeta": 18}


def test_a_tenant_for_whom_a_task_takes_longer_pays_for_that(
    database: Database, acme: TestTenant, zeta: TestTenant
) -> None:
    takes(database, TASK, 0.1)
    takes(database, TASK, 0.4, acme)
    backlog(acme, 20)
    backlog(zeta, 20)

    assert shares(dispatch_all(batch_limit=20)) == {"acme": 4, "zeta": 16}


def test_spread_over_tasks_a_tenant_gets_no_more(acme: TestTenant, zeta: TestTenant) -> None:
    for number in range(20):
        backlog(acme, 2, task_name=f"notes.task_{number}")
    backlog(zeta, 40)

    assert shares(dispatch_all(batch_limit=20)) == {"acme": 10, "zeta": 10}


def test_spread_over_queues_of_the_same_workers_a_tenant_gets_no_more(acme: TestTenant, zeta: TestTenant) -> None:
    queues = [f"queue-{number:02}" for number in range(20)]
    for queue in queues:
        backlog(acme, 2, queue=queue)
    backlog(zeta, 40, queue=queues[0])

    assert shares(dispatch_all(*queues, batch_limit=20)) == {"acme": 10, "zeta": 10}


def test_of_a_tenants_jobs_the_urgent_go_first_then_the_older(database: Database, acme: TestTenant) -> None:
    late, *usual = [enqueue_one(acme) for _ in range(3)]
    urgent = [enqueue_one(acme, task_name=SHORT) for _ in range(2)]
    database.do("update partywall.jobs set priority = 5 where task_name = :task", task=SHORT)
    database.do("update partywall.jobs set priority = -1 where id = :id", id=late)

    assert [message.job_id for message in dispatch_all()] == [*urgent, *usual, late]


def test_an_estimate_that_was_wrong_is_put_right_when_the_attempt_ends(
    database: Database, acme: TestTenant, zeta: TestTenant
) -> None:
    backlog(acme, 30)
    backlog(zeta, 30)
    first = dispatch_all(batch_limit=2)
    assert shares(first) == {"acme": 1, "zeta": 1}
    finish_all(first)
    # Both were taken for 0.1 seconds.
    database.do(
        "update partywall.attempts set started_at = ended_at - :took * interval '1 second' where tenant_id = :tenant",
        took=1.0,
        tenant=acme.id,
    )
    database.do(
        "update partywall.attempts set started_at = ended_at - :took * interval '1 second' where tenant_id = :tenant",
        took=0.1,
        tenant=zeta.id,
    )
    takes(database, TASK, 0.1)

    assert shares(dispatch_all(batch_limit=5)) == {"zeta": 5}


def test_what_was_measured_is_the_next_estimate(database: Database, acme: TestTenant) -> None:
    backlog(acme, 1)
    finish_all(dispatch_all())
    database.do("update partywall.attempts set started_at = ended_at - interval '7 seconds'")
    dispatch_all()

    known = database.ask(
        "select task_name, tenant_id, round(seconds::numeric, 3)::float8, samples from partywall_private.run_times"
    )
    assert set(known) == {(TASK, None, 7.0, 1), (TASK, acme.id, 7.0, 1)}
    assert database.ask("select count(*) from partywall_private.charges") == [(0,)]


def test_what_never_ran_costs_nothing(database: Database, acme: TestTenant, zeta: TestTenant) -> None:
    takes(database, LONG, 10)
    backlog(acme, 2, task_name=LONG)
    (sent,) = dispatch_all(batch_limit=1)
    with tenant_session(acme.context, role=Role.API) as session:
        cancel_job(session, sent.job_id, reason=None)
    backlog(zeta, 10)

    assert shares(dispatch_all(batch_limit=4)) == {"acme": 1, "zeta": 3}


def test_a_running_attempt_is_charged_before_it_ends(database: Database, acme: TestTenant, zeta: TestTenant) -> None:
    backlog(acme, 20)
    backlog(zeta, 20)
    finish_all(dispatch_all(batch_limit=2), of=zeta)
    database.do("update partywall.jobs set started_at = now() - interval '9 seconds' where state = 'running'")

    assert shares(dispatch_all(batch_limit=10)) == {"zeta": 10}


@pytest.mark.parametrize("is_limited", [False, True])
def test_what_a_tenant_had_while_nobody_wanted_it_is_no_debt(
    is_limited: bool, database: Database, acme: TestTenant, zeta: TestTenant, new_tenant: Callable[[str], TestTenant]
) -> None:
    if is_limited:
        # In the order all the while, and not to be served: that is nobody's wish either.
        other = new_tenant("other")
        limit(other, max_running=1)
        backlog(other, 2)
        dispatch_all()
    backlog(acme, 2)
    finish_all([message for message in dispatch_all() if message.tenant_id == acme.id], of=zeta)
    database.do("update partywall.jobs set started_at = now() - interval '1 hour' where state = 'running'")
    dispatch_all()
    backlog(zeta, 20)
    dispatch_all(batch_limit=4)
    backlog(acme, 4)

    assert shares(dispatch_all(batch_limit=8)) == {"acme": 4, "zeta": 4}
    if is_limited:
        limit(other, max_running=None)
        assert "other" in shares(dispatch_all(batch_limit=8))


def test_who_could_not_start_anything_meanwhile_is_not_left_behind(
    database: Database, acme: TestTenant, zeta: TestTenant
) -> None:
    takes(database, TASK, 60)
    backlog(acme, 3)
    dispatch_all(batch_limit=2)
    with platform_connection(Role.OPERATOR) as connection:
        pause_tenant(connection, "acme", reason=None)
        # What was taken back is given back, and the clock goes on.
        dispatch_all()
        dispatch_all()
        resume_tenant(connection, "acme")

    assert shares(dispatch_all()) == {"acme": 3}


def test_what_a_tenant_had_while_another_wanted_it_is_one(
    database: Database, acme: TestTenant, zeta: TestTenant
) -> None:
    backlog(acme, 6)
    backlog(zeta, 20)
    finish_all(dispatch_all(batch_limit=2), of=zeta)
    database.do("update partywall.jobs set started_at = now() - interval '1 hour' where state = 'running'")

    assert shares(dispatch_all(batch_limit=8)) == {"zeta": 8}


def test_what_was_handed_back_teaches_nothing(database: Database, acme: TestTenant) -> None:
    takes(database, SHORT, 0.001)
    backlog(acme, 3, task_name=SHORT)
    sent = dispatch_all(bundle_limit=3, bundle_seconds=0.02)
    finish_all(sent)
    database.do("update partywall.attempts set started_at = now() - interval '1 hour', ended_at = now()")
    database.do(
        "update partywall.attempts set outcome = 'handed_back', ended_at = ended_at + interval '1 second'"
        " where job_id <> :first",
        first=sent[0].job_id,
    )
    database.do("delete from partywall_private.run_times")
    dispatch_all()

    assert database.ask("select seconds, samples from partywall_private.run_times where tenant_id is null") == [
        (3600.0, 1)
    ]


def test_lanes_that_have_become_one_settle_what_each_was_charged(database: Database, acme: TestTenant) -> None:
    enqueue_one(acme, queue="b")
    finish_all(dispatch_all("b"))
    dispatch_all("a", "b")

    assert database.ask("select count(*) from partywall_private.charges") == [(0,)]


def test_without_what_an_unlogged_table_lost_estimates_stand(
    database: Database, acme: TestTenant, zeta: TestTenant
) -> None:
    backlog(acme, 10)
    backlog(zeta, 10)
    first = dispatch_all(batch_limit=4)
    database.do("truncate partywall_private.charges")
    finish_all(first)

    assert shares(dispatch_all(batch_limit=4)) == {"acme": 2, "zeta": 2}


def test_a_job_that_somebody_has_locked_holds_up_no_other_and_is_not_forgotten(
    database: Database, acme: TestTenant
) -> None:
    locked, free = enqueue_one(acme), enqueue_one(acme)
    with psycopg.connect(database.admin_url) as elsewhere:
        elsewhere.execute("select from partywall.jobs where id = %s for update", (locked,))
        assert [message.job_id for message in dispatch_all()] == [free]

    assert [message.job_id for message in dispatch_all(arrivals=[])] == [locked]


def test_a_notification_leads_to_its_tenant(heard: Callable[[], list[str]], acme: TestTenant, zeta: TestTenant) -> None:
    mine = enqueue_one(acme)
    notifications = heard()
    enqueue_one(zeta)

    assert dispatch_all(arrivals=[]) == []
    assert [message.job_id for message in dispatch_all(arrivals=notifications)] == [mine]
    assert shares(dispatch_all(arrivals=None)) == {"zeta": 1}


@pytest.mark.parametrize("forged", ["", "acme", "0" * 64, "f" * 63, "0" * 10_000, "'; drop table x; --"])
def test_a_forged_notification_leads_nowhere(forged: str, acme: TestTenant) -> None:
    enqueue_one(acme)

    assert dispatch_all(arrivals=[forged]) == []


def test_what_becomes_due_is_found_without_a_notification(database: Database, acme: TestTenant) -> None:
    job_id = enqueue_one(acme)
    database.do("update partywall.jobs set state = 'scheduled'")

    assert [message.job_id for message in dispatch_all(arrivals=[])] == [job_id]


@pytest.mark.parametrize(("bundle_limit", "batch_limit"), [(1, 7), (10, 7), (50, 40), (50, 1)])
def test_of_many_tenants_and_tasks_none_is_forgotten_and_none_comes_twice(
    bundle_limit: int, batch_limit: int, database: Database, new_tenant: Callable[[str], TestTenant]
) -> None:
    takes(database, SHORT, 0.002)
    tenants = [new_tenant(f"tenant-{number}") for number in range(12)]
    database.do("""
        insert into partywall.jobs (tenant_id, task_name, queue, state, priority, max_attempts, run_at, payload)
        select tenants.id, task, 'default', 'queued', number % 3, 1, now(), '{}'
        from partywall.tenants
        cross join unnest(array['notes.short', 'notes.long', 'notes.write']) as task
        cross join generate_series(1, 4) as number
    """)

    sent = dispatch_all(batch_limit=batch_limit, bundle_limit=bundle_limit, bundle_seconds=0.02)
    while more := dispatch_all(arrivals=[], batch_limit=batch_limit, bundle_limit=bundle_limit, bundle_seconds=0.02):
        sent += more

    assert len(sent) == len({message.job_id for message in sent}) == len(tenants) * 12
    assert dispatch_all(arrivals=[]) == []
    assert database.ask("select count(*) from partywall_private.turns where waiting") == [(0,)]

"""The broker falls silent, forgets, is full: jobs wait and run, each with one effect."""

from pathlib import Path
from uuid import UUID

import pytest

from bench.chaos.black_hole import BlackHole
from bench.chaos.brokers import AnyBroker, lists_of
from tests.api.server import serving
from tests.databases import TestTenant
from tests.db.notes import rows_of
from tests.faults.conftest import Busy, See
from tests.faults.filling import full
from tests.faults.quiet import quiet_afterwards
from tests.faults.replica import replica_of
from tests.servers.brokers import QUEUE
from tests.site import Site
from tests.waiting import wait_until

pytestmark = pytest.mark.delivery

JOBS = 6


def enqueue(system: Site, tenant: TestTenant) -> list[UUID]:
    return [system.enqueue(tenant, "faults.writes") for _ in range(JOBS)]


def at_the_broker(system: Site, tenant: TestTenant, broker: AnyBroker) -> list[UUID]:
    """Return jobs whose messages wait at the broker, because every slot is taken."""
    before = broker.waiting(QUEUE)
    jobs = enqueue(system, tenant)
    wait_until(lambda: broker.waiting(QUEUE) >= before + JOBS, timeout_seconds=20, what="messages wait")
    return jobs


def assert_each_ran_once(system: Site, tenant: TestTenant, jobs: list[UUID], *, kept: int) -> None:
    ended = [system.wait(tenant, job_id, timeout_seconds=60) for job_id in jobs]

    assert {(job.state, job.attempt) for job in ended} == {("succeeded", 1)}
    assert len(rows_of(tenant)) == kept + len(jobs)


def test_what_an_emptied_broker_held_is_sent_again(
    system: Site, tenant: TestTenant, broker: AnyBroker, busy: Busy
) -> None:
    kept = len(rows_of(tenant))
    with busy() as running:
        waiting = at_the_broker(system, tenant, broker)
        broker.empty()

    assert_each_ran_once(system, tenant, running + waiting, kept=kept)


def test_what_a_restarted_broker_forgot_is_sent_again(
    system: Site, tenant: TestTenant, broker: AnyBroker, busy: Busy, see: See
) -> None:
    kept = len(rows_of(tenant))
    with busy() as running:
        waiting = at_the_broker(system, tenant, broker)
        with system.without_broker():
            waiting += enqueue(system, tenant)
            see("The broker is away")

    assert_each_ran_once(system, tenant, running + waiting, kept=kept)
    see("The broker is killed and comes back with nothing")


def test_jobs_are_accepted_over_http_while_the_broker_is_full(
    system: Site, tenant: TestTenant, broker: AnyBroker, see: See
) -> None:
    kept = len(rows_of(tenant))
    with (
        serving(system.environment, system.directory) as api,
        api.client(tenant.key.spell()) as http,
        full(broker),
    ):
        answers = [http.post("/v1/jobs", json={"task": "faults.writes", "payload": {}}) for _ in range(JOBS)]
        see("The broker is full")
        states = {http.get(f"/v1/jobs/{answer.json()['id']}").json()["state"] for answer in answers}

    assert {answer.status_code for answer in answers} == {202}
    assert states <= {"queued", "dispatched"}
    assert_each_ran_once(system, tenant, [UUID(answer.json()["id"]) for answer in answers], kept=kept)


def test_what_was_sent_into_silence_runs_when_it_is_over(system: Site, tenant: TestTenant, line: BlackHole) -> None:
    kept = len(rows_of(tenant))
    line.fall_silent()
    try:
        jobs = enqueue(system, tenant)
        states = "select distinct state from partywall.jobs where id = any(:jobs)"
        wait_until(lambda: system.database.ask(states, jobs=jobs) != [("queued",)], timeout_seconds=20)
    finally:
        line.speak()

    assert_each_ran_once(system, tenant, jobs, kept=kept)


@pytest.mark.of_redis
def test_what_the_promoted_replica_never_got_is_sent_again(
    system: Site, tenant: TestTenant, broker: AnyBroker, line: BlackHole, busy: Busy, tmp_path: Path
) -> None:
    kept = len(rows_of(tenant))
    with replica_of(broker, tmp_path) as (url, replica):
        with busy() as running:
            replicated = at_the_broker(system, tenant, broker)
            wait_until(lambda: sum(replica.llen(each) for each in lists_of(QUEUE)) > 0, timeout_seconds=10)
            replica.replicaof("NO", "ONE")
            acknowledged_only = at_the_broker(system, tenant, broker)
            line.lead_to(url)

        assert_each_ran_once(system, tenant, running + replicated + acknowledged_only, kept=kept)
        assert broker.waiting(QUEUE) >= len(acknowledged_only)
        line.lead_to(broker.url)


@pytest.mark.storm
def test_connections_that_nobody_answers_any_more_are_given_up(
    system: Site, tenant: TestTenant, broker: AnyBroker, line: BlackHole, see: See
) -> None:
    with quiet_afterwards(broker):
        system.run(tenant, "faults.writes")  # by connections that are there from now on
    kept = len(rows_of(tenant))
    line.strand()

    assert_each_ran_once(system, tenant, enqueue(system, tenant), kept=kept)
    see("The broker falls silent")

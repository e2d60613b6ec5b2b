"""Ending an attempt in the name of a process that cannot: who may, what is noted, and which ends count."""

from uuid import UUID, uuid4

import pytest

from db import attempts
from db.attempts import Attempt, Outcome, WorkerIdentity
from db.dispatching import Dispatched
from db.errors import LeaseLostError
from db.jobs import AttemptRow, JobState, list_attempts
from db.roles import Role
from db.session import platform_connection, tenant_session
from tests.databases import Database, TestTenant
from tests.db.work import (
    TESTS,
    WRITE,
    body_of,
    claim_of,
    dispatch_all,
    effects,
    enqueue_one,
    expire,
    job_of,
    start_again,
    start_one,
    take_away,
)


def end(
    *messages: Dispatched,
    outcome: Outcome = Outcome.KILLED,
    nonce: UUID | None = None,
    worker: WorkerIdentity = TESTS,
    tenant: TestTenant | None = None,
) -> dict[UUID, JobState]:
    """End what the messages started, as the main process of the worker that got them."""
    with platform_connection(Role.WORKER) as connection:
        return attempts.end_attempts(
            connection,
            tenant_id=messages[0].tenant_id if tenant is None else tenant.id,
            job_ids=[message.job_id for message in messages],
            nonce=messages[0].nonce if nonce is None else nonce,
            worker=worker.name,
            outcome=outcome,
        )


def started(tenant: TestTenant, *, max_attempts: int = 9) -> tuple[Dispatched, Attempt]:
    enqueue_one(tenant, max_attempts=max_attempts)
    return again()


def again() -> tuple[Dispatched, Attempt]:
    (message,) = dispatch_all()
    (attempt,) = claim_of(message)
    return message, attempt


def ended(tenant: TestTenant, job_id: UUID) -> list[AttemptRow]:
    with tenant_session(tenant.context, role=Role.API) as session:
        rows = list(list_attempts(session, job_id, limit=9))
        session.expunge_all()
        return rows


def no_pause(database: Database) -> None:
    database.do("update partywall.jobs set run_at = now() where state in ('scheduled', 'queued')")


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome.KILLED, "WorkerKilled"),
        (Outcome.TIMED_OUT, "TimeLimitExceeded"),
        (Outcome.HANDED_BACK, None),
    ],
)
def test_the_job_waits_again_and_the_attempt_is_noted(outcome: Outcome, kind: str | None, acme: TestTenant) -> None:
    message, attempt = started(acme)
    state = "queued" if outcome is Outcome.HANDED_BACK else "scheduled"

    assert end(message, outcome=outcome) == {attempt.job_id: state}
    job = job_of(acme, attempt.job_id)
    (row,) = ended(acme, attempt.job_id)
    assert (job.state, job.attempt, job.lease_expires_at) == (state, 1, None)
    assert (row.attempt, row.outcome, row.worker, row.worker_id) == (1, outcome, TESTS.name, TESTS.id)
    assert row.started_at == job.started_at
    assert row.started_at <= row.ended_at
    assert (row.error and row.error["type"]) == kind
    assert (job.error and job.error["type"]) == kind


def test_whoever_does_not_know_the_nonce_and_the_claimer_ends_nothing(acme: TestTenant, zeta: TestTenant) -> None:
    message, attempt = started(acme)

    assert end(message, nonce=uuid4()) == {}
    assert end(message, worker=WorkerIdentity(TESTS.id, "tests@here/2")) == {}
    assert end(message, tenant=zeta) == {}
    assert end(message, outcome=Outcome.SUCCEEDED) == {}
    assert end(message, outcome=Outcome.LOST) == {}
    assert job_of(acme, attempt.job_id).state == "running"
    assert ended(acme, attempt.job_id) == []


def test_the_process_that_got_the_message_twice_cannot_end_the_attempt_of_the_one_that_claimed(
    acme: TestTenant,
) -> None:
    """The broker delivered one message to two workers. The second claims nothing; then it is killed."""
    message, attempt = started(acme)
    second = WorkerIdentity(uuid4(), "tests@elsewhere/1")

    assert claim_of(message, worker=second) == []
    assert end(message, worker=second) == {}
    assert job_of(acme, attempt.job_id).state == "running"


def test_an_attempt_ends_once(acme: TestTenant) -> None:
    message, attempt = started(acme)

    assert [len(end(message)) for _ in range(2)] == [1, 0]
    assert [row.attempt for row in ended(acme, attempt.job_id)] == [1]


def test_the_attempt_after_it_is_not_ended_with_it(database: Database, acme: TestTenant) -> None:
    message, attempt = started(acme)
    take_away(database, attempt)
    second = start_again(database)

    assert end(message) == {}
    assert (job_of(acme, attempt.job_id).state, second.number) == ("running", 2)


def test_of_a_bundle_only_what_still_runs_is_ended(database: Database, acme: TestTenant) -> None:
    for _ in range(3):
        enqueue_one(acme)
    messages = dispatch_all()
    nonce = uuid4()
    database.do("update partywall.jobs set dispatch_nonce = :nonce", nonce=nonce)
    for place, message in enumerate(messages):
        database.do("update partywall.jobs set bundle_place = :place where id = :id", place=place, id=message.job_id)
    bundle = [Dispatched(m.tenant_id, m.tenant_slug, m.job_id, m.task_name, m.queue, nonce) for m in messages]
    first, *others = [claim_of(message)[0] for message in bundle]
    with body_of(first) as connection:
        attempts.finish(connection, result=None)

    running, waiting = others
    assert end(*bundle) == {running.job_id: "scheduled", waiting.job_id: "queued"}


def test_what_the_ended_process_still_wanted_to_commit_is_not_kept(database: Database, acme: TestTenant) -> None:
    message, attempt = started(acme)
    with body_of(attempt) as connection:
        connection.execute(WRITE)
        end(message, outcome=Outcome.TIMED_OUT)

        with pytest.raises(LeaseLostError):
            attempts.finish(connection, result=None)

    assert effects(database) == 0


@pytest.mark.parametrize("outcome", [Outcome.KILLED, Outcome.TIMED_OUT])
def test_the_last_try_ends_the_job(outcome: Outcome, acme: TestTenant) -> None:
    message, attempt = started(acme, max_attempts=1)

    assert end(message, outcome=outcome) == {attempt.job_id: "failed"}
    assert job_of(acme, attempt.job_id).finished_at is not None


def test_what_is_handed_back_does_not_count_and_waits_for_nothing(database: Database, acme: TestTenant) -> None:
    message, attempt = started(acme, max_attempts=1)
    for _ in range(4):
        assert end(message, outcome=Outcome.HANDED_BACK) == {attempt.job_id: "queued"}
        message, attempt = again()

    job = job_of(acme, attempt.job_id)
    assert (attempt.number, job.handed_back, job.lost, job.error) == (5, 4, 0, None)
    assert end(message) == {attempt.job_id: "failed"}
    assert [row.outcome for row in ended(acme, attempt.job_id)] == ["handed_back"] * 4 + ["killed"]


def test_what_is_handed_back_is_before_what_came_after_it(acme: TestTenant) -> None:
    first, second = enqueue_one(acme), enqueue_one(acme)
    (message,) = dispatch_all(batch_limit=1)
    claim_of(message)
    end(message, outcome=Outcome.HANDED_BACK)

    assert message.job_id == first
    assert [message.job_id for message in dispatch_all()] == [first, second]


def test_handing_back_keeps_what_the_try_before_it_said(database: Database, acme: TestTenant) -> None:
    message, attempt = started(acme)
    end(message)
    no_pause(database)
    message, _ = again()
    end(message, outcome=Outcome.HANDED_BACK)

    error = job_of(acme, attempt.job_id).error
    assert error is not None
    assert error["type"] == "WorkerKilled"


def test_what_killed_every_worker_it_met_does_not_meet_the_next_one(database: Database, acme: TestTenant) -> None:
    message, attempt = started(acme, max_attempts=9)
    end(message)
    no_pause(database)
    again()
    database.do("update partywall.jobs set lease_expires_at = now()")
    expire()
    no_pause(database)
    message, _ = again()

    assert end(message) == {attempt.job_id: "failed"}
    job = job_of(acme, attempt.job_id)
    assert (job.attempt, job.max_attempts, job.lost) == (3, 9, 3)
    assert job.error == {
        "type": "WorkerLostTooOften",
        "message": "3 attempts lost their worker. The last: the process that ran it was killed",
    }
    assert [row.outcome for row in ended(acme, attempt.job_id)] == ["killed", "lost", "killed"]


def test_only_losses_count_as_losses(database: Database, acme: TestTenant) -> None:
    message, attempt = started(acme)
    for outcome, state in ((Outcome.TIMED_OUT, "scheduled"), (Outcome.HANDED_BACK, "queued")) * 2:
        assert end(message, outcome=outcome) == {attempt.job_id: state}
        no_pause(database)
        message, _ = again()

    assert job_of(acme, attempt.job_id).lost == 0


def test_another_tenant_does_not_see_how_an_attempt_ended(acme: TestTenant, zeta: TestTenant) -> None:
    message, attempt = started(acme)
    end(message)

    assert len(ended(acme, attempt.job_id)) == 1
    assert ended(zeta, attempt.job_id) == []


def test_a_success_is_noted_like_every_other_end(acme: TestTenant) -> None:
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        attempts.finish(connection, result=None)

    (row,) = ended(acme, attempt.job_id)
    job = job_of(acme, attempt.job_id)
    assert (row.outcome, row.worker_id, row.error) == ("succeeded", TESTS.id, None)
    assert (row.started_at, row.ended_at) == (job.started_at, job.finished_at)

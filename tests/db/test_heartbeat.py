"""The heartbeat: it extends what its tokens hold and nothing else, and tells what is no longer held."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from db import attempts, steering, workers
from db.attempts import Attempt, WorkerIdentity
from db.context import TenantContext
from db.jobs import JobState
from db.roles import Role
from db.session import platform_connection, tenant_session
from tests.databases import Database, TestTenant
from tests.db.work import TESTS, body_of, expire, job_of, start_again, start_one, take_away


def beat(*held: TenantContext, lease_seconds: float = 600) -> dict[TenantContext, JobState | None]:
    with platform_connection(Role.WORKER) as connection:
        return workers.heartbeat(connection, TESTS, held, lease_seconds=lease_seconds)


def leases(database: Database) -> dict[UUID, datetime]:
    return dict(database.ask("select id, lease_expires_at from partywall.jobs"))  # type: ignore[arg-type]


def extended(database: Database, before: dict[UUID, datetime]) -> set[UUID]:
    return {job_id for job_id, until in leases(database).items() if until != before[job_id]}


def contexts(running: Sequence[Attempt]) -> list[TenantContext]:
    return [attempt.context for attempt in running]


def minted(database: Database, tenant: TestTenant, subject: str, lifetime: str = "1 hour") -> TenantContext:
    """Return a token that no function would mint."""
    mint = "select partywall_private.mint(:tenant, :subject, cast(:lifetime as interval))"
    ((token,),) = database.ask(mint, tenant=tenant.id, subject=subject, lifetime=lifetime)
    return TenantContext.of(str(token))


def test_it_extends_what_it_holds_and_nothing_else(database: Database, acme: TestTenant, zeta: TestTenant) -> None:
    mine, theirs, other = start_one(acme), start_one(zeta), start_one(acme)
    before = leases(database)

    assert beat(mine.context, theirs.context) == {}
    assert extended(database, before) == {mine.job_id, theirs.job_id}
    assert leases(database)[other.job_id] == other.lease_expires_at


def test_one_statement_extends_many(database: Database, acme: TestTenant, sent: list[object]) -> None:
    running = [start_one(acme) for _ in range(30)]
    before = leases(database)
    sent.clear()

    assert beat(*contexts(running)) == {}
    assert len(sent) == 1
    assert len(extended(database, before)) == 30


def test_a_lease_of_which_little_is_used_up_is_not_written_again(database: Database, acme: TestTenant) -> None:
    """A heartbeat every few seconds would otherwise be a dead row each."""
    attempt = start_one(acme, lease_seconds=60)
    before = leases(database)

    assert beat(attempt.context, lease_seconds=60) == {}
    assert extended(database, before) == set()


def test_a_lease_that_ran_out_is_extended_as_long_as_nobody_took_the_job(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme)
    database.do("update partywall.jobs set lease_expires_at = now() - interval '1 second'")

    assert beat(attempt.context) == {}
    assert expire() == []


def test_it_tells_where_a_job_is_that_was_taken_away(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme)
    take_away(database, attempt)
    assert beat(attempt.context) == {attempt.context: "scheduled"}

    second = start_again(database)
    before = leases(database)

    # Running, but not by this attempt.
    assert beat(attempt.context) == {attempt.context: "running"}
    assert extended(database, before) == set()
    assert beat(second.context) == {}


def test_it_tells_cancelled_from_finished_from_gone(database: Database, acme: TestTenant) -> None:
    cancelled, finished, gone, held = (start_one(acme) for _ in range(4))
    with tenant_session(acme.context, role=Role.API) as session:
        steering.cancel_job(session, cancelled.job_id, reason=None)
    with body_of(finished) as connection:
        attempts.finish(connection, result=None)
    database.do("delete from partywall.jobs where id = :id", id=gone.job_id)

    assert beat(*contexts([held, cancelled, gone, finished])) == {
        cancelled.context: "cancelled",
        finished.context: "succeeded",
        gone.context: None,
    }


def test_another_tenants_token_for_the_same_job_extends_nothing(
    database: Database, acme: TestTenant, zeta: TestTenant
) -> None:
    attempt = start_one(acme)
    theirs = minted(database, zeta, f"job/{attempt.job_id}/1")
    before = leases(database)

    assert beat(theirs) == {theirs: None}
    assert extended(database, before) == set()


def test_a_forged_token_extends_nothing_and_hinders_none_of_the_others(database: Database, acme: TestTenant) -> None:
    attempt, other = start_one(acme), start_one(acme)
    head, mac = attempt.context.token.rsplit(".", 1)
    forged = TenantContext.of(f"{head}.{mac[::-1]}")
    before = leases(database)

    assert beat(forged, other.context) == {forged: None}
    assert extended(database, before) == {other.job_id}


def test_a_token_past_its_lifetime_extends_nothing(database: Database, acme: TestTenant) -> None:
    """However often its lease was extended: an attempt that may last no longer ends."""
    attempt = start_one(acme)
    expired = minted(database, acme, f"job/{attempt.job_id}/1", lifetime="-1 second")
    before = leases(database)

    assert beat(expired) == {expired: None}
    assert extended(database, before) == set()


@pytest.mark.parametrize("subject", ["operator/someone", "key/e74db6", "call/not-a-uuid/2f1a"])
def test_a_token_that_is_no_attempts_extends_nothing_and_hinders_none_of_the_others(
    subject: str, database: Database, acme: TestTenant
) -> None:
    attempt = start_one(acme)
    other = minted(database, acme, subject)
    before = leases(database)

    assert beat(other, attempt.context) == {other: None}
    assert extended(database, before) == {attempt.job_id}


def test_a_row_that_somebody_has_locked_is_left_to_the_next_heartbeat(database: Database, acme: TestTenant) -> None:
    """Waiting for it would let the leases of all the others run out."""
    committing, other = start_one(acme), start_one(acme)
    before = leases(database)
    with body_of(committing) as connection:
        connection.execute(text("select partywall.hold_lease()"))

        assert beat(committing.context, other.context) == {}
        assert extended(database, before) == {other.job_id}

    assert beat(committing.context) == {}
    assert extended(database, before) == {committing.job_id, other.job_id}


def test_a_process_that_is_not_listed_extends_what_it_holds_all_the_same(database: Database, acme: TestTenant) -> None:
    """The list is for people. It was emptied, perhaps, while the process could not reach the database."""
    attempt = start_one(acme)
    before = leases(database)
    with platform_connection(Role.WORKER) as connection:
        workers.heartbeat(connection, WorkerIdentity(uuid4(), "new@here/1"), [attempt.context], lease_seconds=600)

    assert extended(database, before) == {attempt.job_id}
    assert job_of(acme, attempt.job_id).state == "running"


def test_a_process_of_the_version_before_extends_what_it_holds(database: Database, acme: TestTenant) -> None:
    """It sends no secret, and works on until it is replaced."""
    attempt = start_one(acme)
    before = leases(database)
    with platform_connection(Role.WORKER) as connection:
        connection.execute(
            text("select * from partywall.heartbeat(:worker, array[:token], make_interval(secs => 600))"),
            {"worker": TESTS.id, "token": attempt.context.token},
        )
        connection.commit()

    assert extended(database, before) == {attempt.job_id}

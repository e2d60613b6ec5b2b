"""Jobs of two tenants, and all that may happen to them, in any order, compared with a model after every step.

The clock is virtual: time passes by moving every moment in the database back. Its steps are multiples of 25 seconds and
no span is, so what is past and what is to come differ by more than an example takes.
"""

from contextlib import suppress
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule
from sqlalchemy import text

from db import accepting, attempts, dispatching, jobs, steering, workers
from db.accepting import Wishes
from db.attempts import Outcome
from db.dispatching import Dispatched
from db.errors import JobOverError, LeaseLostError
from db.roles import Role
from db.session import platform_connection, tenant_session
from tests.databases import TestTenant
from tests.db.lifecycle_model import LEASE_SECONDS, LIVE_UNCLAIMED, MAX_ATTEMPTS, MAX_LOST, OVER, Held, ModelJob
from tests.db.work import TASK, TESTS, body_of, claim_of, dispatch_all, expire

EFFECT = text("insert into app.notes (body) values (:job_id)")
LONG = 86_400
PAUSE = 35
PATIENCE = 110
MOST_JOBS = 3

_PASS = """
    update partywall.jobs
    set run_at = run_at - %(passed)s,
        expires_at = expires_at - %(passed)s,
        lease_expires_at = lease_expires_at - %(passed)s,
        dispatched_at = dispatched_at - %(passed)s
"""
_LOOK = """
    select
        jobs.id, jobs.state, jobs.attempt, jobs.handed_back, jobs.lost,
        array(
            select attempts.attempt || ' ' || attempts.outcome
            from partywall.attempts as attempts
            where attempts.job_id = jobs.id and attempts.tenant_id = jobs.tenant_id
            order by attempts.ended_at, attempts.attempt
        ),
        array(select notes.tenant_id = jobs.tenant_id from app.notes as notes where notes.body = jobs.id::text)
    from partywall.jobs as jobs
"""


class Lifecycle(RuleBasedStateMachine):
    """Processes that come and go, zombies among them, and a reaper and a dispatcher that come when they like."""

    admin: ClassVar[psycopg.Connection[Any]]
    tenants: ClassVar[tuple[TestTenant, TestTenant]]

    accepted = Bundle("accepted")
    messages = Bundle("messages")
    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.jobs: dict[UUID, ModelJob] = {}
        self.admin.execute("delete from app.notes")
        self.admin.execute("delete from partywall.jobs")

    @initialize(target=accepted)
    def begin(self) -> Any:
        return multiple(*(self._enqueue(tenant, delay=0, hurry=False) for tenant in (0, 1)))

    # Few jobs, to each of which much happens.
    @precondition(lambda self: len(self.jobs) < MOST_JOBS)
    @rule(target=accepted, tenant=st.integers(0, 1), delay=st.sampled_from([0, PAUSE]), hurry=st.booleans())
    def enqueue(self, tenant: int, delay: int, hurry: bool) -> ModelJob:
        return self._enqueue(tenant, delay=delay, hurry=hurry)

    def _enqueue(self, tenant: int, *, delay: int, hurry: bool) -> ModelJob:
        ((now,),) = self.admin.execute("select now()")
        run_at = now + timedelta(seconds=delay) if delay else None
        expires_at = now + timedelta(seconds=PATIENCE) if hurry else None
        with tenant_session(self.tenants[tenant].context, role=Role.API) as session:
            job_id = accepting.accept(
                session,
                task_name=TASK,
                payload={},
                queue="default",
                max_attempts=MAX_ATTEMPTS,
                max_lost=MAX_LOST,
                wishes=Wishes(run_at=run_at, expires_at=expires_at),
            ).job_id
        state = "scheduled" if delay else "queued"
        job = ModelJob(tenant, job_id, state, self.now + delay, self.now + PATIENCE if hurry else None)
        self.jobs[job_id] = job
        return job

    @rule(target=held)
    def start(self) -> Any:
        """The usual way: whatever is ready is sent, and what is sent is claimed at once."""
        return multiple(*(held for message in self._dispatch() for held in self._claim(message)))

    @rule(target=messages)
    def dispatch(self) -> Any:
        return multiple(*self._dispatch())

    def _dispatch(self) -> list[Dispatched]:
        """What was sent long ago may be sent again, with the nonce it had."""
        due = {
            job.id
            for job in self.jobs.values()
            if job.state in ("scheduled", "queued") and job.run_at <= self.now and not job.is_late(self.now)
        }
        # In an order that does not hang on measured run times: an example has to be the same when it is played again.
        sent = sorted(dispatch_all(), key=lambda message: message.job_id)
        for message in sent:
            job = self.jobs[message.job_id]
            if job.state == "dispatched":
                assert message.nonce == job.nonce
            else:
                due.remove(job.id)
                job.state, job.nonce = "dispatched", message.nonce
            assert message.tenant_id == self.tenants[job.tenant].id
        assert due == set()
        return sent

    @rule(message=messages)
    def undo_dispatch(self, message: Dispatched) -> None:
        with platform_connection(Role.DISPATCHER) as connection:
            undone = dispatching.undo_dispatch(connection, [message.nonce])
        job = self.jobs[message.job_id]
        assert undone == (job.state == "dispatched" and job.nonce == message.nonce)
        if undone:
            job.state, job.nonce = "queued", None

    @rule(target=held, message=messages)
    def claim(self, message: Dispatched) -> Any:
        return multiple(*self._claim(message))

    @rule(mine=held)
    def claim_twice(self, mine: Held) -> None:
        """The broker may deliver a message again, at any time."""
        assert self._claim(mine.message) == []

    def _claim(self, message: Dispatched) -> list[Held]:
        job = self.jobs[message.job_id]
        claimed = claim_of(message, lease_seconds=LEASE_SECONDS, lifetime_seconds=LONG)
        may = job.state == "dispatched" and job.nonce == message.nonce and not job.is_late(self.now)
        assert len(claimed) == may
        if may:
            job.start(self.now)
            assert claimed[0].number == job.attempt
        return [Held(job, message, attempt) for attempt in claimed]

    @rule(steps=st.integers(1, 4))
    def pass_time(self, steps: int) -> None:
        self.now += 25 * steps
        self.admin.execute(_PASS, {"passed": timedelta(seconds=25 * steps)})

    @rule(mine=held, others=held)
    def heartbeat(self, mine: Held, others: Held) -> None:
        both = {held.attempt.context: held for held in (mine, others)}
        with platform_connection(Role.WORKER) as connection:
            told = workers.heartbeat(connection, TESTS, list(both), lease_seconds=LEASE_SECONDS)
        assert told == {context: held.job.state for context, held in both.items() if not held.holds}
        for held in both.values():
            if held.holds and held.job.lease_until < self.now + LEASE_SECONDS * 2 / 3:
                held.job.lease_until = self.now + LEASE_SECONDS

    @rule(mine=held)
    def finish(self, mine: Held) -> None:
        """With an effect. So does a zombie, which is refused and leaves none."""
        holds, refused = mine.holds, False
        with body_of(mine.attempt) as connection:
            connection.execute(EFFECT, {"job_id": str(mine.job.id)})
            try:
                attempts.finish(connection, result=None)
            except LeaseLostError:
                refused = True
        assert refused != holds
        if holds:
            mine.job.succeed()

    @rule(mine=held, outcome=st.sampled_from(["failed", "failed", "timed_out", "cancelled"]), again=st.booleans())
    def fail(self, mine: Held, outcome: str, again: bool) -> None:
        holds, state = mine.holds, None
        pause = PAUSE if again else None
        with body_of(mine.attempt) as connection, suppress(LeaseLostError):
            state = attempts.fail(connection, error={}, retry_after_seconds=pause, outcome=Outcome(outcome))
        assert (state is not None) == holds
        if holds:
            mine.job.end(outcome, self.now, retry_after=pause)
            assert state == mine.job.state

    @rule(mine=held, outcome=st.sampled_from([Outcome.KILLED, Outcome.TIMED_OUT, Outcome.HANDED_BACK]))
    def end_attempts(self, mine: Held, outcome: Outcome) -> None:
        # Before a message was claimed twice its nonce was gone, so it stands for one attempt.
        with platform_connection(Role.WORKER) as connection:
            ended = attempts.end_attempts(
                connection,
                tenant_id=mine.message.tenant_id,
                job_ids=[mine.job.id],
                nonce=mine.message.nonce,
                worker=TESTS.name,
                outcome=outcome,
            )
        if mine.holds:
            mine.job.end(outcome, self.now, retry_after=0 if outcome is Outcome.HANDED_BACK else 1)
            self._skip_pauses([mine.job])
            assert ended == {mine.job.id: mine.job.state}
        else:
            assert ended == {}

    @rule()
    def expire_leases(self) -> None:
        late = [job for job in self.jobs.values() if job.state == "running" and job.lease_until <= self.now]
        for job in late:
            job.end("lost", self.now, retry_after=1)
        assert {each.job_id: each.state for each in expire()} == {job.id: job.state for job in late}
        self._skip_pauses(late)

    @rule()
    def expire_jobs(self) -> None:
        late = [job for job in self.jobs.values() if job.state in LIVE_UNCLAIMED and job.is_late(self.now)]
        with platform_connection(Role.DISPATCHER) as connection:
            assert dispatching.expire_jobs(connection, limit=100) == len(late)
        for job in late:
            job.state, job.nonce = "expired", None

    # Not often: what it ends has to be retried before anything else can happen to it.
    @precondition(lambda self: len(self.jobs) == MOST_JOBS)
    @rule(job=accepted)
    def cancel(self, job: ModelJob) -> None:
        with tenant_session(self.tenants[job.tenant].context, role=Role.API) as session:
            try:
                before = steering.cancel_job(session, job.id, reason=None)
            except JobOverError:
                before = None
        if job.state in OVER:
            assert before == ("cancelled" if job.state == "cancelled" else None)
        else:
            assert before == job.state
            job.cancel()

    @rule(job=accepted)
    def retry(self, job: ModelJob) -> None:
        try:
            with tenant_session(self.tenants[job.tenant].context, role=Role.API) as session:
                steering.retry_job(session, job.id)
        except JobOverError:
            assert job.state not in ("failed", "cancelled", "expired")
        else:
            assert job.state in ("failed", "cancelled", "expired")
            job.retry(self.now)

    @rule(target=held)
    def stall(self) -> Any:
        """Every process stands still past its lease, and others take over. Those that stood still are zombies now."""
        self.pass_time(steps=3)
        self.expire_leases()
        return multiple(*(held for message in self._dispatch() for held in self._claim(message)))

    @rule(tenant=st.integers(0, 1))
    def look(self, tenant: int) -> None:
        """A tenant sees its own jobs, all of them, and no other."""
        with tenant_session(self.tenants[tenant].context, role=Role.API) as session:
            seen = {job.id: job.state for job in jobs.list_jobs(session, limit=1000)}
        assert seen == {job.id: job.state for job in self.jobs.values() if job.tenant == tenant}

    @invariant()
    def the_database_is_as_the_model_says(self) -> None:
        found = {row[0]: row[1:] for row in self.admin.execute(_LOOK)}
        assert found == {
            job.id: (
                job.state,
                job.attempt,
                job.handed_back,
                job.lost,
                # One row for each attempt that ended, by number: there is no second one that could be running.
                [f"{number} {outcome}" for number, outcome in job.ended],
                # Its one effect, in its tenant.
                [True] if job.state == "succeeded" else [],
            )
            for job in self.jobs.values()
        }
        for job in self.jobs.values():
            assert [number for number, _ in job.ended] == list(range(1, job.attempt + (job.state != "running")))

    def _skip_pauses(self, ended: list[ModelJob]) -> None:
        """The pause is drawn by lot. That it is one is tested elsewhere."""
        self.admin.execute("update partywall.jobs set run_at = now() where id = any(%s)", ([job.id for job in ended],))
        for job in ended:
            job.run_at = self.now

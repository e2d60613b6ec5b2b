"""Running one job at a time for one of two tenants, and gathering what is to be seen of it."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from db import accepting
from db.errors import PartywallError
from db.jobs import JobRow
from db.roles import Role
from db.seeding import Unseeded
from db.session import tenant_session
from db.snapshots import Snapshot
from tasks import registry
from tasks.declaration import TaskDeclaration
from tasks.proof import look
from tasks.proof.evidence import Evidence
from tasks.proof.marks import PREFIX, ids_in
from tasks.proof.payloads import spellings, with_marks
from tasks.proof.postgres_line import PostgresLine
from tasks.proof.processes import NotInTimeError, wait_until
from tasks.proof.site import ProofSite
from tasks.proof.tenants import ProofTenant
from tasks.proof.watch import Heard, own_lines

GRACE_SECONDS = 30.0
"""How much longer than its time limit a job may take to be over."""
CHILDREN_SECONDS = 10.0
CLOSING_SECONDS = 1.0

Pair = tuple[ProofTenant, ProofTenant]


class ArrangementFailedError(PartywallError):
    """The example could not arrange what it needs."""


class OtherWorkerError(PartywallError):
    """A worker that is not the proof's took its job."""


class LookFailedError(PartywallError):
    """The connection could not be looked at."""


class Runner:
    """Runs jobs at a site for a pair of tenants."""

    def __init__(self, site: ProofSite, pair: Pair) -> None:
        self.book = site.book
        self.turns = (pair, pair[::-1])
        """Whose turn it is to run and whose to look, in order."""
        self.unseeded: Sequence[Unseeded] = ()
        """Tables that stayed without a row of the tenants: what is read from them is not noticed."""
        self._site = site
        self._pair = pair
        self._waits_for_children = True
        self._shared: set[tuple[str, str]] = set()
        self._always_there: dict[bool, set[str]] = {}
        self._given: dict[UUID, set[str]] = {tenant.id: set() for tenant in pair}
        for tenant in pair:
            self.book.own(tenant.id, [str(tenant.id)], "the id")

    def seed(self) -> None:
        """Give both tenants rows to lose, however many they have lost."""
        for tenant in self._pair:
            self.unseeded = self._site.observer.seed(tenant.context, mark=partial(self._mark, tenant))

    def warm_up(self, *, is_async: bool) -> None:
        """Open the connection that all jobs are going to meet, and see what is on any."""
        self._shared = set(self._site.observer.shared_marks())
        if is_async not in self._always_there:
            self._always_there[is_async] = set()
            _, found = self.look(self._pair[0], is_async=is_async)
            self._always_there[is_async] = set(found)

    def _mark(self, tenant: ProofTenant, table: str, digits: int) -> str:
        return self.book.make(tenant.id, table, digits=digits)

    def run(self, declaration: TaskDeclaration, payload: Any, tenant: ProofTenant, other: ProofTenant) -> Evidence:
        """Run the task once for the tenant, then look at the connection as the other one.

        Raises:
            ArrangementFailedError: the example is a function, and failed.
            NotInTimeError: the job was not over in time.
            OtherWorkerError, LookFailedError: nothing can be proven here.
        """
        ready = self._arranged(declaration, payload, tenant)
        self._heed_given_ids(ready, tenant)
        secrets = spellings(ready)
        written = [(process, process.written()) for process in (self._site.worker, self._site.dispatcher)]
        self._wait_for_children()

        lines, heard = self._site.watch.open_lines(), self._site.watch.begin(tenant.id, secrets=secrets)
        before = self._snapshots()
        job = self._run_job(declaration, ready, tenant)
        self._wait_for_children()
        after = self._snapshots()
        # What the next tenant is asked to look for may not hold a mark: it would be seen as a leak.
        settings = sorted(name for name in heard.settings if PREFIX not in name)
        heard_after, left = self.look(other, is_async=declaration.is_async, settings=settings)

        return Evidence(
            tenant=tenant,
            other=other,
            job_id=job.id,
            job=self._site.observer.job(tenant.context, job.id),
            before=before,
            after=after,
            heard=heard,
            heard_after=heard_after,
            left=left,
            own_lines=self._staying_lines(heard, lines),
            shared=self._newly_shared(),
            log="".join(process.output(since=since) for process, since in written),
            secrets=secrets,
        )

    def look(self, tenant: ProofTenant, *, is_async: bool, settings: Sequence[str] = ()) -> tuple[Heard, list[str]]:
        """Run `partywall.look` for the tenant; return what was heard meanwhile and what it found."""
        heard = self._site.watch.begin(tenant.id)
        declaration = registry.declaration(look.ASYNC_NAME if is_async else look.NAME)
        job = self._run_job(declaration, {"names": ["partywall.token", *settings]}, tenant)
        if job.result is None:
            raise LookFailedError(error=(job.error or {}).get("message"), hint="The worker's log says more.")
        return heard, sorted(set(job.result["left"]) - self._always_there[is_async])

    def _arranged(self, declaration: TaskDeclaration, payload: Any, tenant: ProofTenant) -> Any:
        if not callable(payload):
            return with_marks(payload, self.book, tenant.id)
        try:
            with tenant_session(tenant.context, role=Role.WORKER) as session:
                return declaration.validate_payload(payload(session))
        except Exception as error:
            raise ArrangementFailedError(f"its example failed: {type(error).__name__}: {error}") from error

    def _heed_given_ids(self, payload: Any, tenant: ProofTenant) -> None:
        # An id that both are given, as part of an example, belongs to neither.
        ids = ids_in(json.dumps(payload))
        self._given[tenant.id] |= ids
        self.book.publish(ids & self._given[self._other(tenant).id])

    def _other(self, tenant: ProofTenant) -> ProofTenant:
        return self._pair[self._pair[0] is tenant]

    def _run_job(self, declaration: TaskDeclaration, payload: Any, tenant: ProofTenant) -> JobRow:
        with tenant_session(tenant.context, role=Role.API) as session:
            job_id = accepting.accept(
                # One attempt: a second one would only be the first again, after a pause.
                session, task_name=declaration.name, payload=payload, queue=declaration.queue, max_attempts=1
            ).job_id  # fmt: skip
        job = self._site.wait(tenant, job_id, timeout_seconds=declaration.time_limit_seconds + GRACE_SECONDS)
        if job.worker is not None and not job.worker.startswith(self._site.worker_name):
            raise OtherWorkerError(
                worker=job.worker, hint="Stop the other workers of this broker, or use a broker of the proof's own."
            )
        return job

    def _snapshots(self) -> Mapping[UUID, Snapshot]:
        """Return the rows of both tenants, and enter in the book what only one of them has."""
        found = {tenant.id: self._site.observer.snapshot(tenant.context) for tenant in self._pair}
        for tenant in self._pair:
            for table, rows in found[tenant.id].items():
                self.book.own(tenant.id, (each for row in rows for each in row.ids), table)
        first, second = (
            {each for rows in side.values() for row in rows for each in row.ids} for side in found.values()
        )
        self.book.publish(first & second)
        return found

    def _wait_for_children(self) -> None:
        # What the body enqueued belongs to this run. Where nobody serves it, waiting once is enough.
        if self._waits_for_children:
            ids = [tenant.id for tenant in self._pair]
            try:
                wait_until(
                    lambda: self._site.observer.unfinished(ids) == 0,
                    timeout_seconds=CHILDREN_SECONDS,
                    what="the jobs it enqueued are over",
                )
            except NotInTimeError:
                self._waits_for_children = False

    def _staying_lines(self, heard: Heard, before: Sequence[PostgresLine]) -> int:
        try:
            # A connection that is being closed needs a moment to get here.
            wait_until(
                lambda: not any(own_lines(heard, before)),
                timeout_seconds=CLOSING_SECONDS,
                what="connections are closed",
            )
        except NotInTimeError:
            return len(list(own_lines(heard, before)))
        return 0

    def _newly_shared(self) -> list[tuple[str, str]]:
        now = set(self._site.observer.shared_marks())
        new, self._shared = now - self._shared, now
        return sorted(new)

"""Bare Celery through the same faults, beside Partywall: with `acks_late` and without."""

import json
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from rich.console import Console
from rich.table import Table

from bench.chaos.bare_tasks import ACKS_LATE
from bench.chaos.brokers import AnyBroker
from bench.chaos.crew import Crew
from bench.chaos.database import Database
from bench.chaos.plan import CONCURRENCY, TENANTS, WORKERS, Plan
from bench.chaos.producer import NotAcceptedError
from bench.chaos.result import write
from bench.chaos.system import SystemMaker
from bench.chaos.trial import run
from bench.chaos.verdict import EffectFact, JobFact
from bench.chaos.work import Request
from tasks.proof.processes import wait_until

READY_SECONDS = 60.0
BESIDE = ("accepted", "lost", "duplicated", "foreign", "faults", "seconds_to_drain")

_TABLE = (
    "create schema bare",
    "create table bare.effects (like app.chaos_effects including defaults)",
    "alter table bare.effects alter column tenant_id drop default",
    "alter table bare.effects enable row level security",
    """
    create policy own on bare.effects
    using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    """,
    "grant usage on schema bare to partywall_worker",
    "grant select, insert on bare.effects to partywall_worker",
)


class BareCelery:
    """A producer that publishes, and two workers. What is accepted is what the broker took."""

    def __init__(self, database: Database, broker: AnyBroker, *, acks_late: bool) -> None:
        self._database = database
        self._broker = broker
        self._acks_late = acks_late
        self._tenants = [uuid.uuid4() for _ in range(TENANTS)]
        self._asked: dict[UUID, Request] = {}
        self._app = Celery("bare-producer", broker=broker.url, set_as_current=False)

    def prepare(self) -> None:
        """Make the table of effects."""
        self._database.do(*_TABLE)

    def staff(self, crew: Crew, lines: Mapping[str, str]) -> None:
        """Add the workers."""
        for number in range(1, WORKERS + 1):
            crew.add(
                f"worker-{number}", "celery", "-A", "bench.chaos.bare_tasks", "worker", "--without-gossip",
                "--without-mingle", "--loglevel=INFO", "-Q", "default", f"--hostname=worker-{number}@chaos",
                f"--concurrency={CONCURRENCY}", PARTYWALL_BROKER_URL=lines["worker"],
                **{ACKS_LATE: str(int(self._acks_late))},
            )  # fmt: skip

    def wait_until_ready(self, crew: Crew) -> None:
        """Return when both workers serve."""
        for member in crew.members.values():
            process = member.process
            assert process is not None  # noqa: S101 - the crew has just started it
            process.wait_for_line(" ready.", timeout_seconds=READY_SECONDS)
        wait_until(lambda: self._broker.waiting("default") == 0, timeout_seconds=READY_SECONDS, what="nothing waits")

    def submit(self, request: Request) -> UUID:
        """Publish a message.

        Raises:
            NotAcceptedError: nobody knows whether the broker has it.
        """
        job_id = uuid.uuid4()
        arguments = {
            "tenant": str(self._tenants[request.tenant]),
            "job": str(job_id),
            "task": request.task,
            "milliseconds": request.milliseconds,
        }
        self._asked[job_id] = request
        try:
            self._app.send_task("bare.work", kwargs=arguments, queue="default", retry=False)
        except (OperationalError, RedisError, OSError) as error:
            raise NotAcceptedError from error
        return job_id

    def enqueue(self, requests: Sequence[Request]) -> Sequence[UUID]:
        """Publish messages, one after the other."""
        return [self.submit(request) for request in requests]

    def succeeded(self, tenant: int) -> Mapping[UUID, int]:
        """Return nothing: nobody can be asked."""
        return {}

    def state(self) -> Sequence[object]:
        """Return how much waits and how much is done. Never nothing: what a lost message was for, nobody knows."""
        (done,) = self._database.ask("select count(*) from bare.effects")[0]
        return [self._broker.waiting("default"), done]

    def jobs(self, accepted: Mapping[UUID, Request]) -> Mapping[UUID, JobFact]:
        """Return what was accepted as if it had succeeded: no record says otherwise.

        What runs although its producer got no answer may be half there, but not twice.
        """
        ran = {effect.job_id for effect in self.effects()}
        return {
            job_id: JobFact(
                job_id,
                self._tenants[request.tenant],
                request.task if job_id in accepted else "chaos.commits_halfway",
                "succeeded" if job_id in accepted else "failed",
                0,
            )
            for job_id, request in self._asked.items()
            if job_id in accepted or job_id in ran
        }

    def effects(self) -> Sequence[EffectFact]:
        """Return every effect there is."""
        rows = self._database.ask("select tenant_id, job_id, attempt, part, foreign_rows from bare.effects")
        return [EffectFact(*row) for row in rows]

    def refusals(self, crew: Crew) -> Mapping[str, float]:
        """Return nothing: whoever is late commits."""
        return {}


def compare(plan: Plan, results: Path) -> int:
    """Run both modes, write a result for each and print them beside ours; return 0 when both meet what is required."""
    missed, columns = [], {}
    for mode, acks_late in (("default", False), ("acks-late", True)):
        name = f"{plan.name}-{mode}"
        outcome = run(plan, _maker(acks_late=acks_late))
        missed.append(write(plan, outcome, results, name=name))
        columns[name] = outcome.figures
    ours = results / f"{replace(plan, system='partywall').name}.json"
    if ours.exists():
        columns["partywall, as last measured"] = json.loads(ours.read_text())["figures"]
    table = Table("figure", *columns)
    for figure in BESIDE:
        table.add_row(figure, *(f"{column[figure]:.5g}" for column in columns.values()))
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    return max(missed)


def _maker(*, acks_late: bool) -> SystemMaker:
    def make(plan: Plan, database: Database, broker: AnyBroker) -> BareCelery:
        return BareCelery(database, broker, acks_late=acks_late)

    return make

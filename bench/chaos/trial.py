"""One run: start everything, break everything, let it come to rest, and judge."""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from sqlalchemy.exc import DBAPIError

from bench.chaos.black_hole import BlackHole
from bench.chaos.brokers import AnyBroker, BrokerDownError, RabbitBroker, RedisBroker, RestartedBroker
from bench.chaos.crew import Crew
from bench.chaos.database import APP_SQL, Database
from bench.chaos.faults import Faults, wait_until_up
from bench.chaos.listener import Listener
from bench.chaos.plan import Plan
from bench.chaos.producer import Producer
from bench.chaos.recovery import Recovery
from bench.chaos.schedule import schedule
from bench.chaos.system import SystemMaker, SystemUnderTest
from bench.chaos.verdict import Verdict, judge
from bench.chaos.work import requests
from bench.progress import say
from bench.server import forget_settings
from db.engine import dispose_engines

UP_SECONDS = 60.0
LOOK_SECONDS = 0.5
LAST_ASKS_SECONDS = 120.0
"""How long producers may go on asking once everything is up again."""
NAMED = 20
"""How many of what is wrong are named in the result."""


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    figures: Mapping[str, float]
    faults: list[dict[str, Any]]
    details: Mapping[str, Any]


class OutOfTimeError(Exception):
    """The run took longer than any run may."""


def run(plan: Plan, system_of: SystemMaker) -> Outcome:
    """Put a system through the plan's faults.

    Raises:
        OutOfTimeError: it did not end by itself; everything was stopped.
    """
    with ExitStack() as stack:
        directory = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="partywall-chaos-", ignore_cleanup_errors=True))
        )
        stack.enter_context(_bounded(plan.bound_seconds))
        stack.callback(dispose_engines)
        database = Database(directory)
        _point_here(directory, plan, database.settings)
        stack.callback(database.stop)
        database.start()
        broker = RestartedBroker(_broker(plan, directory))
        stack.callback(broker.stop)
        broker.start()
        lines = {name: stack.enter_context(BlackHole.before(broker.broker.url)) for name in ("dispatcher", "worker")}
        system = system_of(plan, database, broker.broker)
        system.prepare()
        crew = Crew(directory, dict(os.environ))
        stack.callback(_keep_logs, directory)
        stack.callback(crew.stop)
        system.staff(crew, {name: line.url(broker.broker.url) for name, line in lines.items()})
        crew.start()
        system.wait_until_ready(crew)
        say("everything runs")
        return _Trial(plan, system, crew, database, Faults(crew, database, broker, lines)).run()


@dataclass
class _Trial:
    plan: Plan
    system: SystemUnderTest
    crew: Crew
    database: Database
    faults: Faults

    def run(self) -> Outcome:
        producer = Producer(self.system.submit)
        asked = requests(
            self.plan.seed, jobs=self.plan.jobs, seconds=self.plan.seconds, lease_seconds=self.plan.lease_seconds
        )
        asking = threading.Thread(target=producer.run, args=(asked,), name="producer")
        asking.start()
        listener = Listener(self.system.succeeded)
        try:
            with listener.listening():
                self.faults.run(
                    schedule(self.plan.seed, seconds=self.plan.seconds, lease_seconds=self.plan.lease_seconds)
                )
            up = wait_until_up(self.crew, self.database, timeout_seconds=UP_SECONDS)
            amid = len(self.system.effects()) if up else 0
            say(f"{len(self.faults.records)} faults are over")
            began = time.monotonic()
            asking.join(LAST_ASKS_SECONDS)
        finally:
            producer.give_up()
            asking.join()
        self._drain()
        drained = time.monotonic() - began
        say(f"at rest after {drained:.1f} s")
        accepted = dict(producer.accepted)
        recovery = Recovery(self.database, self.system.enqueue)
        measured = self._measure(recovery) if self.plan.recovery else {}
        accepted |= recovery.accepted
        verdict = judge(accepted.keys(), self.system.jobs(accepted), self.system.effects(), listener.told)
        figures = {
            **verdict.figures(),
            **self.system.refusals(self.crew),
            "asked_again": producer.unanswered,
            "never_accepted": producer.given_up,
            "reads_without_an_answer": listener.unanswered,
            "told_over_accepted": len(listener.told) / max(1, len(producer.accepted)),
            "effects_amid_faults": amid,
            "seconds_to_drain": drained,
            "faults": sum(record.hit is not None for record in self.faults.records),
            "processes_started_again": sum(member.starts - 1 for member in self.crew.members.values()),
            "did_not_come_up": len(self.faults.failed) + (not up),
            **measured,
        }
        details = {"plan": asdict(self.plan), "effects_by_second": recovery.by_second, **self._wrong(verdict)}
        return Outcome(figures, self.faults.log(), details)

    def _drain(self) -> None:
        """Return when all is over, when nothing happens any more, or when the time is up."""
        deadline = time.monotonic() + self.plan.drain_seconds
        moved_at = time.monotonic()
        seen: Sequence[object] | None = None
        while time.monotonic() < min(deadline, moved_at + self.plan.patience_seconds):
            with suppress(DBAPIError, BrokerDownError):
                now = self.system.state()
                if not now:
                    return
                if now != seen:
                    moved_at, seen = time.monotonic(), now
            time.sleep(LOOK_SECONDS)

    def _measure(self, recovery: Recovery) -> Mapping[str, float]:
        measured = recovery.measure()
        self._drain()
        return measured

    def _wrong(self, verdict: Verdict) -> Mapping[str, Any]:
        return {
            "lost": [f"{job_id}: {why}" for job_id, why in verdict.lost[:NAMED]],
            "duplicated": [f"{job_id}: effect {part}" for job_id, part in verdict.duplicated[:NAMED]],
            "stray": [str(job_id) for job_id in verdict.stray[:NAMED]],
            "taken_back": [str(job_id) for job_id in verdict.taken_back[:NAMED]],
            "did_not_come_up": self.faults.failed,
        }


def _broker(plan: Plan, directory: Path) -> AnyBroker:
    return RabbitBroker(directory, "default") if plan.broker == "rabbitmq" else RedisBroker(directory)


def _point_here(directory: Path, plan: Plan, settings: Mapping[str, str]) -> None:
    """Make the run's settings this process's own, and those of all it starts."""
    dispose_engines()
    forget_settings()
    os.environ |= {
        **settings,
        "PARTYWALL_HOME": str(directory / "no-home"),
        "PARTYWALL_TASK_MODULES": "bench.chaos.tasks",
        "PARTYWALL_APP_SQL_FOLDER": str(APP_SQL),
        "PARTYWALL_LEASE_SECONDS": str(plan.lease_seconds),
    }


@contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    def end(number: int, frame: FrameType | None) -> None:
        raise OutOfTimeError(f"not over within {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(int(seconds))
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _keep_logs(directory: Path) -> None:
    """Copy what the processes wrote to where `CHAOS_LOGS` says, if it does."""
    target = os.environ.get("CHAOS_LOGS")
    if target:
        Path(target).mkdir(parents=True, exist_ok=True)
        for log in directory.glob("*.log"):
            (Path(target) / log.name).write_bytes(log.read_bytes())

"""Doing to a system what the schedule says, and keeping a log of it."""

import heapq
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any

import psutil
from sqlalchemy.exc import DBAPIError

from bench.chaos.black_hole import BlackHole
from bench.chaos.brokers import BrokerDownError, RestartedBroker
from bench.chaos.crew import Crew, Member
from bench.chaos.database import Database
from bench.chaos.schedule import Fault, FaultKind
from cli.stack.errors import StackStartError

BUSY_SECONDS = 0.5
"""How long a fault waits for somebody who is at work."""
DISPATCHER, REAPER, API, WORKER = "dispatcher", "reaper", "api", "worker"


@dataclass
class FaultRecord:
    """A fault that was due, and to whom it happened: to nobody where there was none to pick."""

    at_seconds: float
    kind: str
    lasts_seconds: float
    hit: str | None


@dataclass
class Faults:
    """Whatever can be broken in one system."""

    crew: Crew
    database: Database
    broker: RestartedBroker
    lines: dict[str, BlackHole]
    records: list[FaultRecord] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _restarts: dict[str, "Future[None]"] = field(default_factory=dict)

    def run(self, faults: Sequence[Fault]) -> None:
        """Do it all, and undo what has an end. Returns when everything that was stopped goes on."""
        started = time.monotonic()
        for order, fault in enumerate(faults):
            heapq.heappush(self._due, (fault.at_seconds, order, self._doing(fault, started)))
        with self._restarting():
            while self._due:
                at, _, act = heapq.heappop(self._due)
                time.sleep(max(0.0, started + at - time.monotonic()))
                act()

    def log(self) -> list[dict[str, Any]]:
        """Return the records as JSON has them, in order."""
        return [asdict(record) for record in self.records]

    def _doing(self, fault: Fault, started: float) -> Callable[[], None]:
        def act() -> None:
            now = round(time.monotonic() - started, 3)
            hit, undo = self._do(fault)
            self.records.append(FaultRecord(now, fault.kind.value, fault.lasts_seconds, hit))
            if undo is not None:
                heapq.heappush(self._due, (now + fault.lasts_seconds, 1_000_000 + len(self.records), undo))

        return act

    def _do(self, fault: Fault) -> tuple[str | None, Callable[[], None] | None]:
        match fault.kind:
            case FaultKind.KILL_CHILD | FaultKind.STOP_CHILD | FaultKind.STOP_CHILD_PAST_LEASE:
                victims = _one(self._busy(self._children()) or self._children(), fault.pick)
            case FaultKind.KILL_NODE | FaultKind.FREEZE_NODE_PAST_LEASE:
                victims = self._node(self._busy_nodes(), fault.pick)
            case FaultKind.KILL_WORKER | FaultKind.STOP_WORKER:
                victims = _one([main for member in self._busy_nodes() for main in member.main()], fault.pick)
            case FaultKind.KILL_DISPATCHER | FaultKind.STOP_DISPATCHER:
                victims = _one(self._mains(DISPATCHER), fault.pick)
            case FaultKind.KILL_REAPER | FaultKind.STOP_REAPER:
                victims = _one(self._mains(REAPER), fault.pick)
            case FaultKind.KILL_API | FaultKind.STOP_API:
                victims = _one(self._mains(API), fault.pick)
            case FaultKind.CUT_WORKERS:
                return self._cut(WORKER)
            case FaultKind.CUT_DISPATCHERS:
                return self._cut(DISPATCHER)
            case FaultKind.EMPTY_BROKER:
                return self._empty(), None
            case FaultKind.RESTART_BROKER:
                return self._restart("broker", self.broker.restart), None
            case FaultKind.RESTART_POSTGRES:
                return self._restart("postgres", self.database.restart), None
            case FaultKind.TERMINATE_BACKENDS:
                return self._terminate(), None
        if fault.lasts_seconds:
            hit = _signalled(victims, psutil.Process.suspend)
            return hit, lambda: _continue(victims)
        return _signalled(victims, psutil.Process.kill), None

    def _mains(self, name: str) -> list[psutil.Process]:
        return [process for member in self.crew.of(name) for process in member.main()]

    def _children(self) -> list[psutil.Process]:
        children = [process for member in self.crew.of(WORKER) for process in member.children()]
        return [child for child in children if not _stands_still(child)] or children

    def _nodes(self) -> list[Member]:
        return [member for member in self.crew.of(WORKER) if member.is_alive]

    def _busy_nodes(self) -> list[Member]:
        """Return the workers that are at work; those that do not stand still; or all."""
        nodes = self._nodes()
        awake = [member for member in nodes if not any(map(_stands_still, member.main()))]
        if not awake:
            return nodes
        busy = {process.pid for process in self._busy([each for member in awake for each in member.children()])}
        return [member for member in awake if busy & {child.pid for child in member.children()}] or awake

    def _node(self, of: Sequence[Member], pick: int) -> list[psutil.Process]:
        return [process for each in _one(of, pick) for process in [*each.main(), *each.children()]]

    def _busy(self, processes: Sequence[psutil.Process]) -> list[psutil.Process]:
        """Return those that are in a transaction: stopped there, one is a zombie when it goes on."""
        deadline = time.monotonic() + BUSY_SECONDS
        while time.monotonic() < deadline:
            with suppress(DBAPIError):
                ports = self.database.ports_in_transaction()
                if found := [process for process in processes if ports & _ports(process)]:
                    return found
            time.sleep(0.05)
        return []

    def _cut(self, name: str) -> tuple[str | None, Callable[[], None] | None]:
        line = self.lines.get(name)
        if line is None:
            return None, None
        line.fall_silent()
        return f"line of {name}", line.speak

    def _empty(self) -> str | None:
        try:
            self.broker.broker.empty()
        except BrokerDownError:
            return None
        return "broker"

    def _terminate(self) -> str | None:
        try:
            ended = self.database.terminate_backends()
        except DBAPIError:
            return None
        return f"{ended} sessions" if ended else None

    def _restart(self, name: str, restart: Callable[[], None]) -> str | None:
        """Restart a server beside the schedule; one that is restarting already is left alone."""
        running = self._restarts.get(name)
        if running is not None and not running.done():
            return None
        self._restarts[name] = self._pool.submit(restart)
        return name

    @contextmanager
    def _restarting(self) -> Iterator[None]:
        with ThreadPoolExecutor(2) as self._pool:
            yield
        for name, done in self._restarts.items():
            fault = done.exception()
            if isinstance(fault, StackStartError):
                self.failed.append(f"{name}: {fault}")
            elif fault is not None:
                raise fault


def _one(of: Sequence[Any], pick: int) -> list[Any]:
    return [of[pick % len(of)]] if of else []


def _signalled(victims: Sequence[psutil.Process], signal: Callable[[psutil.Process], None]) -> str | None:
    hit = []
    for process in victims:
        try:
            signal(process)
        except psutil.NoSuchProcess:
            continue
        hit.append(str(process.pid))
    return f"pid {' '.join(hit)}" if hit else None


def _continue(victims: Sequence[psutil.Process]) -> None:
    _signalled(victims, psutil.Process.resume)


def wait_until_up(crew: Crew, database: Database, *, timeout_seconds: float) -> bool:
    """Return True once every member lives and PostgreSQL answers, False if that was not in time."""
    over = threading.Event()
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        try:
            database.ask("select 1")
        except DBAPIError:
            over.wait(0.2)
            continue
        if all(member.is_alive for member in crew.members.values()):
            return True
        over.wait(0.2)
    return False


def _stands_still(process: psutil.Process) -> bool:
    try:
        return str(process.status()) == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False


def _ports(process: psutil.Process) -> set[int]:
    try:
        return {each.laddr.port for each in process.net_connections("tcp")}
    except psutil.NoSuchProcess:
        return set()

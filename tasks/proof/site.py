"""The system a proof is made with: one worker with one slot and one pooled connection, and a tap on all it says."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from dotenv import dotenv_values

from db.detour import by_way_of, server_of
from db.dsn import setting_name
from db.errors import PartywallError
from db.observer import Observer, observing
from db.roles import Role
from db.settings import DatabaseSettings, home
from db.wakeups import open_wakeups
from tasks.proof import look
from tasks.proof.marks import PATTERN, MarkBook
from tasks.proof.system import System
from tasks.proof.tap import HOST, Reader, Tap
from tasks.proof.watch import Watch
from tasks.settings import TaskSettings

_BROKER = "PARTYWALL_BROKER_URL"
_PORTS = {"redis": 6379, "amqp": 5672}
_OF_A_WORKER = (Role.WORKER, Role.SCHEDULER)
"""The roles that a worker logs in as; it is given no other's DSN, as in production."""


class BrokerUnwatchableError(PartywallError):
    """Nobody can read along with what goes to the broker."""


class DispatcherRunsError(PartywallError):
    """A dispatcher leads on this database already."""


class ProofSite(System):
    """A dispatcher and a worker. What the worker says goes past `watch`; `observer` sees both tenants' rows."""

    def __init__(self, directory: Path, environment: Mapping[str, str], book: MarkBook, observer: Observer) -> None:
        super().__init__(directory, environment)
        self.book = book
        self.watch = Watch(book)
        self.observer = observer

    @property
    def worker_name(self) -> str:
        """How a job says that our worker took it."""
        return f"worker@{self.directory.name}/"

    @classmethod
    @contextmanager
    def running(cls, directory: Path) -> Iterator["ProofSite"]:
        """Start dispatcher and worker against the servers of this process's settings; stop them after.

        Raises:
            SettingMissingError: a DSN or the broker is not set.
            DetourImpossibleError, BrokerUnwatchableError: TLS would keep us from reading along.
            DispatcherRunsError: another system is at work in this database.
            ProcessEndedError: a process did not come up.
        """
        _refuse_company()
        with ExitStack() as stack:
            environment = {
                **_inherited(),
                "PARTYWALL_HOME": str(directory / "no-home"),
                "PARTYWALL_TASK_MODULES": ",".join([*TaskSettings.load().module_names, look.MODULE]),
            }
            observer = stack.enter_context(observing(_observers_url(), mark_pattern=PATTERN))
            site = cls(directory, environment, MarkBook(), observer)
            dispatchers = {
                _BROKER: _tapped_broker(site.watch.on_dispatcher, stack),
                setting_name(Role.DISPATCHER): DatabaseSettings.load().url(Role.DISPATCHER),
            }
            workers = {
                _BROKER: _tapped_broker(site.watch.on_broker, stack),
                "PARTYWALL_POOL_SIZE": "1",
                **_tapped_databases(site.watch, stack),
            }
            # Last, so that it comes first: processes end before the taps they speak through.
            stack.callback(site.stop)
            site._start(dispatchers, workers)
            yield site

    def _start(self, dispatchers: Mapping[str, str], workers: Mapping[str, str]) -> None:
        self.dispatcher = self.start_dispatcher(**dispatchers)
        self.worker = self.start_worker("--concurrency=1", **workers)
        self.dispatcher.wait_for_line("agent_started")
        self.worker.wait_for_line(" ready.", timeout_seconds=60)


def _inherited() -> dict[str, str]:
    """Return this process's environment with what its home adds, which the children do not see; without DSNs."""
    dsns = {*(setting_name(role) for role in Role), "PARTYWALL_ADMIN_DATABASE_URL"}
    at_home = {name: value for name, value in dotenv_values(home() / "env").items() if value}
    return {name: value for name, value in (at_home | dict(os.environ)).items() if name not in dsns}


def _tapped_databases(watch: Watch, stack: ExitStack) -> dict[str, str]:
    """Return the settings of a worker, each by way of a tap."""
    settings = DatabaseSettings.load()
    found = {}
    for role in _OF_A_WORKER:
        url = settings.url(role)
        tap = stack.enter_context(Tap(server_of(url), watch.on_postgres).open())
        found[setting_name(role)] = by_way_of(url, port=tap.port)
    return found


def _tapped_broker(new_reader: Callable[[], Reader], stack: ExitStack) -> str:
    parts = urlsplit(TaskSettings.load().require_broker_url())
    if parts.scheme not in _PORTS or parts.hostname is None:
        raise BrokerUnwatchableError(
            broker=parts.scheme,
            hint="The broker of a proof is redis:// or amqp:// on one host, without TLS. Unset PARTYWALL_BROKER_URL to "
            "let it bring its own.",
        )
    upstream = (parts.hostname, parts.port or _PORTS[parts.scheme])
    tap = stack.enter_context(Tap(upstream, new_reader).open())
    login = parts.netloc.rpartition("@")[0]
    address = f"{HOST}:{tap.port}"
    return urlunsplit(parts._replace(netloc=f"{login}@{address}" if login else address))


def _observers_url() -> str:
    settings = DatabaseSettings.load()
    if settings.admin_database_url is not None:
        return settings.admin_database_url.get_secret_value()
    return settings.url(Role.MIGRATOR)


def _refuse_company() -> None:
    with open_wakeups() as wakeups:
        if not wakeups.lead():
            raise DispatcherRunsError(
                hint="Stop it while the proof runs, so that no other worker gets its jobs; or use servers of the "
                "proof's own: partywall prove --embedded."
            )

"""A pytest plugin for whoever writes tasks: real servers, a real worker, two tenants, and the proof of isolation.

Load it in the `conftest.py` at the root of the tests, and say in pytest's configuration where tasks and tables are:

    pytest_plugins = ["tasks.testing"]

    [tool.pytest.ini_options]
    partywall_task_modules = ["shop.tasks"]
    partywall_app_sql_folder = "sql"

Servers are those of the environment, as `partywall prove` takes them; where none are set, a PostgreSQL and a broker run
for the session. Nothing is mocked: a job goes through the dispatcher, the broker and a worker with one slot.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import pytest
import structlog

from db import sql_files
from db.engine import dispose_engines
from db.jobs import JobRow
from tasks import registry
from tasks.declaration import TaskDeclaration
from tasks.proof.processes import module_environment
from tasks.proof.prover import prove
from tasks.proof.report import TaskReport, Verdict
from tasks.proof.runner import Runner
from tasks.proof.site import ProofSite
from tasks.proof.tenants import ProofTenant, throwaway_pair

__all__ = ["AssertIsolated", "RunJob", "Tenant"]

Tenant = ProofTenant
"""What `tenant_a` and `tenant_b` are. To look at its rows: `tenant_session(tenant_a.context, role=Role.WORKER)`."""

_SERVERS = "cli.stack.throwaway"
"""The program that runs servers for a session. Started, not imported: imports run from `cli` to `tasks`."""
_SETTINGS = ("partywall_task_modules", "partywall_app_sql_folder")

log = structlog.get_logger(__name__)


class RunJob(Protocol):
    """What the fixture `run_job` is."""

    def __call__(self, tenant: Tenant, task: Any, payload: Any = None, *, timeout_seconds: float = 60) -> JobRow:
        """Run a task, given as function or by name, as a job of the tenant; return the job once it is over.

        Its `state`, `result` and `error` say what became of it. A failed job is an answer, not an error.

        Raises:
            UnknownTaskError, PayloadInvalidError: nothing was run.
            NotInTimeError: it was not over in time.
        """


class AssertIsolated(Protocol):
    """What the fixture `assert_isolated` is."""

    def __call__(self, task: Any, *payloads: Any, examples: int = 2) -> TaskReport:
        """Run a task for both tenants in turn, `examples` times each, and return what was seen.

        Without `payloads` it takes the task's examples, or makes some from its model. The tenants are those of the
        test, with whatever it wrote for them.

        Raises:
            AssertionError: it leaks, or never succeeded for both tenants. The message names how and what.
        """


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the project's pytest configuration say where tasks and tables are."""
    parser.addini(_SETTINGS[0], "Modules that declare tasks, as PARTYWALL_TASK_MODULES.", type="args", default=[])
    parser.addini(_SETTINGS[1], "The folder of migrations, as PARTYWALL_APP_SQL_FOLDER.", type="string", default="")


@pytest.fixture(scope="session")
def partywall(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProofSite]:
    """Servers, a dispatcher and a worker for the session; the settings of this process lead to them."""
    with pytest.MonkeyPatch.context() as patch:
        modules, folder = (pytestconfig.getini(name) for name in _SETTINGS)
        if modules:
            patch.setenv("PARTYWALL_TASK_MODULES", ",".join(modules))
        if folder:
            patch.setenv("PARTYWALL_APP_SQL_FOLDER", str(pytestconfig.rootpath / folder))
        # Also what the servers need, and would say from a process of their own.
        sql_files.app_migrations()
        with _servers() as settings:
            for name, value in settings.items():
                patch.setenv(name, value)
            dispose_engines()
            registry.load()
            with ProofSite.running(tmp_path_factory.mktemp("partywall")) as site:
                yield site
            dispose_engines()


@pytest.fixture
def partywall_tenants(partywall: ProofSite) -> Iterator[tuple[Tenant, Tenant]]:
    """Two tenants of the test's own, erased with all they have when it ends."""
    with throwaway_pair(partywall.observer, erases=True, on_step=_warn) as pair:
        yield pair


@pytest.fixture
def tenant_a(partywall_tenants: tuple[Tenant, Tenant]) -> Tenant:
    """A tenant."""
    return partywall_tenants[0]


@pytest.fixture
def tenant_b(partywall_tenants: tuple[Tenant, Tenant]) -> Tenant:
    """The other tenant, whose things do not exist for the first."""
    return partywall_tenants[1]


@pytest.fixture
def run_job(partywall: ProofSite) -> RunJob:
    """A function that runs a task as a job, through dispatcher, broker and worker."""

    def run(tenant: Tenant, task: Any, payload: Any = None, *, timeout_seconds: float = 60) -> JobRow:
        return partywall.run(tenant, _declaration(task).name, payload, timeout_seconds=timeout_seconds)

    return run


@pytest.fixture
def assert_isolated(partywall: ProofSite, partywall_tenants: tuple[Tenant, Tenant]) -> AssertIsolated:
    """A function that asserts of a task what `partywall prove` proves of all."""
    runner = Runner(partywall, partywall_tenants)

    def check(task: Any, *payloads: Any, examples: int = 2) -> TaskReport:
        declaration = _declaration(task)
        ready = [each if callable(each) else declaration.validate_payload(each) for each in payloads]
        report = prove(runner, declaration, payloads=ready, examples=max(examples, len(ready)))
        if report.verdict is not Verdict.ISOLATED:
            raise AssertionError(_told(report))
        return report

    return check


def _declaration(task: Any) -> TaskDeclaration:
    return registry.declaration(task if isinstance(task, str) else task.name)


def _told(report: TaskReport) -> str:
    lines = [f"{leak} ({runs} of {report.runs} runs)" for leak, runs in report.leaks.most_common()]
    return "\n  ".join([f"{report.task} {report.verdict.value}:", *(lines or [report.reason or "it is tenantless"])])


def _warn(text: str) -> None:
    log.warning("tenant_not_erased", why=text)


@contextmanager
def _servers() -> Iterator[Mapping[str, str]]:
    """Run what servers the environment does not name, and yield the settings that lead to them."""
    with subprocess.Popen(
        [sys.executable, "-m", _SERVERS],
        env=module_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None  # noqa: S101 - asked for above
        assert process.stdout is not None  # noqa: S101
        line = process.stdout.readline()
        if not line:
            # What was wrong it has said on standard error, where pytest shows it.
            raise RuntimeError(f"the servers for these tests did not start: exit code {process.wait()}")
        try:
            yield json.loads(line)
        finally:
            # The end of its input is its order to stop; leaving the block waits for that.
            process.stdin.close()

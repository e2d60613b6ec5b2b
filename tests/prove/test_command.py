"""`partywall prove`, as a process: what it says and what it ends with."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest

from bench.requirement import requirements
from cli.stack.broker import Broker
from cli.stack.postgres import EmbeddedPostgres
from db.wakeups import RENEWAL_SECONDS, open_wakeups
from tests.databases import Database, make_tenant
from tests.prove.conftest import SQL, proof_database
from tests.site import ROOT

TASKS = "tests.prove.good_tasks,tests.prove.leaky_tasks"

Prove = Callable[..., "subprocess.CompletedProcess[str]"]


def run(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", "from cli.main import app; app()", "prove", *arguments],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def told(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def given(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """A database of the adopter's. No superuser's DSN is set: the proof watches as the owner of the tables."""
    with proof_database(postgres, "given") as database:
        yield database


@pytest.fixture
def prove(given: Database, own_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Prove:
    """A function that runs the command against the given servers."""
    monkeypatch.setenv("PARTYWALL_BROKER_URL", own_broker.url)
    monkeypatch.setenv("PARTYWALL_TASK_MODULES", TASKS)
    return run


def test_our_own_tasks_are_isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("--json")
    answer = told(done)

    assert (done.returncode, answer["ok"]) == (0, True), done.stdout
    verdicts = {each["task"]: each["verdict"] for each in answer["tasks"]}
    assert verdicts == {
        "maintenance.fan_out": "tenantless",
        "maintenance.prune_jobs": "isolated",
        "orders.import_csv": "isolated",
        "reports.monthly_statement": "isolated",
    }
    ran = [each for each in answer["tasks"] if each["verdict"] == "isolated"]
    figures = {
        "runs_per_task": min(each["runs"] for each in ran),
        "rows_written_per_tenant": min(each["rows_written"][label] for each in ran for label in "AB"),
        "foreign_rows": sum(each["foreign_rows"] for each in answer["tasks"]),
        "seconds": answer["seconds"],
    }
    assert [each for each in requirements("prove") if not each.is_met_by(figures[each.name])] == [], figures
    assert answer["tables_without_rows"] == []


@pytest.fixture
def inhabited(given: Database) -> Iterator[Database]:
    """The database with a tenant in it."""
    make_tenant("acme")
    yield given
    given.do("delete from partywall.tenants")


def test_a_database_with_tenants_is_refused(prove: Prove, inhabited: Database) -> None:
    done = prove("good.writes")

    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("error: this database has 1 tenant, acme, and every task would")


def test_a_database_where_jobs_wait_is_refused_whatever_one_says(prove: Prove, inhabited: Database) -> None:
    inhabited.do("""
        insert into partywall.jobs (tenant_id, task_name, queue, state, max_attempts, run_at, payload)
        select id, 'good.writes', 'default', 'queued', 1, now(), '{}' from partywall.tenants
    """)
    done = prove("good.writes", "--yes")
    (states,) = inhabited.ask("select array_agg(state) from partywall.jobs")
    inhabited.do("delete from partywall.jobs")

    assert done.returncode == 3
    assert "jobs are waiting" in done.stderr.splitlines()[-1]
    assert states == (["queued"],)


def test_told_to_go_on_it_leaves_nothing_but_the_tenant_that_was_there(prove: Prove, inhabited: Database) -> None:
    done = prove("good.writes", "good.marks", "good.awaits", "--examples", "2", "--yes", "--json")

    assert [each["verdict"] for each in told(done)["tasks"]] == ["isolated"] * 3, done.stdout
    assert done.returncode == 0
    assert inhabited.ask("select slug from partywall.tenants") == [("acme",)]
    for table in ("partywall.jobs", "app.notes", "app.files", "app.orders"):
        assert inhabited.ask(f"select count(*) from {table}") == [(0,)]


def test_a_leak_and_a_failure_end_with_1_and_are_named(prove: Prove) -> None:
    done = prove("leaky.reads_a_board", "leaky.fails", "good.tenantless", "--examples", "1")

    assert done.returncode == 1
    assert [line.split() for line in done.stdout.splitlines()[1:4]] == [
        ["leaky.reads_a_board", "2", "1", "1", "leaks"],
        ["leaky.fails", "2", "0", "0", "not", "proven"],
        ["good.tenantless", "-", "-", "-", "tenantless"],
    ]
    assert "  read app.board of the other tenant  2 of 2" in done.stdout
    assert "  2 of 2 runs failed: RuntimeError: not today" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("0 of 2 tasks proven in ")


def test_what_may_fail_does_not_count(prove: Prove) -> None:
    done = prove("leaky.fails", "--examples", "1", "--allow-failing")

    assert done.returncode == 0, done.stdout


@contextmanager
def leading_dispatcher() -> Iterator[None]:
    over = threading.Event()
    with open_wakeups() as wakeups, ThreadPoolExecutor(1) as pool:
        assert wakeups.lead()

        def lead_on() -> None:
            while not over.wait(RENEWAL_SECONDS / 2):
                assert wakeups.lead()

        leading = pool.submit(lead_on)
        try:
            yield
        finally:
            over.set()
            leading.result(10)


def test_a_database_where_a_dispatcher_leads_is_refused(prove: Prove) -> None:
    with leading_dispatcher():
        done = prove("good.writes", "--examples", "1")

    assert done.returncode == 3
    assert "dispatcher" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (["no.such"], {}, "there is no task no.such"),
        ([], {"PARTYWALL_TASK_MODULES": "no_such_module"}, "PARTYWALL_TASK_MODULES cannot be imported"),
        ([], {"PARTYWALL_BROKER_URL": "rediss://127.0.0.1/0"}, "without TLS"),
    ],
    ids=["task", "module", "broker"],
)
def test_what_cannot_be_used_is_told_in_one_line(
    prove: Prove, arguments: list[str], settings: dict[str, str], said: str
) -> None:
    done = prove(*arguments, **settings)

    assert done.returncode == 2, done.stderr
    assert said in done.stderr.splitlines()[-1]
    assert done.stdout == ""


def test_embedded_servers_are_used_although_others_are_set(prove: Prove, given: Database) -> None:
    done = prove("good.writes", "--embedded", "--examples", "1", "--json", PARTYWALL_APP_SQL_FOLDER=str(SQL))

    assert told(done)["ok"], done.stdout
    assert "PostgreSQL" in done.stderr


@pytest.mark.parametrize("step", ["a broker is running", "dispatcher and worker are running"])
def test_interrupted_it_stops_and_removes_all_that_it_started(step: str) -> None:
    # Not in `tmp_path`: that is closed to the user that runs PostgreSQL for root.
    with TemporaryDirectory(prefix="prove-") as scratch:
        with subprocess.Popen(
            [sys.executable, "-c", "from cli.main import app; app()", "prove"],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": scratch},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            while step not in (line := process.stderr.readline()):
                assert line, "it ended by itself"
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=60)

        assert (process.returncode, said) == (130, "")
        assert list(Path(scratch).iterdir()) == []
        assert [each for each in _command_lines() if scratch in each] == []


def _command_lines() -> Iterator[str]:
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # gone while we looked, or another user's
            yield " ".join([*process.cmdline(), process.environ().get("TMPDIR", "")])

"""`partywall workers`."""

import json

from db import workers
from db.attempts import WorkerIdentity
from db.roles import Role
from db.rows import uuid7
from db.session import platform_connection
from tests.cli.conftest import Run
from tests.databases import Database, TestTenant
from tests.db.work import claim_of, dispatch_all, enqueue_one


def listed(name: str) -> WorkerIdentity:
    """Return a process that says it runs bodies."""
    worker = WorkerIdentity(uuid7(), name)
    with platform_connection(Role.WORKER) as connection:
        workers.register(connection, worker, pool="prefork", queues=["default", "reports"])
    return worker


def test_each_process_is_listed_with_what_it_runs(acme: TestTenant, partywall: Run) -> None:
    busy, idle = listed("worker@here/1"), listed("worker@here/2")
    job_id = enqueue_one(acme)
    (message,) = dispatch_all()
    claim_of(message, worker=busy)

    found = json.loads(partywall("workers", "--json").stdout)["workers"]

    by_id = {worker["id"]: worker for worker in found}
    assert set(by_id) == {str(busy.id), str(idle.id)}
    (running,) = by_id[str(busy.id)]["jobs"]
    assert {name: running[name] for name in ("id", "tenant", "task", "attempt")} == {
        "id": str(job_id),
        "tenant": "acme",
        "task": "notes.write",
        "attempt": 1,
    }
    assert by_id[str(idle.id)]["jobs"] == []
    assert by_id[str(idle.id)]["queues"] == ["default", "reports"]
    lines = partywall("workers").stdout.splitlines()
    assert lines[0].split() == ["WORKER", "PID", "POOL", "QUEUES", "SEEN", "RUNS"]
    assert str(job_id) in lines[-1]


def test_no_worker_is_no_error(database: Database, partywall: Run) -> None:
    result = partywall("workers")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No worker is up.\n")


def test_a_worker_cannot_steer_the_terminal_with_its_name(database: Database, partywall: Run) -> None:
    listed("worker@\x1b[2J/1")

    assert "worker@\\x1b[2J/1" in partywall("workers").stdout

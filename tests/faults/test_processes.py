"""Processes that die, or do not get what they ask for."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import httpx

from cli.stack.ports import any_free_port
from tests.api.server import serving, start
from tests.databases import TestTenant
from tests.db.notes import rows_of
from tests.faults.conftest import See
from tests.site import Site
from tests.waiting import wait_until
from tests.workers.test_life import attempts_of, begin


def test_a_body_that_gets_no_memory_fails_and_its_process_lives(system: Site, tenant: TestTenant, see: See) -> None:
    job = system.run(tenant, "faults.gorges")

    assert (job.state, job.attempt, job.lost) == ("succeeded", 2, 0)
    assert attempts_of(system, job.id) == [(1, "failed"), (2, "succeeded")]
    assert rows_of(tenant).count("fed") == 1
    see("A body asks for more memory than there is")


@contextmanager
def commits_of_the_api_that_wait(site: Site) -> Iterator[None]:
    """Let the API's sessions wait in COMMIT, after it: for a standby that does not exist. Nobody else's do."""
    site.database.do(f"alter role partywall_api in database {site.database.name} set synchronous_commit = on")
    for statement in ("alter system set synchronous_standby_names = 'nobody'", "select pg_reload_conf()"):
        site.database.do_outside_transactions(statement)
    try:
        yield
    finally:
        for statement in ("alter system reset synchronous_standby_names", "select pg_reload_conf()"):
            site.database.do_outside_transactions(statement)


def test_a_request_that_got_no_answer_is_sent_again_and_is_the_same_job(
    system: Site, tenant: TestTenant, tmp_path: Path
) -> None:
    request = {"task": "faults.writes", "payload": {}}
    headers = {"Authorization": f"Bearer {tenant.key.spell()}", "Idempotency-Key": "once"}
    kept = len(rows_of(tenant))
    port = any_free_port()
    answers: list[httpx.Response] = []

    def ask() -> None:
        try:
            answers.append(httpx.post(f"http://127.0.0.1:{port}/v1/jobs", json=request, headers=headers, timeout=60))
        except httpx.TransportError:
            return

    with commits_of_the_api_that_wait(system):
        api = start({**system.environment, "PARTYWALL_API_PORT": str(port)}, tmp_path / "api.log")
        try:
            wait_until(lambda: "api_listens" in (tmp_path / "api.log").read_text(), timeout_seconds=60)
            asking = threading.Thread(target=ask)
            asking.start()
            waiting = "select pid from pg_stat_activity where wait_event = 'SyncRep' and datname = current_database()"
            ((pid,),) = wait_until(lambda: system.database.ask(waiting), timeout_seconds=30)
        finally:
            api.kill()
            api.wait()
        asking.join()
        # The session notices at its next word only; it has committed.
        system.database.ask("select pg_terminate_backend(:pid)", pid=pid)
    accepted = wait_until(
        lambda: system.database.ask("select id from partywall.jobs where idempotency_key = 'once'"), timeout_seconds=10
    )
    with serving(system.environment, system.directory) as again:
        answer = httpx.post(f"{again.url}/v1/jobs", json=request, headers=headers, trust_env=False)
    system.wait(tenant, UUID(str(accepted[0][0])))

    assert answers == []
    assert answer.status_code in (200, 202)
    assert [(answer.json()["id"],)] == [(str(job_id),) for (job_id,) in accepted]
    assert len(rows_of(tenant)) == kept + 1


def test_a_job_whose_workers_main_process_is_killed_has_one_effect(
    system: Site, tenant: TestTenant, tmp_path: Path, see: See
) -> None:
    kept = len(rows_of(tenant))
    job_id = begin(system, tenant, "life.sleeps", tmp_path / "begun", seconds=3)
    os.kill(system.worker.popen.pid, signal.SIGKILL)
    system.worker.popen.wait(timeout=10)
    system.worker = system.start_worker("--concurrency=1", name="second")
    system.worker.wait_for_line(" ready.", timeout_seconds=60)
    job = system.wait(tenant, job_id, timeout_seconds=60)

    assert (job.state, job.lost) == ("succeeded", 1)
    assert attempts_of(system, job_id) == [(1, "lost"), (2, "succeeded")]
    assert len(rows_of(tenant)) == kept + 1
    see("A worker's main process is killed")

"""Stock `celery beat` starts per-tenant maintenance, and Flower shows each run under its tenant."""

from collections.abc import Iterator

import httpx
import pytest

from cli.stack.ports import any_free_port
from cli.stack.postgres import EmbeddedPostgres
from db.roles import Role
from db.session import platform_connection
from db.tenants import suspend_tenant
from tests.databases import make_tenant
from tests.site import Site
from tests.waiting import wait_until

RUNS = """
    select tenants.slug, jobs.idempotency_key, jobs.state
    from partywall.jobs as jobs join partywall.tenants as tenants on tenants.id = jobs.tenant_id
    where jobs.task_name = 'maintenance.prune_jobs'
"""


@pytest.fixture(scope="module")
def flower_port() -> int:
    """Where Flower listens."""
    return any_free_port()


@pytest.fixture(scope="module")
def site(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory, flower_port: int) -> Iterator[Site]:
    """A whole system in which two beats start maintenance every second, one of them by accident."""
    directory = tmp_path_factory.mktemp("site_maintenance")
    with Site.running(postgres, directory, task_modules="tasks.maintenance", name="maintenance") as running:
        for slug in ("acme", "zeta", "asleep"):
            make_tenant(slug)
        with platform_connection(Role.OPERATOR) as connection:
            suspend_tenant(connection, "asleep")
        running.start(
            "flower", "celery", "-A", "workers", "flower", "--address=127.0.0.1", f"--port={flower_port}",
            FLOWER_UNAUTHENTICATED_API="true",
        )  # fmt: skip
        wait_until(lambda: answers(flower_port), timeout_seconds=40)
        running.start_all("--pool=threads", "--concurrency=2")
        for name in ("beat", "second-beat"):
            running.start(
                name, "celery", "-A", "workers", "beat", "-s", str(directory / name), "--pidfile=",
                PARTYWALL_MAINTENANCE_EVERY_SECONDS="2",
            )  # fmt: skip
        yield running


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthcheck").is_success
    except httpx.HTTPError:
        return False


def test_maintenance_runs_once_per_active_tenant_and_moment(site: Site) -> None:
    wait_until(lambda: len([run for run in site.database.ask(RUNS) if run[2] == "succeeded"]) >= 6, timeout_seconds=60)
    runs = site.database.ask(RUNS)
    keys_by_tenant = {slug: sorted(str(run[1]) for run in runs if run[0] == slug) for slug in {run[0] for run in runs}}

    assert keys_by_tenant.keys() == {"acme", "zeta"}
    assert keys_by_tenant["acme"] == keys_by_tenant["zeta"]
    assert len(set(keys_by_tenant["acme"])) == len(keys_by_tenant["acme"])
    assert all(key.startswith("schedule/maintenance.prune_jobs/") for key in keys_by_tenant["acme"])


def test_flower_finds_a_tenants_runs_and_nobody_elses(site: Site, flower_port: int) -> None:
    wait_until(lambda: len(site.database.ask(RUNS)) >= 4, timeout_seconds=60)

    def found(slug: str) -> list[str]:
        answer = httpx.get(f"http://127.0.0.1:{flower_port}/api/tasks", params={"search": f"kwargs:tenant={slug}"})
        return [task["kwargs"] for task in answer.json().values()]

    of_acme = wait_until(lambda: found("acme"), timeout_seconds=20)

    assert all("'tenant': 'acme'" in kwargs for kwargs in of_acme)
    assert found("zeta")
    assert found("asleep") == []

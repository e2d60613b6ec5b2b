"""What the next job finds on the pooled connection after a body did its worst. Real workers, every pool."""

from typing import Any

import pytest

from tests.databases import TestTenant
from tests.site import Site
from tests.waiting import wait_until
from tests.workers.conftest import POOLS

pytestmark = pytest.mark.parametrize("pool", POOLS, scope="module", indirect=True)


KILL = """
    select pg_terminate_backend(pid)
    from pg_stat_activity
    where query like '%kill me%' and usename = 'partywall_worker' and datname = current_database() and state = 'active'
"""


def findings(site: Site, tenant: TestTenant, *, kind: str) -> dict[str, Any]:
    # The event loop has connections of its own.
    job = site.run(tenant, f"{kind}.look")
    assert job.state == "succeeded", job.error
    return dict(job.result or {})


@pytest.mark.parametrize(
    ("task_name", "ends", "same_backend"),
    [
        ("probe.commits", "succeeded", True),
        ("probe.rolls_back", "succeeded", True),
        ("probe.raises", "failed", True),
        ("probe.breaks_sql", "failed", True),
        ("probe.sleeps", "failed", True),
        ("probe.sleeps_in_sql", "failed", True),
        ("probe.loses_connection", "failed", False),
        ("async_probe.commits", "succeeded", True),
        ("async_probe.rolls_back", "succeeded", True),
        ("async_probe.raises", "failed", True),
        ("async_probe.breaks_sql", "failed", True),
        ("async_probe.sleeps", "failed", True),
        ("async_probe.sleeps_in_sql", "failed", True),
        ("async_probe.sleeps_together", "failed", True),
        ("async_probe.cancels_itself", "failed", True),
        ("async_probe.loses_connection", "failed", False),
    ],
)
def test_the_next_tenant_finds_nothing_of_the_one_before(
    site: Site, tenant_a: TestTenant, tenant_b: TestTenant, task_name: str, ends: str, same_backend: bool
) -> None:
    kind = task_name.partition(".")[0]
    before = findings(site, tenant_b, kind=kind)
    job_id = site.enqueue(tenant_a, task_name)
    if not same_backend:
        wait_until(lambda: site.database.ask(KILL), timeout_seconds=20)
    job = site.wait(tenant_a, job_id)
    after = findings(site, tenant_b, kind=kind)

    assert job.state == ends, job.error
    assert (before["backend_pid"] == after["backend_pid"]) is same_backend
    assert before["process_id"] == after["process_id"]
    assert after["tenant_id"] == str(tenant_b.id)
    assert [each for each in after["settings"] if not each.startswith("partywall.token=")] == []
    assert [after[each] for each in ("temporary_objects", "cursors", "prepared_statements", "channels")] == [0] * 4
    assert after["session_locks"] == 0

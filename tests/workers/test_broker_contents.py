"""What stands in the broker: ids, and what Flower shows. Never what a tenant wrote."""

import ast
import json
from collections.abc import Iterator

import pytest
import redis

from cli.stack.postgres import EmbeddedPostgres
from tests.databases import make_tenant
from tests.site import Site
from tests.waiting import wait_until
from tests.workers import probe_tasks


@pytest.fixture(scope="module")
def site_without_worker(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A dispatcher whose messages nobody takes."""
    directory = tmp_path_factory.mktemp("site_without_worker")
    with Site.running(postgres, directory, task_modules=probe_tasks.NAME, name="without_worker") as site:
        site.start_dispatcher().wait_for_line("agent_started")
        yield site


def test_a_message_carries_ids_and_shows_tenant_and_job(site_without_worker: Site) -> None:
    tenant = make_tenant("acme")
    job_id = site_without_worker.enqueue(tenant, "probe.fails_then_succeeds", {"value": 1234567})
    client = redis.Redis.from_url(site_without_worker.broker.url)
    raw = wait_until(lambda: client.lindex("default", 0), timeout_seconds=20)
    everything = b" ".join(client.dump(key) or b"" for key in client.scan_iter())
    client.close()
    assert isinstance(raw, bytes)
    headers = json.loads(raw)["headers"]

    assert headers["task"] == "probe.fails_then_succeeds"
    assert ast.literal_eval(headers["kwargsrepr"]) == {"tenant": "acme", "job": str(job_id)}
    assert b"1234567" not in everything
    assert b"pw1." not in everything

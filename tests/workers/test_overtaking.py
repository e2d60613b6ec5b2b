"""At the broker a tenant that comes back goes before what others have sent: on Redis, which keeps a list for each."""

from pathlib import Path

from cli.stack.postgres import EmbeddedPostgres
from tests.databases import make_tenant
from tests.site import Site
from tests.waiting import wait_until
from tests.workers import probe_tasks


def test_who_comes_back_goes_first(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    with Site.running(postgres, tmp_path, task_modules=probe_tasks.NAME, name="overtaking") as site:
        flooding, coming = make_tenant("flooding"), make_tenant("coming")
        site.start_dispatcher().wait_for_line("agent_started")
        # While nobody serves the queue two are sent; the first of them overtakes too.
        sent = [site.enqueue(flooding, "probe.idles") for _ in range(3)]
        dispatched = "select count(*) from partywall.jobs where state = 'dispatched'"
        wait_until(lambda: site.database.ask(dispatched) == [(2,)], timeout_seconds=20)
        late = site.enqueue(coming, "probe.idles")
        wait_until(lambda: site.database.ask(dispatched) == [(3,)], timeout_seconds=20)
        site.start_worker("--pool=prefork", "--concurrency=1")
        for tenant, job_id in (*((flooding, job_id) for job_id in sent), (coming, late)):
            assert site.wait(tenant, job_id).state == "succeeded"

        began = site.database.ask("select job_id from partywall.attempts order by started_at")

    assert [job_id for (job_id,) in began] == [sent[0], late, *sent[1:]]

"""`partywall tenants pause`, `drain` and `resume`."""

import getpass
import json

from tests.cli.conftest import Run
from tests.databases import Database, TestTenant
from tests.db.limiting import limits_of
from tests.db.work import dispatch_all, enqueue_one

ME = f"operator/{getpass.getuser()}"


def test_pausing_says_who_and_why_and_resuming_opens_again(acme: TestTenant, partywall: Run) -> None:
    enqueue_one(acme)

    paused = json.loads(partywall("tenants", "pause", "acme", "--reason", "an outage", "--json").stdout)

    assert paused == {"id": str(acme.id), "slug": "acme", "flow": "paused"}
    assert dispatch_all() == []
    found = limits_of(acme)
    assert (found.flow, found.flow_by, found.flow_reason) == ("paused", ME, "an outage")

    resumed = json.loads(partywall("tenants", "resume", "acme", "--json").stdout)
    assert resumed == {"id": str(acme.id), "slug": "acme", "status": "active", "flow": "open"}
    assert len(dispatch_all()) == 1
    assert (limits_of(acme).flow, limits_of(acme).flow_by) == ("open", ME)


def test_a_drained_tenant_is_given_no_job(acme: TestTenant, partywall: Run) -> None:
    drained = partywall("tenants", "drain", "acme")
    assert "partywall tenants resume acme" in drained.stdout

    result = partywall("enqueue", "acme", "maintenance.prune_jobs")

    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("error: the tenant is being drained")
    partywall("tenants", "resume", "acme")
    assert partywall("enqueue", "acme", "maintenance.prune_jobs").exit_code == 0


def test_a_full_queue_is_given_no_job(acme: TestTenant, partywall: Run) -> None:
    partywall("tenants", "limit", "acme", "--max-queued", 1)
    partywall("enqueue", "acme", "maintenance.prune_jobs")

    result = partywall("enqueue", "acme", "maintenance.prune_jobs")

    assert (result.exit_code, result.stdout) == (3, "")
    assert "1 jobs wait. At most 1" in result.stderr


def test_a_reason_that_cannot_be_kept_is_bad_input(acme: TestTenant, partywall: Run) -> None:
    for command in ("pause", "drain"):
        assert partywall("tenants", command, "acme", "--reason", "x" * 501).exit_code == 2

    assert limits_of(acme).flow == "open"


def test_an_unknown_tenant_is_refused(database: Database, partywall: Run) -> None:
    for command in ("pause", "drain"):
        result = partywall("tenants", command, "nobody")
        assert (result.exit_code, result.stdout) == (3, "")

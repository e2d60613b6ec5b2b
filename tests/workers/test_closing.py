"""A body that closes what is the worker's to close fails at once and says so; nothing of it reaches the log."""

import pytest

from tests.databases import TestTenant
from tests.db.notes import rows_of
from tests.site import Site
from tests.workers.conftest import POOLS

pytestmark = pytest.mark.parametrize("pool", POOLS, scope="module", indirect=True)

# `async with job.connection` SQLAlchemy refuses by itself: the connection has begun already.
CLOSES = [("probe.closes", "connection"), ("probe.closes", "session"), ("async_probe.closes", "session")]


@pytest.mark.parametrize(("task_name", "what"), CLOSES)
def test_a_body_that_closes_its_transaction_has_failed_and_kept_nothing(
    site: Site, tenant_a: TestTenant, task_name: str, what: str
) -> None:
    job = site.run(tenant_a, task_name, {"what": what})

    assert job.error is not None
    assert (job.state, job.error["type"]) == ("failed", "BodyClosedError")
    assert "Use it without `with`" in job.error["message"]
    assert "closed over" not in rows_of(tenant_a)


@pytest.mark.parametrize(("task_name", "what"), CLOSES)
def test_what_a_body_raised_inside_is_told_to_its_tenant_alone(
    site: Site, tenant_a: TestTenant, task_name: str, what: str
) -> None:
    job = site.run(tenant_a, task_name, {"what": what, "fails": True})

    assert job.error is not None
    assert job.state == "failed"
    assert "the secret of this tenant" in job.error["traceback"]
    assert "the secret of this tenant" not in site.worker.output()


def test_an_error_that_cannot_say_what_it_is_is_recorded_all_the_same(site: Site, tenant_a: TestTenant) -> None:
    job = site.run(tenant_a, "probe.unspeakable")

    assert job.error is not None
    assert (job.state, job.error["type"], job.error["message"]) == (
        "failed", "UnspeakableError", "it cannot be shown",
    )  # fmt: skip
    assert "the secret of this tenant" not in site.worker.output()

"""The task of docs/how-to/suspend-or-delete-a-tenant.md, taken from the page and run."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from cli.stack.postgres import EmbeddedPostgres
from db import accepting
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.tenants import delete_tenant
from tasks import producing
from tests.databases import TestTenant, make_tenant
from tests.docs.pages import ROOT, blocks
from tests.site import Site

PAGE = ROOT / "docs/how-to/suspend-or-delete-a-tenant.md"


ORDER = text("""
    insert into app.orders (
        tenant_id, file_sha256, file_line, line, order_id, customer_id, ordered_at,
        sku, description, quantity, unit_price
    )
    values (partywall.current_tenant_id(), sha256('a'), 1, 1, 'A-1', 'C-1', now(), 'S-1', 'a chair', 1, 49.90)
""")
FILE = text("""
    with file as (
        insert into app.files (name, size_bytes, sha256)
        values ('orders.csv', 1, encode(sha256('a'), 'hex'))
        returning id
    )
    insert into app.file_chunks (file_id, position, data) select file.id, 0, 'a' from file
""")
ROWS = text("""
    select
        (select count(*) from app.orders),
        (select count(*) from app.files),
        (select count(*) from app.file_chunks)
""")


@pytest.fixture
def site(tmp_path: Path, postgres: EmbeddedPostgres) -> Iterator[Site]:
    (tmp_path / "adopter_erasing.py").write_text(blocks(PAGE, "python")[0].code)
    with Site.running(
        postgres,
        tmp_path,
        task_modules="adopter_erasing,tasks.maintenance",
        name="adopter_erasing",
        declared_here=False,
    ) as site:
        site.environment |= {"PYTHONPATH": str(tmp_path)}
        site.start_all()
        yield site


def make_tenant_with_rows(slug: str) -> TestTenant:
    tenant = make_tenant(slug)
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        session.execute(ORDER)
        session.execute(FILE)
    return tenant


def rows(tenant: TestTenant) -> tuple[int, ...]:
    """Return how many orders, files and chunks it has."""
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        return tuple(session.execute(ROWS).one())


def erase(tenant: TestTenant, *, role: Role) -> UUID:
    with tenant_session(tenant.context, role=role) as session:
        return accepting.accept(
            session,
            task_name="tenants.erase",
            payload={},
            queue="default",
            max_attempts=20,
            runs_for_deleted=True,
        ).job_id


def test_the_pages_task_empties_the_tenant_that_goes_and_no_other(site: Site) -> None:
    going, staying = make_tenant_with_rows("going"), make_tenant_with_rows("staying")
    with platform_connection(Role.OPERATOR) as connection:
        delete_tenant(connection, "going")
    job = site.wait(going, erase(going, role=Role.OPERATOR))

    assert (job.state, rows(going), rows(staying)) == ("succeeded", (0, 0, 0), (1, 1, 1)), job.error


def test_the_pages_task_refuses_a_tenant_that_stays_whoever_started_it(site: Site) -> None:
    staying = make_tenant_with_rows("staying")
    job = site.wait(staying, erase(staying, role=Role.API))

    assert (job.state, job.attempt, rows(staying)) == ("failed", 1, (1, 1, 1))
    assert "TenantStaysError" in str(job.error)


def test_old_jobs_of_a_tenant_that_goes_can_be_pruned(site: Site) -> None:
    import_module("tasks.maintenance")
    going = make_tenant_with_rows("going")
    with platform_connection(Role.OPERATOR) as connection:
        delete_tenant(connection, "going")
    erased = site.wait(going, erase(going, role=Role.OPERATOR))
    site.database.do("update partywall.jobs set finished_at = now() - interval '1 year'")
    with tenant_session(going.context, role=Role.OPERATOR) as session:
        pruning = producing.enqueue(session, "maintenance.prune_jobs", {})
    job = site.wait(going, pruning)

    assert (job.state, job.result) == ("succeeded", {"pruned": 1}), erased.error

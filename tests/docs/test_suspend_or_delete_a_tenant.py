"""The task of docs/how-to/suspend-or-delete-a-tenant.md, taken from the page and run for a tenant that goes."""

from pathlib import Path

from sqlalchemy import text

from cli.stack.postgres import EmbeddedPostgres
from db import accepting
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.tenants import delete_tenant
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


def _orders(tenant: TestTenant) -> int:
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        counted: int = session.execute(text("select count(*) from app.orders")).scalar_one()
        return counted


def test_the_pages_task_empties_the_tenant_that_goes_and_no_other(tmp_path: Path, postgres: EmbeddedPostgres) -> None:
    (tmp_path / "adopter_erasing.py").write_text(blocks(PAGE, "python")[0].code)
    with Site.running(
        postgres, tmp_path, task_modules="adopter_erasing", name="adopter_erasing", declared_here=False
    ) as site:
        site.environment |= {"PYTHONPATH": str(tmp_path)}
        site.start_all()
        going, staying = make_tenant("going"), make_tenant("staying")
        for tenant in (going, staying):
            with tenant_session(tenant.context, role=Role.WORKER) as session:
                session.execute(ORDER)
        with platform_connection(Role.OPERATOR) as connection:
            delete_tenant(connection, "going")
        with tenant_session(going.context, role=Role.OPERATOR) as session:
            job_id = accepting.accept(
                session,
                task_name="tenants.erase",
                payload={},
                queue="default",
                max_attempts=1,
                runs_for_deleted=True,
            ).job_id
        job = site.wait(going, job_id)

        assert (job.state, _orders(going), _orders(staying)) == ("succeeded", 0, 1), job.error

"""The two files of docs/how-to/add-a-task.md, taken from the page and run."""

from pathlib import Path

import pytest
from sqlalchemy import text

from cli.stack.postgres import EmbeddedPostgres
from db import accepting
from db.migrate import migrate
from db.roles import Role
from db.session import tenant_session
from tests.databases import make_tenant
from tests.docs.pages import ROOT, blocks
from tests.site import Site

PAGE = ROOT / "docs/how-to/add-a-task.md"


@pytest.fixture
def adopters_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the adopter's with the page's task, and a folder with the page's table."""
    (tmp_path / "adopter_notes.py").write_text(blocks(PAGE, "python")[0].code)
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql/0100_notes.sql").write_text(blocks(PAGE, "sql")[0].code)
    monkeypatch.setenv("PARTYWALL_APP_SQL_FOLDER", str(tmp_path / "sql"))
    return tmp_path


def test_the_pages_task_writes_into_the_pages_table_as_its_tenant(
    adopters_folder: Path, postgres: EmbeddedPostgres
) -> None:
    with Site.running(
        postgres, adopters_folder, task_modules="adopter_notes", name="adopter", declared_here=False
    ) as site:
        migrate(site.database.url(Role.MIGRATOR))
        site.environment |= {
            "PYTHONPATH": str(adopters_folder),
            "PARTYWALL_APP_SQL_FOLDER": str(adopters_folder / "sql"),
        }
        site.start_all("--pool=threads", "--concurrency=1")
        acme, zeta = make_tenant("acme"), make_tenant("zeta")
        with tenant_session(acme.context, role=Role.API) as session:
            job_id = accepting.accept(
                session, task_name="notes.write", payload={"body": "hello"}, queue="default", max_attempts=1
            ).job_id
        job = site.wait(acme, job_id)

        assert job.result == {"length": 5}
        for tenant, bodies in ((acme, ["hello"]), (zeta, [])):
            with tenant_session(tenant.context, role=Role.WORKER) as session:
                assert list(session.execute(text("select body from app.notes")).scalars()) == bodies

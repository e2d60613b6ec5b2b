"""The table and the task of docs/how-to/write-an-async-task.md, taken from the page and run."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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

PAGE = ROOT / "docs/how-to/write-an-async-task.md"


class Answers(BaseHTTPRequestHandler):
    """Answers with the status that the path names."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def website() -> Iterator[str]:
    """The address of a server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def adopters_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the adopter's with the page's task, and a folder with the page's table."""
    (tmp_path / "adopter_pages.py").write_text(blocks(PAGE, "python")[0].code)
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql/0200_pages.sql").write_text(blocks(PAGE, "sql")[0].code)
    monkeypatch.setenv("PARTYWALL_APP_SQL_FOLDER", str(tmp_path / "sql"))
    return tmp_path


def test_the_pages_task_asks_for_all_and_writes_as_its_tenant(
    adopters_folder: Path, postgres: EmbeddedPostgres, website: str
) -> None:
    with Site.running(
        postgres, adopters_folder, task_modules="adopter_pages", name="adopter_pages", declared_here=False
    ) as site:
        migrate(site.database.url(Role.MIGRATOR))
        site.environment |= {
            "PYTHONPATH": str(adopters_folder),
            "PARTYWALL_APP_SQL_FOLDER": str(adopters_folder / "sql"),
        }
        site.start_all("--pool=threads", "--concurrency=2")
        acme, zeta = make_tenant("acme"), make_tenant("zeta")
        with tenant_session(acme.context, role=Role.API) as session:
            urls = [f"{website}/{status}" for status in (200, 404, 503)]
            job_id = accepting.accept(
                session, task_name="pages.check", payload={"urls": urls}, queue="default", max_attempts=1
            ).job_id
        job = site.wait(acme, job_id)

        assert job.result == {"answered": 3}, job.error
        assert (job.progress_current, job.progress_total, job.progress_note) == (3, 3, "asked")
        for tenant, statuses in ((acme, [200, 404, 503]), (zeta, [])):
            with tenant_session(tenant.context, role=Role.WORKER) as session:
                found = session.execute(text("select status from app.pages order by status")).scalars()
                assert list(found) == statuses
        assert website not in site.worker.output()

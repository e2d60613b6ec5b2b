"""The tables, the tasks and the producer of docs/how-to/use-celerys-canvas.md, taken from the page and run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from cli.stack.postgres import EmbeddedPostgres
from db import accepting
from db.migrate import migrate
from db.roles import Role
from db.session import tenant_session
from tests.databases import TestTenant, make_tenant
from tests.docs.pages import ROOT, blocks
from tests.site import Site
from tests.waiting import wait_until

PAGE = ROOT / "docs/how-to/use-celerys-canvas.md"


@pytest.fixture
def adopters_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the adopter's with the page's tasks and producer, and a folder with the page's tables."""
    tasks, producer = blocks(PAGE, "python")
    (tmp_path / "adopter_books.py").write_text(tasks.code)
    (tmp_path / "adopter_producer.py").write_text(producer.code)
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql/0100_books.sql").write_text(blocks(PAGE, "sql")[0].code)
    monkeypatch.setenv("PARTYWALL_APP_SQL_FOLDER", str(tmp_path / "sql"))
    return tmp_path


def write(tenant: TestTenant, book: str, *chapters: str) -> None:
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        for body in chapters:
            session.execute(
                text("insert into app.chapters (book, body) values (:book, :body)"), {"book": book, "body": body}
            )


def counted(site: Site) -> dict[tuple[object, object], object]:
    rows = site.database.ask(
        "select slug, title, words from app.books inner join partywall.tenants as t on t.id = tenant_id"
    )
    return {(slug, title): words for slug, title, words in rows}


def enqueue(tenant: TestTenant, title: str) -> None:
    with tenant_session(tenant.context, role=Role.API) as session:
        accepting.accept(session, task_name="books.count", payload={"title": title}, queue="default", max_attempts=1)


def publish(site: Site, tenant: TestTenant, title: str) -> None:
    code = "import sys, adopter_producer; print(adopter_producer.count_book(*sys.argv[1:]))"
    subprocess.run(
        [sys.executable, "-c", code, tenant.key.spell(), title],
        cwd=ROOT,
        env=site.environment | {"PYTHONPATH": os.pathsep.join([site.environment["PYTHONPATH"], str(ROOT)])},
        check=True,
        timeout=60,
    )


def test_the_pages_chord_counts_each_tenants_chapters_and_no_others(
    adopters_folder: Path, postgres: EmbeddedPostgres
) -> None:
    with Site.running(
        postgres, adopters_folder, task_modules="adopter_books", name="books", declared_here=False
    ) as site:
        migrate(site.database.url(Role.MIGRATOR))
        site.environment |= {
            "PYTHONPATH": str(adopters_folder),
            "PARTYWALL_APP_SQL_FOLDER": str(adopters_folder / "sql"),
            "PARTYWALL_RESULT_BACKEND_URL": site.broker.url,
        }
        site.start_all("--pool=threads", "--concurrency=2")
        acme, zeta = make_tenant("acme"), make_tenant("zeta")
        write(acme, "Walls", "one two three", "four five")
        write(zeta, "Walls", "one")
        write(zeta, "Gaps", "one two", "")
        enqueue(acme, "Walls")
        enqueue(zeta, "Gaps")
        publish(site, zeta, "Walls")
        wait_until(lambda: len(counted(site)) == 3, timeout_seconds=30, what=site.worker.output()[-3000:])

        assert counted(site) == {("acme", "Walls"): 5, ("zeta", "Walls"): 1, ("zeta", "Gaps"): None}

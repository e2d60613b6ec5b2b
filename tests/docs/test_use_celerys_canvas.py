"""The tables, the tasks and the producer of docs/how-to/use-celerys-canvas.md, taken from the page and run."""

import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

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
PROVEN = ("books.add_up", "books.count", "books.count_chapter", "books.give_up")
"""All tasks of the page. Ours are proven in tests/prove."""


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


def write(tenant: TestTenant, title: str, *chapters: str) -> UUID:
    """Write a book of these chapters; return its id."""
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        book = text("insert into app.books (title) values (:title) returning id")
        book_id: UUID = session.execute(book, {"title": title}).scalar_one()
        for body in chapters:
            session.execute(
                text("insert into app.chapters (book_id, body) values (:book_id, :body)"),
                {"book_id": book_id, "body": body},
            )
        return book_id


def books(site: Site) -> dict[tuple[object, object], tuple[object, object]]:
    """Return state and words of every book by its tenant and title."""
    rows = site.database.ask(
        "select slug, title, state, words from app.books inner join partywall.tenants as t on t.id = tenant_id"
    )
    return {(slug, title): (state, words) for slug, title, state, words in rows}


def enqueue(tenant: TestTenant, book_id: UUID) -> None:
    with tenant_session(tenant.context, role=Role.API) as session:
        accepting.accept(
            session, task_name="books.count", payload={"id": str(book_id)}, queue="default", max_attempts=1
        )


def publish(site: Site, tenant: TestTenant, book_id: UUID) -> None:
    code = "import sys, uuid, adopter_producer; print(adopter_producer.count_book(sys.argv[1], uuid.UUID(sys.argv[2])))"
    subprocess.run(
        [sys.executable, "-c", code, tenant.key.spell(), str(book_id)],
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
        enqueue(acme, write(acme, "Walls", "one two three", "four five"))
        enqueue(zeta, write(zeta, "Gaps", "one two", ""))
        publish(site, zeta, write(zeta, "Walls", "one"))
        wait_until(
            lambda: all(state != "new" for state, _ in books(site).values()),
            timeout_seconds=30,
            what=site.worker.output()[-3000:],
        )

        assert books(site) == {
            ("acme", "Walls"): ("counted", 5),
            ("zeta", "Walls"): ("counted", 1),
            ("zeta", "Gaps"): ("uncountable", None),
        }


def test_the_pages_tasks_are_proven(adopters_folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from cli.main import app; app()", "prove", "--json", *PROVEN],
        cwd=ROOT,
        env=os.environ | {"PARTYWALL_TASK_MODULES": "adopter_books", "PYTHONPATH": str(adopters_folder)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = {each["task"]: each["verdict"] for each in json.loads(done.stdout)["tasks"]}
    assert verdicts == dict.fromkeys(PROVEN, "isolated")

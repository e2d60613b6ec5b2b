"""The table and the task of docs/how-to/call-the-outside-world-once.md, taken from the page and run."""

import json
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

PAGE = ROOT / "docs/how-to/call-the-outside-world-once.md"


class Provider(ThreadingHTTPServer):
    """Charges once for each key, and hangs up on the first request instead of answering it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Charging)
        self.keys: list[str] = []
        self.charges: dict[str, str] = {}


class Charging(BaseHTTPRequestHandler):
    """One request."""

    server: Provider

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers["Idempotency-Key"]
        is_first = not self.server.keys
        self.server.keys.append(key)
        charge_id = self.server.charges.setdefault(key, f"ch_{len(self.server.charges) + 1}")
        if is_first:
            return
        body = json.dumps({"id": charge_id}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A payment provider on this machine."""
    server = Provider()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def adopters_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the adopter's with the page's task, and a folder with the page's table."""
    (tmp_path / "adopter_payments.py").write_text(blocks(PAGE, "python")[0].code)
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql/0400_charges.sql").write_text(blocks(PAGE, "sql")[0].code)
    monkeypatch.setenv("PARTYWALL_APP_SQL_FOLDER", str(tmp_path / "sql"))
    return tmp_path


def test_an_attempt_that_never_heard_the_answer_is_charged_for_once(
    adopters_folder: Path, postgres: EmbeddedPostgres, provider: Provider
) -> None:
    with Site.running(
        postgres, adopters_folder, task_modules="adopter_payments", name="adopter_payments", declared_here=False
    ) as site:
        migrate(site.database.url(Role.MIGRATOR))
        site.environment |= {
            "PYTHONPATH": str(adopters_folder),
            "PARTYWALL_APP_SQL_FOLDER": str(adopters_folder / "sql"),
            "PAYMENTS_URL": f"http://127.0.0.1:{provider.server_port}/charges",
        }
        site.start_all("--pool=threads", "--concurrency=1")
        acme = make_tenant("acme")
        with tenant_session(acme.context, role=Role.API) as session:
            job_id = accepting.accept(
                session,
                task_name="payments.charge",
                payload={"number": "4711", "amount_cents": 1999},
                queue="default",
                max_attempts=5,
            ).job_id
        job = site.wait(acme, job_id)

        assert (job.state, job.attempt, job.result) == ("succeeded", 2, {"charge_id": "ch_1"}), job.error
        assert provider.keys == [str(job_id)] * 2
        assert len(provider.charges) == 1
        with tenant_session(acme.context, role=Role.WORKER) as session:
            kept = session.execute(text("select order_number, charge_id from app.charges")).all()
            assert [tuple(row) for row in kept] == [("4711", "ch_1")]

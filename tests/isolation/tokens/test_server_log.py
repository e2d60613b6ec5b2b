"""The server's own log, told to write down everything: it gets to see no token, key or payload."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from cli.stack import postgres as stack
from cli.stack.ports import any_free_port
from cli.stack.postgres import EmbeddedPostgres
from db import attempts, calls, jobs
from db.credentials import authenticate
from db.engine import dispose_engines
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.settings import DatabaseSettings
from db.tenants import open_tenant
from tests.databases import PASSWORD, Database, TestTenant, clone, drop, make_template, make_tenant
from tests.db.work import body_of, claim_one, enqueue_one

TALKATIVE = {
    "log_statement": "all",
    "log_min_duration_statement": "0",
    "log_min_error_statement": "error",
    "log_error_verbosity": "verbose",
    "log_connections": "on",
    "log_replication_commands": "on",
    "debug_print_parse": "on",
}
SECRET = "what a tenant wrote"


@pytest.fixture(scope="module")
def talkative(monkeypatch_module: pytest.MonkeyPatch) -> Iterator[EmbeddedPostgres]:
    """A server that logs every statement, with PostgreSQL's own defaults for what is bound."""
    for name in ("log_parameter_max_length", "log_parameter_max_length_on_error"):
        monkeypatch_module.delitem(stack.SETTINGS, name)
    for name, value in TALKATIVE.items():
        monkeypatch_module.setitem(stack.SETTINGS, name, value)
    with tempfile.TemporaryDirectory(prefix="partywall-tests-") as directory:
        server = EmbeddedPostgres(Path(directory) / "data", any_free_port(), PASSWORD, durable=False)
        server.initialise()
        with server.running():
            make_template(server)
            yield server


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    """A monkeypatch for the module."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture
def database(talkative: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database of that server."""
    made = clone(talkative, "logged")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    dispose_engines()
    yield made
    dispose_engines()
    drop(made)


def written_by(database: Database) -> str:
    return database.server.data_dir.with_name("data.log").read_text(errors="replace")


def live_a_life(acme: TestTenant) -> list[str]:
    """Do all that carries a token or a key, also what fails; return what must not be in the log."""
    with platform_connection(Role.API) as connection:
        principal = authenticate(connection, acme.key)
    with platform_connection(Role.OPERATOR) as connection:
        opened = open_tenant(connection, acme.slug)
    with tenant_session(opened, role=Role.OPERATOR) as session:
        jobs.list_jobs(session, limit=1)

    enqueue_one(acme, payload={"secret": SECRET})
    attempt = claim_one(acme)
    with body_of(attempt) as connection:
        connection.execute(text("select partywall.current_tenant_id()"))
        minted = calls.mint_tokens(attempt.context, role=Role.WORKER, calls=[(attempt.job_id, "x")], lifetime_seconds=9)
        with pytest.raises(DBAPIError):
            connection.execute(text("select cast(:secret as text), 1 / 0"), {"secret": SECRET})
        attempts.abandon(connection)
        attempts.finish(connection, result={"secret": SECRET})
    forged = acme.context.token[:-1] + ("0" if acme.context.token[-1] != "0" else "1")
    worker_url = DatabaseSettings.load().url(Role.WORKER)
    with psycopg.connect(worker_url, autocommit=True) as connection, pytest.raises(psycopg.Error):
        connection.execute("select partywall.enter(%s)", (forged,))

    contexts = (acme.context, principal.context, opened, attempt.context)
    return [*(context.token for context in contexts), *minted, forged, acme.key.secret, acme.key.digest.hex(), SECRET]


def test_every_statement_is_there_and_no_secret(database: Database) -> None:
    secrets = live_a_life(make_tenant("acme"))

    log = written_by(database)
    assert all(statement in log for statement in ("select partywall.enter(", "partywall.claim(", "partywall.finish("))
    assert "partywall.authenticate(" in log
    assert [secret for secret in secrets if secret in log] == []
    assert re.search(r"pw1\.[0-9]+\.[0-9a-f-]{36}\.", log) is None


@pytest.mark.parametrize("role", [Role.WORKER, Role.API, Role.OPERATOR])
def test_without_the_logins_own_setting_tokens_would_be_there(role: Role, database: Database) -> None:
    """The test above can see what it looks for."""
    acme = make_tenant("acme")
    database.do(f"alter role {role.login} reset log_parameter_max_length")
    dispose_engines()
    try:
        with tenant_session(acme.context, role=role) as session:
            session.execute(text("select 1"))
    finally:
        database.do(f"alter role {role.login} set log_parameter_max_length = 0")

    assert acme.context.token in written_by(database)


def test_the_logins_are_told_for_auto_explain_too(database: Database) -> None:
    asked = (
        "select rolname from pg_roles join pg_db_role_setting on setrole = pg_roles.oid where :told = any(setconfig)"
    )
    told = {name for (name,) in database.ask(asked, told="auto_explain.log_parameter_max_length=0")}

    assert told == {role.login for role in (Role.WORKER, Role.API, Role.OPERATOR)}

"""PgBouncer in front of the worker, with one connection for all clients: whoever comes next has it for sure."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from cli.stack.postgres import EmbeddedPostgres
from db.engine import ONE_STATEMENT, TENANT, build_engine, dispose_engines
from db.roles import Role
from db.settings import DatabaseSettings
from tests.isolation.attacks.field import Field
from tests.servers.pgbouncer import Pooler, pgbouncer


@contextmanager
def narrow_pooler(
    postgres: EmbeddedPostgres, *, program: str = "packaged", userlist: str | None = None, **settings: object
) -> Iterator[Pooler]:
    """Run PgBouncer with a single connection to each database."""
    narrow: dict[str, object] = {"default_pool_size": 1}
    with pgbouncer(postgres, userlist or verifiers(postgres), program=program, **(narrow | settings)) as running:
        yield running


def verifiers(postgres: EmbeddedPostgres) -> str:
    """Return the userlist of worker and API, made as docs/how-to/put-pgbouncer-in-front.md says."""
    logins = [Role.WORKER.login, Role.API.login]
    ask = """select format('"%%s" "%%s"', rolname, rolpassword) from pg_authid where rolname = any(%s)"""
    with psycopg.connect(postgres.admin_url("postgres")) as admin:
        return "".join(f"{line}\n" for (line,) in admin.execute(ask, (logins,)))


@contextmanager
def through(pooler: Pooler, field: Field) -> Iterator[None]:
    """Let this process's workers, and a neighbour, reach the field through the pooler while the block runs."""
    url = pooler.url(field.database.url(Role.WORKER))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARTYWALL_WORKER_DATABASE_URL", url)
        dispose_engines()
        engine = build_engine(url, settings=DatabaseSettings.load(), application_name="partywall-neighbour")
        options: dict[str, Any] = {TENANT: None, ONE_STATEMENT: True}
        field.neighbour = engine.execution_options(**options)
        yield
        field.neighbour = None
        engine.dispose()
        dispose_engines()

"""Fixtures of the audit's tests: one migrated database, to be changed in transactions that are rolled back."""

import os
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection

from cli.stack.postgres import EmbeddedPostgres
from db.audit import AuditReport, audit
from db.bare_connection import bare_connection
from tests.databases import Database, clone, drop

Audited = Callable[..., AuditReport]


@pytest.fixture(scope="package")
def shop(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """A migrated database that keeps nothing of any test."""
    made = clone(postgres, f"audit_{os.getpid()}")
    yield made
    drop(made)


@pytest.fixture
def connection(shop: Database) -> Iterator[Connection]:
    """A superuser's connection; what it does is rolled back."""
    with bare_connection(shop.admin_url) as opened:
        yield opened


@pytest.fixture
def audited(connection: Connection, shop: Database) -> Audited:
    """A function that runs SQL and returns what a login without any rights then finds, in the same transaction."""

    def run(*statements: str, **options: object) -> AuditReport:
        for statement in statements:
            connection.exec_driver_sql(
                statement.replace("{database}", shop.name), execution_options={"no_parameters": True}
            )
        connection.exec_driver_sql("set local session authorization partywall_scheduler")
        return audit(connection, **options)  # type: ignore[arg-type]

    return run

"""Real databases for tests: one server a run, one migrated template, one clone a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from cli.stack.postgres import EmbeddedPostgres
from db.context import TenantContext
from db.credentials import ApiKey, authenticate, create_api_key
from db.dsn import plain_url
from db.engine import dispose_engines
from db.migrate import bootstrap, migrate
from db.roles import Role
from db.session import platform_connection
from db.tenants import create_tenant

PASSWORD = "tests-only"
TEMPLATE = "partywall_template"


@dataclass(frozen=True)
class Database:
    """One database of the test's own, migrated, without tenants."""

    server: EmbeddedPostgres
    name: str

    def url(self, role: Role) -> str:
        """The role's DSN."""
        return self.server.url(role.login, PASSWORD, self.name)

    @property
    def admin_url(self) -> str:
        """The superuser's DSN. Only to look at things from outside, never to act as the system under test."""
        return self.server.admin_url(self.name)

    @property
    def environment(self) -> dict[str, str]:
        """The settings that point every role here."""
        return {f"PARTYWALL_{role.value.upper()}_DATABASE_URL": self.url(role) for role in Role}

    def ask(self, query: str, **parameters: object) -> list[tuple[object, ...]]:
        """Return the rows of a query as the superuser, who sees every tenant."""
        engine = create_engine(plain_url(self.admin_url), poolclass=NullPool)
        with engine.begin() as connection:
            return [tuple(row) for row in connection.execute(text(query), parameters)]

    def do(self, statement: str, **parameters: object) -> None:
        """Execute a statement as the superuser: what a test arranges behind the system's back."""
        engine = create_engine(plain_url(self.admin_url), poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text(statement), parameters)

    def do_outside_transactions(self, statement: str) -> None:
        """Execute a statement as the superuser that PostgreSQL takes by itself only."""
        _maintain(self.server, statement, database=self.name)


@dataclass(frozen=True)
class TestTenant:
    """A tenant with a key and a context, as a producer would have them."""

    __test__ = False

    id: UUID
    slug: str
    key: ApiKey
    context: TenantContext


def make_template(server: EmbeddedPostgres) -> None:
    """Migrate the template once; every clone is then a file copy."""
    _maintain(server, f"create database {TEMPLATE}")
    admin_url = server.admin_url(TEMPLATE)
    bootstrap(admin_url, logins=dict.fromkeys(Role, PASSWORD))
    migrate(server.url(Role.MIGRATOR.login, PASSWORD, TEMPLATE))


def clone(server: EmbeddedPostgres, name: str, *, template: str = TEMPLATE) -> Database:
    """Return a new database like the template."""
    _maintain(server, f"create database {name} template {template}")
    # Rights on the database itself are not part of a template.
    bootstrap(server.admin_url(name), logins={})
    return Database(server=server, name=name)


@contextmanager
def in_use(database: Database, **settings: str) -> Iterator[None]:
    """Point every role's setting at the database while the block runs; no engine leads elsewhere then or here after."""
    with pytest.MonkeyPatch.context() as patch, in_use_by(patch, database, **settings):
        yield


@contextmanager
def in_use_by(patch: pytest.MonkeyPatch, database: Database, **settings: str) -> Iterator[None]:
    """The same with a patch that is undone later: a test's own, so that what it sets meanwhile is undone before."""
    for name, value in {**database.environment, **settings}.items():
        patch.setenv(name, value)
    dispose_engines()
    try:
        yield
    finally:
        dispose_engines()


def let_everybody_lock(database: Database) -> None:
    """Let a body leave a session lock behind, as it can where no superuser bootstrapped."""
    database.do("grant execute on function pg_advisory_lock(bigint) to public")


def drop(database: Database) -> None:
    """Drop it, whoever is still connected."""
    _maintain(database.server, f"drop database {database.name} with (force)")


def make_tenant(slug: str, name: str | None = None) -> TestTenant:
    """Create an active tenant with a key, through the roles that may."""
    with platform_connection(Role.OPERATOR) as connection:
        tenant_id = create_tenant(connection, slug=slug, name=name or slug.title())
        key = create_api_key(connection, slug=slug, label="tests")
    with platform_connection(Role.API) as connection:
        principal = authenticate(connection, key)
    return TestTenant(id=tenant_id, slug=slug, key=key, context=principal.context)


def _maintain(server: EmbeddedPostgres, statement: str, *, database: str = "postgres") -> None:
    engine = create_engine(plain_url(server.admin_url(database)), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)

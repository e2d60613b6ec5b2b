"""Whom the gate lets in: a login that can do no more than its role, into a database whose wall stands."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy.exc import OperationalError

from cli.stack.ports import any_free_port
from db import guard
from db.errors import (
    LoginUnfitError,
    PartywallError,
    SchemaOlderError,
    SettingMissingError,
    WallBrokenError,
)
from db.gate import require_fit
from db.roles import Role
from tests.audit.zoo.platform import BELIEVES_ANYBODY
from tests.databases import PASSWORD, Database

SERVICES = [Role.WORKER, Role.API, Role.DISPATCHER, Role.SCHEDULER]
COLUMNS = "tenant_id uuid not null default partywall.current_tenant_id(), id int, primary key (tenant_id, id)"


@pytest.mark.parametrize("role", SERVICES)
def test_a_roles_own_login_is_let_in(role: Role, database: Database) -> None:
    require_fit(role)


# Roles belong to the whole server: what is given in a test is taken again.
GIVEN = {
    "superuser": ("alter role {login} superuser", "alter role {login} nosuperuser", "is a superuser"),
    "bypassrls": ("alter role {login} bypassrls", "alter role {login} nobypassrls", "has BYPASSRLS"),
    "createrole": ("alter role {login} createrole", "alter role {login} nocreaterole", "has CREATEROLE"),
    "replication": ("alter role {login} replication", "alter role {login} noreplication", "has REPLICATION"),
    "another role": (
        "grant partywall_operator to {login}",
        "revoke partywall_operator from {login}",
        "is a member of partywall_operator",
    ),
    "another role, not inherited": (
        "grant partywall_owner to {login}",
        "revoke partywall_owner from {login}",
        "is a member of partywall_owner",
    ),
    "another role, through a third": (
        "create role middleman; grant partywall_operator to middleman; grant middleman to {login}",
        "drop role middleman",
        "is a member of partywall_operator",
    ),
    "a superuser's role": (
        "create role might superuser; create role middleman; grant might to middleman; grant middleman to {login}",
        "drop role might, middleman",
        "is a member of might",
    ),
    "a role above policies": (
        "create role might bypassrls; grant might to {login}",
        "drop role might",
        "is a member of might",
    ),
    "the backup's role": (
        "grant partywall_backup to {login}",
        "revoke partywall_backup from {login}",
        "is a member of partywall_backup",
    ),
}


@contextmanager
def given(database: Database, statement: str, undo: str, login: str) -> Iterator[None]:
    """Give a login what it must not have while the block runs."""
    database.do(statement.format(login=login))
    try:
        yield
    finally:
        database.do(undo.format(login=login))


@pytest.mark.parametrize("role", SERVICES)
@pytest.mark.parametrize("gift", GIVEN)
def test_a_login_that_could_do_more_than_its_role_is_refused(gift: str, role: Role, database: Database) -> None:
    give, undo, words = GIVEN[gift]
    with given(database, give, undo, role.login), pytest.raises(LoginUnfitError, match=f"{role.login} {words}"):
        require_fit(role)


@pytest.mark.parametrize("role", SERVICES)
@pytest.mark.parametrize(
    ("make", "owned"),
    [
        (f"create table app.mine ({COLUMNS}); alter table app.mine owner to {{login}}", r"table app\.mine"),
        ("create schema mine authorization {login}", "schema mine"),
        (
            (
                "create function app.mine() returns int language sql as 'select 1';"
                " alter function app.mine() owner to {login}"
            ),
            r"routine app\.mine\(\)",
        ),
        ("create sequence public.mine; alter sequence public.mine owner to {login}", "sequence mine"),
    ],
    ids=["table", "schema", "function", "sequence"],
)
def test_a_login_that_owns_something_is_refused(make: str, owned: str, role: Role, own_database: Database) -> None:
    own_database.do(make.format(login=role.login))

    with pytest.raises(LoginUnfitError, match=f"{role.login} owns {owned}"):
        require_fit(role)


@pytest.mark.parametrize("role", SERVICES)
def test_the_owner_of_the_database_is_refused(role: Role, own_database: Database) -> None:
    own_database.do(f"alter database {own_database.name} owner to {role.login}")

    with pytest.raises(LoginUnfitError, match=f"owns database {own_database.name}"):
        require_fit(role)


@pytest.mark.parametrize("role", SERVICES)
def test_another_roles_login_is_refused_with_the_setting_to_change(
    role: Role, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = f"PARTYWALL_{role.value.upper()}_DATABASE_URL"
    monkeypatch.setenv(setting, database.url(Role.OPERATOR))

    with pytest.raises(LoginUnfitError, match=f"logs in as partywall_operator, expected {role.login}.*{setting}"):
        require_fit(role)


HOLES = [
    "alter table app.files disable row level security",
    "create policy wider on app.files using (true); drop policy tenant_isolation_always on app.files",
    (
        "create view app.all_files as select * from app.files; alter view app.all_files owner to postgres;"
        " grant select on app.all_files to partywall_worker, partywall_api, partywall_dispatcher, partywall_scheduler"
    ),
    "alter table partywall.jobs disable row level security",
    (
        "drop policy tenant_isolation_always on partywall.jobs;"
        " create policy oops on partywall.jobs to partywall_worker, partywall_api using (true)"
    ),
]


@pytest.mark.parametrize("role", [Role.WORKER, Role.API])
@pytest.mark.parametrize("hole", HOLES)
def test_a_wall_with_a_hole_is_refused(hole: str, role: Role, own_database: Database) -> None:
    own_database.do(hole)

    with pytest.raises(WallBrokenError, match=r"See: partywall audit"):
        require_fit(role)


@pytest.mark.parametrize("role", [Role.WORKER, Role.API])
def test_a_wall_whose_proof_was_replaced_is_refused(role: Role, own_database: Database) -> None:
    own_database.do(BELIEVES_ANYBODY)

    with pytest.raises(WallBrokenError, match=r"proven_tenant_id\(text\) is not as this version ships it: its body"):
        require_fit(role)


def test_a_database_of_another_age_is_told_so_and_not_that_its_functions_differ(own_database: Database) -> None:
    own_database.do(BELIEVES_ANYBODY)
    own_database.do("update partywall_private.installed_files set sha256 = '' where path = 'functions/tokens.sql'")

    with pytest.raises(SchemaOlderError):
        require_fit(Role.WORKER)


def test_a_hole_in_a_schema_that_the_guard_watches_is_refused(own_database: Database) -> None:
    own_database.do(
        f"create schema billing; create table billing.bills ({COLUMNS}); select partywall.protect('billing.bills')"
    )
    own_database.do(
        "grant usage on schema billing to partywall_worker; grant select on billing.bills to partywall_worker"
    )
    guard.install(own_database.admin_url)
    own_database.do("insert into partywall_guard.schemas values ('billing')")
    require_fit(Role.WORKER)
    own_database.do("set session_replication_role = replica; alter table billing.bills disable row level security")

    with pytest.raises(WallBrokenError, match=r"billing\.bills"):
        require_fit(Role.WORKER)


def test_a_login_without_its_rights_is_told_to_migrate(own_database: Database) -> None:
    own_database.do("revoke usage on schema partywall from partywall_worker")

    with pytest.raises(LoginUnfitError, match=r"lacks its rights .* Run: partywall migrate"):
        require_fit(Role.WORKER)


def test_an_older_database_is_refused(own_database: Database) -> None:
    own_database.do("update partywall_private.installed_files set sha256 = '' where path = 'functions/claim.sql'")

    with pytest.raises(SchemaOlderError):
        require_fit(Role.WORKER)


def test_a_setting_that_is_missing_or_malformed_is_refused_without_repeating_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTYWALL_WORKER_DATABASE_URL", f"no dsn, but {PASSWORD}")
    with pytest.raises(PartywallError) as refusal:
        require_fit(Role.WORKER)
    monkeypatch.delenv("PARTYWALL_WORKER_DATABASE_URL")
    with pytest.raises(SettingMissingError):
        require_fit(Role.WORKER)

    assert PASSWORD not in str(refusal.value)


def test_a_database_that_is_away_is_neither(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    away = f"postgresql://{Role.WORKER.login}:{PASSWORD}@127.0.0.1:{any_free_port()}/nowhere"
    monkeypatch.setenv("PARTYWALL_WORKER_DATABASE_URL", away)

    with pytest.raises(OperationalError):
        require_fit(Role.WORKER)

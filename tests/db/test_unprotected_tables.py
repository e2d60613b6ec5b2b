"""A migration does not end with a table outside the wall."""

from pathlib import Path

import pytest

from db.errors import TableUnprotectedError
from db.migrate import migrate
from db.roles import Role
from tests.databases import Database

BEHIND = "create table app.bare (tenant_id uuid, id int); select partywall.protect('app.bare');"


@pytest.mark.parametrize(
    "statements",
    [
        "create table app.bare (tenant_id uuid not null, id int primary key);",
        "create table app.bare (id int primary key);",
        f"{BEHIND} alter table app.bare no force row level security;",
        f"{BEHIND} drop policy tenant_isolation_always on app.bare;",
    ],
)
def test_a_table_that_stands_outside_the_wall_is_refused(
    statements: str, own_database: Database, sql_folder: Path
) -> None:
    (sql_folder / "app/9001_bare.sql").write_text(statements)

    with pytest.raises(TableUnprotectedError, match=r"select partywall\.protect\('app\.bare'\)"):
        migrate(own_database.url(Role.MIGRATOR))
    assert own_database.ask("select to_regclass('app.bare')") == [(None,)]


def test_a_table_that_says_it_is_shared_may_be(own_database: Database, sql_folder: Path) -> None:
    (sql_folder / "app/9001_countries.sql").write_text(
        "create table app.countries (code text primary key);\n"
        "comment on table app.countries is 'partywall: shared, the same for everybody';\n"
    )

    assert migrate(own_database.url(Role.MIGRATOR)).app_migrations == ["app/9001_countries.sql"]

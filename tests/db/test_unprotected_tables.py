"""A migration ends with an audit of what it leaves behind, and does not leave a hole."""

from pathlib import Path

import pytest

from db.errors import WallBrokenError
from db.migrate import migrate
from db.roles import Role
from tests.databases import Database

BEHIND = (
    "create table app.bare (tenant_id uuid, id int, primary key (tenant_id, id)); select partywall.protect('app.bare');"
)
PROTECT = r"select partywall\.protect\('app\.bare'\);"
GIVE_IT_A_TENANT = (
    r"tenant_id uuid not null default partywall\.current_tenant_id\(\).*" + PROTECT + r".*"
    r"comment on table app\.bare is 'partywall: shared, "
)


@pytest.mark.parametrize(
    ("statements", "mends_it"),
    [
        ("create table app.bare (tenant_id uuid not null, id int, primary key (tenant_id, id));", PROTECT),
        ("create table app.bare (id int primary key);", GIVE_IT_A_TENANT),
        (f"{BEHIND} alter table app.bare no force row level security;", PROTECT),
        (f"{BEHIND} drop policy tenant_isolation_always on app.bare;", PROTECT),
        (f"{BEHIND} create view app.all_of_it as select * from app.bare;", r"alter view app\.all_of_it set"),
        (f"{BEHIND} grant truncate on app.bare to partywall_worker;", r"revoke truncate on app\.bare from"),
    ],
    ids=["bare", "without a tenant", "not forced", "one policy", "a view", "a right too many"],
)
def test_a_migration_that_leaves_a_hole_is_refused_with_what_mends_it(
    statements: str, mends_it: str, own_database: Database, sql_folder: Path
) -> None:
    (sql_folder / "app/9001_bare.sql").write_text(statements)

    with pytest.raises(WallBrokenError, match=mends_it):
        migrate(own_database.url(Role.MIGRATOR))
    assert own_database.ask("select to_regclass('app.bare')") == [(None,)]


def test_a_table_that_says_it_is_shared_may_be(own_database: Database, sql_folder: Path) -> None:
    (sql_folder / "app/9001_countries.sql").write_text(
        "create table app.countries (code text primary key);\n"
        "comment on table app.countries is 'partywall: shared, the same for everybody';\n"
    )

    assert migrate(own_database.url(Role.MIGRATOR)).app_migrations == ["app/9001_countries.sql"]

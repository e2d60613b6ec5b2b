"""A job's body speaks about rows. What PostgreSQL lets every role do besides is not sent."""

import pytest
from psycopg import sql

from db.body_statements import BodyStatementError, refuse_in_a_body
from db.errors import PartywallError
from db.roles import Role
from db.session import platform_connection
from tests.databases import Database, TestTenant
from tests.db.work import body_of, start_one

NOT_ABOUT_ROWS = [
    "alter role partywall_worker password 'known'",
    "alter role current_user set statement_timeout = '1ms'",
    "ALTER\tUSER partywall_worker SET row_security = off",
    "grant partywall_worker to partywall_api",
    "drop owned by current_user",
    "lock table app.notes in access exclusive mode",
    "explain select * from app.notes",
    "do $$ begin execute 'alter role current_user reset all'; end $$",
    "create table app.t (id int)",
    "comment on table app.notes is 'x'",
    "security label on table app.notes is 'x'",
    "reassign owned by current_user to current_user",
    "analyze app.notes",
    "load 'x'",
    "/* select */ alter role current_user reset all",
    "-- select\rlock table app.notes",
]

ABOUT_ROWS = [
    "select 1",
    "(select 1) union (select 2)",
    "with a as (select 1) table a",
    "values (1)",
    "table app.notes",
    "insert into app.notes (body) values ('a note')",
    "update app.notes set body = 'another'",
    "delete from app.notes",
    "declare c cursor for select 1",
    "set local work_mem = '1MB'",
    "show work_mem",
    "listen somewhere",
    "notify somewhere",
    "prepare a as select 1",
    "savepoint a",
    "",
    "-- nothing",
]


@pytest.mark.parametrize("statement", NOT_ABOUT_ROWS)
def test_a_statement_about_anything_else_is_not_sent(statement: str) -> None:
    for query in (statement, statement.encode(), sql.SQL(statement)):
        with pytest.raises(BodyStatementError):
            refuse_in_a_body(query)


@pytest.mark.parametrize("statement", NOT_ABOUT_ROWS)
def test_a_body_that_tries_is_refused_and_its_login_stays_as_it_was(
    statement: str, database: Database, acme: TestTenant
) -> None:
    asked = "select rolpassword, (select count(*) from pg_db_role_setting) from pg_authid where rolname = :login"
    before = database.ask(asked, login=Role.WORKER.login)
    with body_of(start_one(acme)) as connection:
        with pytest.raises(BodyStatementError):
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql("select 1")

    assert database.ask(asked, login=Role.WORKER.login) == before


@pytest.mark.parametrize("statement", ABOUT_ROWS)
def test_a_statement_about_rows_is_sent(statement: str, database: Database, acme: TestTenant) -> None:
    with body_of(start_one(acme)) as connection:
        connection.exec_driver_sql(statement)


def test_it_cannot_hide_behind_another_statement(database: Database, acme: TestTenant) -> None:
    with body_of(start_one(acme)) as connection, pytest.raises(Exception, match="multiple commands"):
        connection.exec_driver_sql("select 1; alter role current_user set statement_timeout = '1ms'")


def test_it_cannot_hide_in_a_copy(database: Database, acme: TestTenant) -> None:
    with body_of(start_one(acme)) as connection:
        connection.exec_driver_sql("select 1")
        driver = connection.connection.driver_connection
        for text in ("copy (select 1) to stdout; commit", "alter role current_user reset all", "commit"):
            with pytest.raises(PartywallError), driver.cursor() as cursor, cursor.copy(text):  # type: ignore[union-attr]
                pass


def test_the_platform_itself_is_not_held_to_it(database: Database) -> None:
    with platform_connection(Role.WORKER) as connection:
        assert connection.exec_driver_sql("explain select 1").first() is not None

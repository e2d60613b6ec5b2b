"""A job's SQL cannot get past the fence by ending its transaction in text."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db import attempts
from db.body_statements import BodyStatementError
from db.engine import OWNER
from db.errors import LeaseLostError
from db.owner import Owner
from db.roles import Role
from db.session import become, platform_connection
from db.transaction_control import TransactionControlError, refuse_transaction_control
from tests.databases import Database, TestTenant
from tests.db.work import WRITE, body_of, claim_one, effects, enqueue_one, start_one, take_away

ENDINGS = [
    "commit",
    "COMMIT AND CHAIN",
    "end",
    "abort",
    "rollback",
    "rollback work",
    "begin",
    "start transaction",
    "start /* a */ transaction",
    "prepare transaction 'x'",
    "/* a /* nested */ one */ -- and\n commit",
    " ;; commit",
    "-- a carriage return ends a comment too\rcommit",
    "--\rcommit",
]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_statement_that_ends_the_transaction_is_told(ending: str) -> None:
    with pytest.raises(TransactionControlError):
        refuse_transaction_control(ending)
    with pytest.raises(TransactionControlError):
        refuse_transaction_control(ending.encode())


@pytest.mark.parametrize(
    "statement",
    [
        "select 'commit'",
        "rollback to savepoint a",
        "ROLLBACK WORK TO a",
        "savepoint commit",
        "prepare a as select 1",
        "",
    ],
)
def test_a_statement_that_works_inside_it_is_not(statement: str) -> None:
    refuse_transaction_control(statement)


@pytest.mark.parametrize("ending", [*ENDINGS, "select 1; commit; select 1", "do $$ begin commit; end $$"])
def test_a_zombie_cannot_keep_what_it_wrote_by_committing_in_sql(
    database: Database, acme: TestTenant, ending: str
) -> None:
    enqueue_one(acme)
    attempt = claim_one(acme)
    with platform_connection(Role.WORKER) as connection:
        become(connection, attempt.context)
        attempts.fence(connection)
        connection.execute(text("select partywall.enqueue('tests.zombie', '{}'::jsonb, 'default', null, 1)"))
        database.do("update partywall.jobs set attempt = attempt + 1 where id = :id", id=attempt.job_id)
        with pytest.raises((TransactionControlError, BodyStatementError, DBAPIError)):
            connection.exec_driver_sql(ending)
        with pytest.raises((LeaseLostError, DBAPIError)):
            connection.commit()
        attempts.abandon(connection)

    assert database.ask("select count(*) from partywall.jobs where task_name = 'tests.zombie'") == [(0,)]


@pytest.mark.parametrize("named", [(), ("a cursor of the server",)], ids=["unnamed", "named"])
@pytest.mark.parametrize("kind", ["copy", "stream"])
@pytest.mark.parametrize("ending", ["commit", "copy (select 1) to stdout; commit"])
def test_a_zombie_cannot_commit_in_what_travels_by_itself(
    database: Database, acme: TestTenant, kind: str, ending: str, named: tuple[str, ...]
) -> None:
    zombie = start_one(acme)
    with body_of(zombie) as connection:
        connection.execute(WRITE)
        take_away(database, zombie)
        driver: Any = connection.connection.driver_connection
        with driver.cursor(*named) as cursor, pytest.raises(TransactionControlError):
            if kind == "copy":
                with cursor.copy(ending):
                    pass
            else:
                list(cursor.stream(ending))
        attempts.abandon(connection)

    assert effects(database) == 0


@pytest.mark.parametrize("named", [(), ("a cursor of the server",)], ids=["unnamed", "named"])
def test_what_travels_by_itself_may_be_one_statement(acme: TestTenant, named: tuple[str, ...]) -> None:
    with body_of(start_one(acme)) as connection:
        connection.begin()
        driver: Any = connection.connection.driver_connection
        with driver.cursor(*named) as cursor:
            with cursor.copy("copy (select partywall.current_tenant_id()) to stdout") as copy:
                copied = b"".join(copy).decode().strip()
            streamed = list(cursor.stream("select partywall.current_tenant_id();"))
        attempts.abandon(connection)

    assert (copied, streamed) == (str(acme.id), [(acme.id,)])


@pytest.mark.parametrize("name", ["copy", "stream"])
def test_what_travels_by_itself_brings_the_context_along(acme: TestTenant, name: str) -> None:
    with body_of(start_one(acme)) as connection:
        connection.begin()
        driver: Any = connection.connection.driver_connection
        with driver.cursor("first in its transaction") as cursor:
            if name == "copy":
                with cursor.copy("copy (select partywall.current_tenant_id()) to stdout") as copy:
                    (said,) = b"".join(copy).decode().split()
            else:
                ((said,),) = cursor.stream("select partywall.current_tenant_id()::text")
        attempts.abandon(connection)

    assert said == str(acme.id)


def test_a_zombie_cannot_commit_in_a_transaction_of_the_drivers(database: Database, acme: TestTenant) -> None:
    zombie = start_one(acme)
    with body_of(zombie) as connection:
        take_away(database, zombie)
        connection.begin()
        driver: Any = connection.connection.driver_connection
        with pytest.raises(TransactionControlError), driver.transaction():
            driver.execute("insert into app.notes (body) values ('an effect')")
        attempts.abandon(connection)

    assert effects(database) == 0


def test_a_body_without_a_fence_cannot_commit_in_a_transaction_of_the_drivers_either(acme: TestTenant) -> None:
    with platform_connection(Role.WORKER) as connection:
        become(connection, acme.context)
        connection.execution_options(**{OWNER: Owner.enter()})
        connection.begin()
        driver: Any = connection.connection.driver_connection
        with pytest.raises(TransactionControlError), driver.transaction():
            pass


def test_where_nothing_is_fenced_the_driver_may_begin_a_transaction(database: Database) -> None:
    with platform_connection(Role.WORKER) as connection:
        driver: Any = connection.connection.driver_connection
        with driver.transaction():
            assert driver.execute("select 1").fetchone() == (1,)

"""Mending what was found: what `partywall audit --fix` does."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from db import guard
from db.audit.auditing import audit
from db.audit.finding import AuditReport, Finding
from db.bare_connection import bare_connection
from db.migration_lock import acquire_lock


@dataclass(frozen=True, slots=True)
class Repair:
    """A fix that was run."""

    sql: str
    refused: str | None = None
    """What PostgreSQL said where it would not; nothing of this fix was kept."""


def fix_database(
    migrator_url: str, *, schemas: Sequence[str] | None, roles: Sequence[str] | None, wait_seconds: float = 120.0
) -> tuple[list[Repair], AuditReport]:
    """Run every fix that the owner of the tables may run, in one transaction; return them and what is still found.

    `schemas` are the ones to mend, by default every one that holds tenants' rows: see `guard.walled_schemas()`.

    Raises:
        MigrationBusyError: a migration held the lock for `wait_seconds`.
        AuditRoleUnknownError, AuditSchemaUnknownError: there is nothing of that name to judge.
    """
    with bare_connection(migrator_url) as connection:
        acquire_lock(connection, wait_seconds=wait_seconds)
        connection.execute(text("set local role partywall_owner"))
        connection.execute(text("set local lock_timeout = '4s'"))
        schemas = schemas or guard.walled_schemas(connection)
        repairs = fix(connection, audit(connection, schemas=schemas, roles=roles).findings)
        report = audit(connection, schemas=schemas, roles=roles)
        connection.commit()
    # REVOKE by somebody who is not the owner only warns.
    left = {finding.fix for finding in report.findings}
    return [
        replace(repair, refused="it changed nothing; let the object's owner or a superuser run it")
        if repair.refused is None and repair.sql in left
        else repair
        for repair in repairs
    ], report


def fix(connection: Connection, findings: Iterable[Finding]) -> list[Repair]:
    """Run each fix that the owner may run, once, in the connection's transaction. One that is refused is undone."""
    statements = [finding.fix for finding in findings if finding.fix is not None and finding.fixed_by == "owner"]
    return [_run(connection, statement) for statement in dict.fromkeys(statements)]


def _run(connection: Connection, statement: str) -> Repair:
    savepoint = connection.begin_nested()
    try:
        # Whatever is deferred to the end, a guard's refusal too, belongs to the statement that it is about.
        connection.exec_driver_sql(
            f"{statement} set constraints all immediate;", execution_options={"no_parameters": True}
        )
    except DBAPIError as error:
        savepoint.rollback()
        said = str(error.orig).strip().partition("\n")[0]
        if isinstance(error.orig, InsufficientPrivilege):
            said += "; let a superuser give it to partywall_owner (alter ... owner to), or run this"
        return Repair(statement, refused=said)
    savepoint.commit()
    return Repair(statement)

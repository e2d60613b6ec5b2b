"""Asking the catalog every question at once."""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, text

from db.audit.asking import ask
from db.audit.checks import Check, catalog_checks
from db.audit.exemptions import apply_exemptions, declarations
from db.audit.finding import AuditReport, Finding
from db.audit.severity import Severity
from db.errors import PartywallError
from db.roles import Role


class AuditRoleUnknownError(PartywallError):
    """There is no such login to judge."""


class AuditSchemaUnknownError(PartywallError):
    """There is no such schema to judge."""


def audit(
    connection: Connection, *, schemas: Sequence[str] = ("app",), roles: Sequence[str] | None = None
) -> AuditReport:
    """Return everything that lets one tenant reach another, as far as the catalog tells.

    Reads the catalog only, as it is in the connection's transaction; any login may ask. `roles` are the logins to
    judge, by default the platform's that exist.

    Raises:
        AuditRoleUnknownError: no login to judge, or a name in `roles` that is none.
        AuditSchemaUnknownError: a name in `schemas` that is none.
    """
    started = time.perf_counter()
    logins = _logins(connection, roles)
    _require_schemas(connection, schemas)
    with _settings(connection):
        findings = _without_echoes(_findings(connection, schemas, logins))
        declared = declarations(connection, schemas=schemas, logins=logins)
    # What is right for a login that is not judged today would look like it is right for nobody.
    kept, exempted, exemptions = apply_exemptions(findings, declared, find_unused=roles is None)
    return AuditReport(
        findings=sorted(kept, key=lambda each: each.order),
        exemptions=exemptions,
        exempted=exempted,
        schemas=list(schemas),
        roles=logins,
        seconds=time.perf_counter() - started,
    )


def _findings(connection: Connection, schemas: Sequence[str], logins: Sequence[str]) -> list[Finding]:
    # One statement, so that all is seen at one moment and the scope is worked out once.
    checks = catalog_checks()
    questions = "\nunion all\n".join(
        f"select '{check.id}' as check_id, asked.object, asked.part, asked.role, asked.message, asked.fix\n"
        f"from (\n{check.query}\n) as asked"
        for check in checks
    )
    by_id = {check.id: check for check in checks}
    return [
        _finding(by_id[row.check_id], object=row.object, part=row.part, role=row.role, message=row.message, fix=row.fix)
        for row in ask(connection, questions, schemas=schemas, logins=logins)
    ]


def _finding(
    check: Check, *, object: str, part: str | None, role: str | None, message: str, fix: str | None
) -> Finding:
    return Finding(
        check=check.id,
        severity=check.severity,
        object=object,
        part=part,
        role=role,
        message=message,
        why=check.why,
        fix=fix,
        fixed_by=check.fixed_by,
    )


_TOLD_BY = {
    "policy-not-canonical": None,
    "restrictive-policy-missing": {"policy-always-true", "policy-not-on-tenant-column"},
}
"""What goes without saying of a policy of which one of these says something worse; None is any that is `high`."""


def _without_echoes(findings: Sequence[Finding]) -> list[Finding]:
    said: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    for finding in findings:
        if finding.severity.rank >= Severity.HIGH.rank and finding.check not in _TOLD_BY:
            said[(finding.object, finding.part)].add(finding.check)
    return [finding for finding in findings if not _is_told(finding, said[(finding.object, finding.part)])]


def _is_told(finding: Finding, others: set[str]) -> bool:
    if finding.check not in _TOLD_BY:
        return False
    worse = _TOLD_BY[finding.check]
    return bool(others if worse is None else others & worse)


def _logins(connection: Connection, roles: Sequence[str] | None) -> list[str]:
    asked = [role.login for role in Role] if roles is None else list(roles)
    known = connection.execute(
        text("select rolname::text from pg_catalog.pg_roles where rolname = any(cast(:roles as text[]))"),
        {"roles": asked},
    )
    existing = set(known.scalars())
    found = [login for login in asked if login in existing]
    missing = [] if roles is None else sorted(set(asked) - existing)
    if missing or not found:
        # Nobody to judge would mean nothing found, which reads like all is well.
        raise AuditRoleUnknownError(
            roles=", ".join(missing or asked), hint="Name the logins that your services use with --role."
        )
    return found


def _require_schemas(connection: Connection, schemas: Sequence[str]) -> None:
    known = connection.execute(
        text("select nspname::text from pg_catalog.pg_namespace where nspname = any(cast(:schemas as text[]))"),
        {"schemas": list(schemas)},
    )
    missing = sorted(set(schemas) - set(known.scalars()))
    if missing or not schemas:
        raise AuditSchemaUnknownError(schemas=", ".join(missing), hint="Name those of your tables with --schema.")


_SETTINGS = {
    # Names come out with their schema, and nothing outside pg_catalog is called.
    "search_path": "pg_catalog",
    # The planner takes the scope for small. With 500 tables its nested loops take three times as long as hash joins.
    "enable_nestloop": "off",
    # A second of compiling for a query of a few hundred milliseconds.
    "jit": "off",
}


@contextmanager
def _settings(connection: Connection) -> Iterator[None]:
    before = {name: _current(connection, name) for name in _SETTINGS}
    _configure(connection, _SETTINGS)
    yield
    # Only where nothing went wrong: an error ends the transaction, and with it the settings.
    _configure(connection, before)


def _current(connection: Connection, name: str) -> str:
    value: str = connection.execute(text("select pg_catalog.current_setting(:name)"), {"name": name}).scalar_one()
    return value


def _configure(connection: Connection, settings: Mapping[str, str]) -> None:
    for name, value in settings.items():
        connection.execute(text("select pg_catalog.set_config(:name, :value, true)"), {"name": name, "value": value})

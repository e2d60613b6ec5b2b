"""What a migration answers for at its end: no hole in the adopter's schemas, no function of ours replaced."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from db import guard
from db.audit import Finding, Severity, audit
from db.audit.alterations import ALTERED
from db.errors import WallBrokenError, from_database

STRAY = "tenant-table-not-audited"
"""A table of tenants outside the audited schemas: whoever made it made it here."""
_MADE_HERE = (STRAY, ALTERED)
"""Checks of which a finding is a migration's, wherever it is: all functions were just put back to what they are."""


def refuse_holes(connection: Connection) -> Sequence[Finding]:
    """Audit the adopter's schemas as they are in this transaction; return what is `high` and not a migration's to mend.

    Raises:
        WallBrokenError: a finding of `high` or `critical` in the adopter's schemas, or the guard refuses something.
    """
    with guards_refusals():
        guard.settle(connection)
    schemas = guard.walled_schemas(connection)
    serious = audit(connection, schemas=schemas).at_least(Severity.HIGH)
    holes = [finding for finding in serious if finding.check in _MADE_HERE or _is_in(finding, schemas)]
    if holes:
        raise _broken(holes)
    return [finding for finding in serious if finding not in holes]


@contextmanager
def guards_refusals() -> Iterator[None]:
    """Raise what the guard refuses in the block, a COMMIT for example, as our own error."""
    try:
        yield
    except DBAPIError as error:
        known = from_database(error.orig) if error.orig else None
        if known is None:
            raise
        raise known from error


def _is_in(finding: Finding, schemas: Sequence[str]) -> bool:
    # A role that is a superuser, a right on the database, another team's schema: serious, and not a migration's to
    # mend. It would only keep a fix from being deployed; the processes' own start refuses what is critical.
    name = finding.object.removeprefix("schema ")
    spelled = [*schemas, *(f'"{schema}"' for schema in schemas)]
    return any(name == each or name.startswith(f"{each}.") for each in spelled)


def _broken(holes: Sequence[Finding]) -> WallBrokenError:
    told = [_told(finding) for finding in holes]
    fixes = list(dict.fromkeys(finding.fix for finding in holes if finding.fix))
    # One is a sentence; several are a list, or nobody finds the second.
    between = " " if len(told) == 1 else "\n  "
    message = told[0] if len(told) == 1 else between.join([f"{len(told)} holes in the wall:", *told])
    return WallBrokenError(
        message, hint=between.join([f"Nothing was changed.{' To mend it:' if fixes else ''}", *fixes])
    )


def _told(finding: Finding) -> str:
    return " ".join(filter(None, (finding.object, finding.part and f"({finding.part})", finding.message)))

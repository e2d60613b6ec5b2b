"""The checks: one file of `sql/audit/` each.

Its first lines are comments: what it finds; how bad that is and who mends it, as in `critical, fixed by the owner, not
for shared tables`; why it matters. Then a query with the columns object, part, role, message and fix.
"""

import re
from dataclasses import dataclass
from typing import Literal

from db import sql_files
from db.audit.severity import Severity
from db.errors import PartywallError
from db.sql_files import SqlFile

FixedBy = Literal["owner", "superuser", "hand"]

_HEADER = re.compile(
    r"-- (?P<title>.*)\n-- (?P<severity>critical|high|medium|low), fixed by (?P<fixer>the owner|a superuser|hand)"
    r"(?P<tenants_only>, not for shared tables)?\n(?P<why>(?:-- .*\n)+)"
)
_FIXERS: dict[str, FixedBy] = {"the owner": "owner", "a superuser": "superuser", "hand": "hand"}


class CheckInvalidError(PartywallError):
    """A file of sql/audit/ does not begin as a check does."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question. Its rows are what is wrong."""

    id: str
    title: str
    """What it finds."""
    severity: Severity
    fixed_by: FixedBy
    why: str
    tenants_only: bool = False
    """`shared` in a table's comment answers it."""
    query: str = ""
    """Empty where Python finds the rows, not the catalog."""


def catalog_checks() -> list[Check]:
    """Return the checks of `sql/audit/`, by id."""
    return [_parse(file) for file in sql_files.files_in("audit")]


def _parse(file: SqlFile) -> Check:
    head = _HEADER.match(file.text)
    if head is None:
        raise CheckInvalidError(
            file=file.path, hint="Begin with three comments: what it finds; `high, fixed by the owner`; why it matters."
        )
    return Check(
        id=file.path.rpartition("/")[2].removesuffix(".sql"),
        title=head["title"],
        severity=Severity(head["severity"]),
        fixed_by=_FIXERS[head["fixer"]],
        why=" ".join(line.removeprefix("-- ") for line in head["why"].splitlines()),
        tenants_only=head["tenants_only"] is not None,
        query=file.text[head.end() :].strip(),
    )

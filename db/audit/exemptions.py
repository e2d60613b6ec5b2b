"""What was declared to be right, in the comment of the object it is about, one declaration a line.

`partywall: shared, the same for everybody` on a table, `partywall: allow unique-without-tenant, a random number` on
whatever may be commented on.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from db.audit.alterations import ALTERED
from db.audit.asking import ask
from db.audit.checks import Check, catalog_checks
from db.audit.finding import Exemption, Finding
from db.audit.probe_checks import PROBE_CHECKS
from db.audit.severity import Severity

WITHOUT_REASON = Check(
    "exemption-without-reason",
    "An exemption that does not say why.",
    Severity.MEDIUM,
    "hand",
    "Nobody can tell later whether it is still right. It counts for nothing until it says why.",
)
UNREADABLE = Check(
    "exemption-unreadable",
    "A comment that begins with `partywall:` and cannot be read.",
    Severity.MEDIUM,
    "hand",
    "It was meant to exempt something and exempts nothing.",
)
UNKNOWN = Check(
    "exemption-for-unknown-check",
    "An exemption from a check that does not exist.",
    Severity.MEDIUM,
    "hand",
    "It was meant to exempt something and exempts nothing: no check has this name.",
)
UNUSED = Check(
    "exemption-unused",
    "An exemption that exempts nothing.",
    Severity.LOW,
    "hand",
    "What it exempted is gone. Left in place it would hide the same thing should it come back.",
)
EXEMPTION_CHECKS = [UNKNOWN, UNREADABLE, UNUSED, WITHOUT_REASON]

_LINE = re.compile(
    r"partywall:\s*(?P<verb>shared|allow\s+(?P<check>[a-z0-9][a-z0-9-]*))\s*(?:,\s*(?P<reason>.*))?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Declaration:
    """One line of a comment that speaks to the audit."""

    object: str
    part: str | None
    line: str


def declarations(connection: Connection, *, schemas: Sequence[str], logins: Sequence[str]) -> list[Declaration]:
    """Return every line of a comment that begins with `partywall:`, also those that make no sense."""
    rows = ask(connection, "select object, part, comment from comments order by 1, 2", schemas=schemas, logins=logins)
    return [
        Declaration(row.object, row.part, line.strip())
        for row in rows
        for line in row.comment.splitlines()
        if line.strip().startswith("partywall:")
    ]


def apply_exemptions(
    findings: Sequence[Finding], declared: Sequence[Declaration], *, find_unused: bool
) -> tuple[list[Finding], list[tuple[Finding, Exemption]], list[Exemption]]:
    """Return the findings that are left, those that are exempted and by what, and all exemptions that count.

    Among those that are left are the ones about the declarations themselves.
    """
    known = {check.id for check in (*catalog_checks(), *PROBE_CHECKS)}
    read = [_read(declaration, known) for declaration in declared]
    exemptions = [each for each in read if isinstance(each, Exemption)]
    left, exempted = sift(findings, exemptions)
    left += [each for each in read if isinstance(each, Finding)]
    if find_unused:
        used = {exemption for _, exemption in exempted}
        left += [_unused(each) for each in exemptions if each not in used and _is_judged_here(each)]
    return left, exempted, exemptions


def sift(
    findings: Iterable[Finding], exemptions: Sequence[Exemption]
) -> tuple[list[Finding], list[tuple[Finding, Exemption]]]:
    """Return the findings that no exemption covers, and the others, once for each exemption that covers them."""
    tenants_only = {check.id for check in (*catalog_checks(), *PROBE_CHECKS) if check.tenants_only}
    left: list[Finding] = []
    exempted: list[tuple[Finding, Exemption]] = []
    for finding in findings:
        answers = {finding.check, None} if finding.check in tenants_only else {finding.check}
        covering = [each for each in exemptions if each.check in answers and each.covers(finding)]
        if finding.check == ALTERED:
            # Whoever replaces a function of the wall could say in its comment that this is right.
            covering = []
        exempted += [(finding, each) for each in covering]
        if not covering:
            left.append(finding)
    return left, exempted


def _is_judged_here(exemption: Exemption) -> bool:
    # What only the probe finds is not found by the catalog, and what is said of a role may be true in another database.
    return exemption.check not in {check.id for check in PROBE_CHECKS} and not exemption.object.startswith("role ")


def _read(declaration: Declaration, known: set[str]) -> Exemption | Finding:
    found = _LINE.fullmatch(declaration.line)
    if found is None:
        return _complaint(UNREADABLE, declaration, f"cannot be read: {declaration.line}")
    check, reason = found["check"], found["reason"]
    if check is not None and check not in known:
        return _complaint(UNKNOWN, declaration, f"allows {check}, and there is no such check")
    if not reason:
        return _complaint(WITHOUT_REASON, declaration, f"gives no reason: {declaration.line}")
    return Exemption(object=declaration.object, check=check, reason=reason, part=declaration.part)


def _complaint(check: Check, about: Declaration, message: str) -> Finding:
    return Finding(
        check=check.id,
        severity=check.severity,
        object=about.object,
        part=about.part,
        role=None,
        message=f"its comment {message}",
        why=check.why,
        fix=None,
        fixed_by=check.fixed_by,
    )


def _unused(exemption: Exemption) -> Finding:
    said = "says that it is shared" if exemption.check is None else f"allows {exemption.check}"
    about = Declaration(exemption.object, exemption.part, "")
    return _complaint(UNUSED, about, f"{said}, and there is nothing to exempt")

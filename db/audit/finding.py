"""What an audit finds, what it was told to leave alone, and both together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from db.audit.checks import FixedBy
from db.audit.severity import Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with one object, as a person and a program can act on it."""

    check: str
    """Which check found it: `rls-disabled`."""
    severity: Severity
    object: str
    """`app.orders`, `app.total(integer)`, `role partywall_worker`, `database shop`, `schema app`."""
    role: str | None
    """The login that is judged; None where it is not about one login."""
    message: str
    """What is so."""
    why: str
    """Why it matters."""
    fix: str | None
    """The exact SQL that mends it; None where no SQL can."""
    part: str | None = None
    """The part of the object: `policy tenant_isolation`, `column tenant_id`, `constraint orders_pkey`."""
    fixed_by: FixedBy = "hand"
    """Who may run `fix`: the `owner` (what --fix does), a `superuser`, or `hand`: a person has to look first."""

    @property
    def order(self) -> tuple[int, str, str, str, str]:
        """What findings are sorted by: the worst first."""
        return (-self.severity.rank, self.check, self.object, self.part or "", self.role or "")


@dataclass(frozen=True, slots=True)
class Exemption:
    """A finding that was declared to be right, in the comment of its object."""

    object: str
    check: str | None
    """None for `shared`: a table of all tenants, to which no check of tenants' tables applies."""
    reason: str
    part: str | None = None
    """The part of the object whose comment it is; None covers the object and all its parts."""

    def covers(self, finding: Finding) -> bool:
        """Return whether the finding is about this object and, if so, this part of it."""
        return self.object == finding.object and self.part in (None, finding.part)


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Everything found, the worst first, and everything exempted."""

    findings: Sequence[Finding]
    exemptions: Sequence[Exemption] = ()
    seconds: float = 0.0
    exempted: Sequence[tuple[Finding, Exemption]] = ()
    """What would have been found."""
    schemas: Sequence[str] = ()
    roles: Sequence[str] = ()
    """The logins that were judged."""

    def with_more(self, findings: Iterable[Finding], exempted: Iterable[tuple[Finding, Exemption]]) -> "AuditReport":
        """Return the same with what was found by other means than the catalog."""
        return replace(
            self,
            findings=sorted([*self.findings, *findings], key=lambda each: each.order),
            exempted=[*self.exempted, *exempted],
        )

    def at_least(self, severity: Severity) -> list[Finding]:
        """Return the findings that are as bad as `severity` or worse."""
        return [finding for finding in self.findings if finding.severity.rank >= severity.rank]

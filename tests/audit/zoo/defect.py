"""What one animal of the zoo is."""

from dataclasses import dataclass, field

TABLE = """
create table app.t (
    tenant_id  uuid not null default partywall.current_tenant_id(),
    id         uuid not null default partywall.uuid7(),
    body       text,
    primary key (tenant_id, id)
);
"""
"""A tenant table as an adopter writes it, not yet behind the wall."""
PROTECT = "select partywall.protect('app.t');"
GOOD = TABLE + PROTECT

OWNER = "set local role partywall_owner;"
SUPERUSER = "reset role;"


@dataclass(frozen=True)
class Defect:
    """SQL that plants one thing wrong, what the audit has to say about it, and SQL that does the same rightly."""

    check: str
    name: str
    plant: str
    clean: str
    object: str = "app.t"
    part: str | None = None
    role: str | None = None
    also: frozenset[tuple[str, str]] = field(default=frozenset())
    """(check, object) that cannot but be found as well."""
    by: str = OWNER
    """Who plants it."""

    @property
    def id(self) -> str:
        """The name of the test."""
        return f"{self.check}: {self.name}"

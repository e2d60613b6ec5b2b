"""How bad a finding is."""

from enum import StrEnum


class Severity(StrEnum):
    """From the worst to the least. Compare by `rank`; the members themselves are words."""

    CRITICAL = "critical"
    """One tenant reaches another's rows, or everybody's. No process starts."""
    HIGH = "high"
    """A part of the wall is missing, or there is a way around it. `partywall audit` and `migrate` fail."""
    MEDIUM = "medium"
    """Weakens the wall, shows a little of others, or makes it slow or useless. Nothing fails."""
    LOW = "low"
    """Untidy, or slower than it could be."""

    @property
    def rank(self) -> int:
        """3 for critical down to 0 for low."""
        return 3 - list(Severity).index(self)

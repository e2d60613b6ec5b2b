"""What only playing the attacks finds."""

from db.audit.checks import Check
from db.audit.severity import Severity

READ = Check(
    "probe-read",
    Severity.CRITICAL,
    "hand",
    "Played against the table itself: somebody saw rows that are not theirs. Whatever the policies say, this is so.",
)
VIEW = Check(
    "probe-view",
    Severity.CRITICAL,
    "hand",
    "What another tenant writes changes what this view shows.",
)
WRITE = Check(
    "probe-write",
    Severity.CRITICAL,
    "hand",
    "Played against the table itself: one tenant's statement wrote, moved or removed another's rows.",
)
REFERENCE = Check(
    "probe-reference",
    Severity.HIGH,
    "hand",
    "A row of one tenant refers to a row of another: the one learns that it exists, the other can no longer delete it.",
)
UNIQUE = Check(
    "probe-unique",
    Severity.HIGH,
    "hand",
    "A value was refused because another tenant has it, and accepted when that one had not.",
)
CONTEXT = Check(
    "probe-context",
    Severity.CRITICAL,
    "hand",
    "A transaction was somebody without proof, or still was after its end.",
)
NOT_POSSIBLE = Check(
    "probe-not-possible",
    Severity.MEDIUM,
    "hand",
    "An attack that cannot be played proves nothing. Let a superuser connect, or fill the table, and probe again.",
)

PROBE_CHECKS = [CONTEXT, NOT_POSSIBLE, READ, REFERENCE, UNIQUE, VIEW, WRITE]

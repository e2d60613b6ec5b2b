"""What only playing the attacks finds."""

from db.audit.checks import Check
from db.audit.severity import Severity

READ = Check(
    "probe-read",
    "A tenant, or nobody, reads another tenant's rows.",
    Severity.CRITICAL,
    "hand",
    "Played against the table itself: somebody saw rows that are not theirs. Whatever the policies say, this is so.",
)
VIEW = Check(
    "probe-view",
    "A view shows another tenant's rows, or how many there are.",
    Severity.CRITICAL,
    "hand",
    "What another tenant writes changes what this view shows.",
)
WRITE = Check(
    "probe-write",
    "A tenant, or nobody, writes, moves or removes another tenant's rows.",
    Severity.CRITICAL,
    "hand",
    "Played against the table itself: one tenant's statement wrote, moved or removed another's rows.",
)
REFERENCE = Check(
    "probe-reference",
    "A tenant refers to another tenant's row.",
    Severity.HIGH,
    "hand",
    "A row of one tenant refers to a row of another: the one learns that it exists, the other can no longer delete it.",
)
UNIQUE = Check(
    "probe-unique",
    "A unique index tells a tenant what another one has.",
    Severity.HIGH,
    "hand",
    "A value was refused because another tenant has it, and accepted when that one had not.",
)
CONTEXT = Check(
    "probe-context",
    "A forged token is believed, or a context outlives its transaction.",
    Severity.CRITICAL,
    "hand",
    "A transaction was somebody without proof, or still was after its end.",
)
NOT_POSSIBLE = Check(
    "probe-not-possible",
    "A table or view on which the attacks could not be played.",
    Severity.MEDIUM,
    "hand",
    "An attack that cannot be played proves nothing. Let a superuser connect, or fill the table, and probe again.",
)

PROBE_CHECKS = [CONTEXT, NOT_POSSIBLE, READ, REFERENCE, UNIQUE, VIEW, WRITE]

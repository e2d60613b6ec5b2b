"""What only playing the attacks finds."""

from db.audit.checks import Check

PROBE_CHECKS: list[Check] = []

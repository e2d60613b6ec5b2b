"""Every check there is, wherever its findings come from."""

from db.audit.checks import Check, catalog_checks
from db.audit.exemptions import EXEMPTION_CHECKS
from db.audit.probe_checks import PROBE_CHECKS


def every_check() -> list[Check]:
    """Return the checks of the catalog, of the exemptions and of the probe, by id."""
    return sorted([*catalog_checks(), *EXEMPTION_CHECKS, *PROBE_CHECKS], key=lambda check: check.id)

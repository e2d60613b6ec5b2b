"""An audit as a SARIF 2.1.0 log (OASIS), for code scanning: every check a rule, every finding a result."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from db.audit import AuditReport, Exemption, Finding, Severity
from db.audit.catalogue import every_check
from db.audit.checks import Check

_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}
# What code scanning sorts security results by: a number like a CVSS score.
_SCORES = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.0", Severity.LOW: "2.0"}


def sarif_log(report: AuditReport) -> dict[str, Any]:
    """Return the log. What is exempted is a suppressed result with its reason."""
    rules = every_check()
    places = {rule.id: place for place, rule in enumerate(rules)}
    return {
        "version": "2.1.0",
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "partywall audit",
                        "semanticVersion": version("partywall"),
                        "rules": [_rule(rule) for rule in rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "properties": {"schemas": list(report.schemas), "roles": list(report.roles)},
                "results": [
                    *(_result(finding, places[finding.check]) for finding in report.findings),
                    *(_result(finding, places[finding.check], [by]) for finding, by in report.exempted),
                ],
            }
        ],
    }


def _rule(check: Check) -> dict[str, Any]:
    return {
        "id": check.id,
        "shortDescription": {"text": check.title},
        "fullDescription": {"text": check.why},
        "help": {"text": f"{check.why} See docs/reference/audit.md."},
        "defaultConfiguration": {"level": _LEVELS[check.severity]},
        "properties": {
            "severity": check.severity.value,
            "security-severity": _SCORES[check.severity],
            "tags": ["security"],
        },
    }


def _result(finding: Finding, place: int, exempted_by: Sequence[Exemption] = ()) -> dict[str, Any]:
    where = " ".join(filter(None, (finding.object, finding.part)))
    fix = f" Fix: {finding.fix}" if finding.fix else ""
    result: dict[str, Any] = {
        "ruleId": finding.check,
        "ruleIndex": place,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{where}: {finding.message}.{fix}"},
        "locations": [
            {
                # A viewer wants a file to show a result at. The object stands in for it.
                "physicalLocation": {"artifactLocation": {"uri": "database/" + quote(finding.object, safe=".,()[]_")}},
                "logicalLocations": [{"name": finding.object, "fullyQualifiedName": where}],
            }
        ],
        # The same finding in the next run is the same result, whatever its message says.
        "partialFingerprints": {"partywall/v1": "/".join((finding.check, where, finding.role or ""))},
        "properties": {"role": finding.role, "fix": finding.fix, "fixedBy": finding.fixed_by},
    }
    if exempted_by:
        result["suppressions"] = [{"kind": "inSource", "justification": each.reason} for each in exempted_by]
    return result

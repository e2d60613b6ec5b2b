"""An audit as one JSON object, of a shape that programs may depend on."""

from collections.abc import Sequence
from typing import Any

from db.audit import AuditReport, Exemption, Finding, Severity
from db.audit.fixing import Repair
from db.audit.probe import ProbeReport


def record(report: AuditReport, repairs: Sequence[Repair], probes: Sequence[ProbeReport]) -> dict[str, Any]:
    """Return the object that docs/reference/audit.md describes."""
    return {
        "ok": not report.at_least(Severity.HIGH),
        "schemas": list(report.schemas),
        "roles": list(report.roles),
        "counts": {
            severity.value: sum(finding.severity is severity for finding in report.findings) for severity in Severity
        },
        "findings": [_finding(finding) for finding in report.findings],
        "exemptions": [_exemption(exemption) for exemption in report.exemptions],
        "fixes": [{"sql": repair.sql, "refused": repair.refused} for repair in repairs],
        "probes": [
            {
                "role": probe.role,
                "objects": [{"object": each.object, "attacks": each.attacks} for each in probe.probed],
                "seconds": round(probe.seconds, 3),
            }
            for probe in probes
        ],
        "seconds": round(report.seconds, 3),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "severity": finding.severity.value,
        "object": finding.object,
        "part": finding.part,
        "role": finding.role,
        "message": finding.message,
        "why": finding.why,
        "fix": finding.fix,
        "fixed_by": finding.fixed_by,
    }


def _exemption(exemption: Exemption) -> dict[str, Any]:
    return {
        "object": exemption.object,
        "part": exemption.part,
        "check": exemption.check,
        "reason": exemption.reason,
    }

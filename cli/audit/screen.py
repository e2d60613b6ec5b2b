"""An audit for people: the worst first, each check with its reason once, each object with its fix below it."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.padding import Padding
from rich.text import Text

from cli.output import out, printable, say
from db.audit import AuditReport, Exemption, Finding, Severity
from db.audit.fixing import Repair
from db.audit.probe import ProbeReport

_STYLES = {Severity.CRITICAL: "bold red", Severity.HIGH: "red", Severity.MEDIUM: "yellow", Severity.LOW: "cyan"}
_FIXERS = {"owner": "fix", "superuser": "fix, as a superuser", "hand": "fix, after a look"}
_PLATFORM = "partywall."
"""How the names of the platform's own objects begin."""


def show(report: AuditReport, repairs: Sequence[Repair], probes: Sequence[ProbeReport]) -> None:
    """Print what was repaired, what is found, what is exempted, and how many of each."""
    if repairs:
        _show_repairs(repairs)
    for check, findings in groupby(report.findings, key=lambda finding: finding.check):
        _show_check(check, list(findings))
    if report.exemptions:
        _show_exemptions(report.exemptions)
    for probe in probes:
        say(f"played {probe.attacks} attacks on {len(probe.probed)} objects as {probe.role}. {probe.seconds:.2f} s")
    say(_summary(report))


def _show_repairs(repairs: Sequence[Repair]) -> None:
    _line("ran", style="bold")
    for repair in repairs:
        _line(repair.sql, indent=2)
        if repair.refused:
            _line(f"refused: {repair.refused}", indent=4, style="red")
    _gap()


def _show_check(check: str, findings: Sequence[Finding]) -> None:
    severity = findings[0].severity
    _line(f"{severity.value}: {check}", style=_STYLES[severity])
    _prose(findings[0].why, indent=2, style="dim")
    for where, told in groupby(findings, key=_where):
        _line(where, indent=2, style="bold")
        fixes: dict[str, None] = {}
        for finding in told:
            _prose(finding.message, indent=4)
            if finding.fix:
                fixes[f"{_FIXERS[finding.fixed_by]}: {finding.fix}"] = None
        for fix in fixes:
            _line(fix, indent=4, style="green")
    _gap()


def _show_exemptions(exemptions: Sequence[Exemption]) -> None:
    _line("exempted", style="bold")
    adopters = [exemption for exemption in exemptions if not exemption.object.startswith(_PLATFORM)]
    for exemption in adopters:
        where = ", ".join(filter(None, (exemption.object, exemption.part)))
        said = "shared" if exemption.check is None else exemption.check
        _prose(f"{where}: {said}, {exemption.reason}", indent=2)
    if len(adopters) < len(exemptions):
        # Dozens, the same everywhere: they would hide the few that somebody here answers for.
        _prose(f"{len(exemptions) - len(adopters)} of the platform's own: --json lists them", indent=2, style="dim")
    _gap()


def _where(finding: Finding) -> str:
    return ", ".join(filter(None, (finding.object, finding.part)))


def _summary(report: AuditReport) -> str:
    parts = ", ".join(_counts(report.findings)) or "nothing found"
    exempted = f", {len(report.exemptions)} exempted" if report.exemptions else ""
    return f"{', '.join(report.schemas)} as {len(report.roles)} logins: {parts}{exempted}. {report.seconds:.2f} s"


def _counts(findings: Sequence[Finding]) -> Iterator[str]:
    for severity in Severity:
        count = sum(finding.severity is severity for finding in findings)
        if count:
            yield f"{count} {severity.value}"


def _gap() -> None:
    print()


def _line(text: str, *, indent: int = 0, style: str = "") -> None:
    # Never broken: SQL is there to be copied, names are there to be searched for.
    out.print(" " * indent, Text(printable(text), style=style), sep="", soft_wrap=True)


def _prose(text: str, *, indent: int, style: str = "") -> None:
    if out.is_terminal:
        out.print(Padding(Text(printable(text), style=style), (0, 0, 0, indent), expand=False))
    else:
        _line(text, indent=indent, style=style)

"""What came of it: a row per tenant, the rejected rows, and all of them as a file."""

import csv
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cli.demo.books import Rejection
from cli.demo.tally import EXACT, Tally, TenantTally
from cli.demo.tenants import DemoTenant
from cli.output import printable

MOST_REJECTIONS = 50
"""Shown on the screen."""


def outcome(tenants: Sequence[DemoTenant], tally: Tally) -> Table:
    """Return the table of tenants, with the totals below."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, show_footer=True)
    tallies = list(tally.of.values())
    totals = ["Total" if len(tallies) > 1 else "", *_figures(_sum(tallies))]
    names = ("Tenant", "Rows imported", "Rejected", "Revenue", "Jobs", "Retries", "Seconds")
    for name, total in zip(names, totals if len(tallies) > 1 else [""] * len(names), strict=True):
        table.add_column(
            name,
            footer=total,
            justify="left" if name == "Tenant" else "right",
            no_wrap=True,
            overflow="ellipsis" if name == "Tenant" else "fold",
            max_width=32 if name == "Tenant" else None,
        )
    for tenant in tenants:
        table.add_row(Text(printable(tenant.name)), *_figures(tally.of[tenant.slug]))
    return table


def _figures(tally: TenantTally) -> list[str]:
    return [
        f"{tally.rows_imported:,}",
        f"{tally.rows_rejected:,}",
        money(tally.revenue),
        f"{len(tally.jobs):,}",
        f"{tally.retries:,}",
        f"{tally.seconds:.1f}",
    ]


def _sum(tallies: Sequence[TenantTally]) -> TenantTally:
    total = TenantTally(whole_rows=0)
    for each in tallies:
        total.jobs += each.jobs
        total.rows_imported += each.rows_imported
        total.rows_rejected += each.rows_rejected
        total.retries += each.retries
        total.revenue = EXACT.add(total.revenue, each.revenue)
    total.started_at = min((each.started_at for each in tallies if each.started_at), default=None)
    total.finished_at = max((each.finished_at for each in tallies if each.finished_at), default=None)
    return total


def money(amount: Decimal) -> str:
    """Return an amount with at least two decimals, and with more where it has more."""
    whole, _, cents = f"{amount:,f}".partition(".")
    return f"{whole}.{cents.rstrip('0').ljust(2, '0')}"


def rejected(rejections: Sequence[Rejection], *, most: int = MOST_REJECTIONS) -> RenderableType:
    """Return the table of rejected rows, the first of them where there are many."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("Line", justify="right", no_wrap=True)
    table.add_column("Tenant", no_wrap=True, overflow="ellipsis", max_width=32)
    table.add_column("Reason", overflow="fold")
    for each in rejections[:most]:
        table.add_row(
            f"{each.line}",
            Text(printable(each.tenant)) if each.tenant is not None else Text("nobody's", style="dim"),
            Text(printable(each.reason)),
        )
    return table


def write_rejected(path: Path, rejections: Sequence[Rejection]) -> None:
    """Write all rejected rows as CSV: line, tenant (empty for nobody's), reason."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("line", "tenant", "reason"))
        writer.writerows((each.line, each.tenant or "", each.reason) for each in rejections)

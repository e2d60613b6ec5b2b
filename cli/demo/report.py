"""What came of it: a row per tenant, the rejected rows, and all of them as a file."""

import csv
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from cli.demo.books import Rejection
from cli.demo.tally import EXACT, Tally, TenantTally
from cli.demo.tenants import DemoTenant
from cli.output import printable

MOST_REJECTIONS = 50
"""Shown on the screen."""
WIDEST_NAME = 28


def outcome(tenants: Sequence[DemoTenant], tally: Tally) -> Table:
    """Return the table of tenants, with the totals below where there are several."""
    tallies = [tally.of[tenant.slug] for tenant in tenants]
    places = max(decimals(each.revenue) for each in tallies)
    totals = ["Total", *_figures(_sum(tallies), places)] if len(tallies) > 1 else [""] * 7
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, show_footer=len(tallies) > 1)
    table.add_column("Tenant", footer=totals[0], no_wrap=True, overflow="ellipsis", max_width=WIDEST_NAME)
    headings = ("Rows imported", "Rejected", "Revenue", "Jobs", "Retries", "Seconds")
    for heading, total in zip(headings, totals[1:], strict=True):
        table.add_column(heading, footer=total, justify="right", no_wrap=True, min_width=len(heading))
    for tenant, each in zip(tenants, tallies, strict=True):
        table.add_row(in_a_line(tenant.name), *_figures(each, places))
    return table


def _figures(tally: TenantTally, places: int) -> list[str]:
    return [
        f"{tally.rows_imported:,}",
        f"{tally.rows_rejected:,}",
        f"{tally.revenue:,.{places}f}",
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


def decimals(amount: Decimal) -> int:
    """Return how many decimals it takes to show an amount of money exactly; at least two."""
    return max(2, len(f"{amount:f}".partition(".")[2].rstrip("0")))


def rejected(rejections: Sequence[Rejection], *, most: int = MOST_REJECTIONS) -> Table:
    """Return the table of rejected rows, the first of them where there are many."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("Line", justify="right", no_wrap=True)
    table.add_column("Tenant", no_wrap=True, overflow="ellipsis", max_width=WIDEST_NAME)
    table.add_column("Reason", overflow="fold")
    for each in rejections[:most]:
        owner = in_a_line(each.tenant) if each.tenant is not None else Text("nobody's", style="dim")
        table.add_row(f"{each.line}", owner, Text(printable(each.reason)))
    return table


def in_a_line(name: str) -> Text:
    """Return a name as it can stand in a table: whatever it holds, on one line."""
    return Text(printable(name).replace("\n", r"\n").replace("\t", r"\t"))


def write_rejected(path: Path, rejections: Sequence[Rejection]) -> None:
    """Write all rejected rows as CSV: line, tenant (empty for nobody's), reason."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("line", "tenant", "reason"))
        writer.writerows((each.line, each.tenant or "", each.reason) for each in rejections)

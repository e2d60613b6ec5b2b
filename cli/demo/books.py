"""The books, kept twice: what the system says it imported, and what a plain reading of the same file comes to."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, DecimalException

from sqlalchemy import text

from cli.demo.checks import Check
from cli.demo.records import Record, opened, tenant_named
from cli.demo.source import Source
from cli.demo.tally import EXACT, Tally
from cli.demo.tenants import DemoTenant
from db.roles import Role
from db.session import tenant_session

_REJECTED = text("select line, reason from app.rejected_rows order by line")


@dataclass(frozen=True, slots=True)
class Rejection:
    """One record that became no order."""

    line: int
    tenant: str | None
    """Its name; None when the record is nobody's."""
    reason: str


def rejections(tenants: Sequence[DemoTenant], unassigned: Mapping[int, str]) -> list[Rejection]:
    """Return what every tenant finds in its app.rejected_rows, and what is nobody's, by line."""
    found = [Rejection(line, None, reason) for line, reason in unassigned.items()]
    for tenant in tenants:
        with tenant_session(tenant.context(), role=Role.WORKER) as session:
            found += [Rejection(line, tenant.name, reason) for line, reason in session.execute(_REJECTED)]
    return sorted(found, key=lambda rejection: rejection.line)


class Recount:
    """The input read again: all records but the rejected ones, added up with int() and Decimal()."""

    def __init__(self, source: Source, rejected: Sequence[Rejection]) -> None:
        self.rows: Counter[str] = Counter()
        self.revenue: dict[str, Decimal] = {}
        self.not_orders: list[int] = []
        """Lines that were imported and should not have been."""
        lines = {rejection.line for rejection in rejected}
        for record in _records(source):
            name = tenant_named(record, source.columns)
            if record.line in lines:
                continue
            if name is None:
                self.not_orders.append(record.line)
            else:
                self._add(name, record, source.columns)

    def _add(self, name: str, record: Record, columns: Sequence[str]) -> None:
        try:
            row = dict(zip(columns, record.fields, strict=True))
            revenue = EXACT.multiply(Decimal(int(row["quantity"])), Decimal(row["unit_price"]))
        except (ValueError, DecimalException):
            self.not_orders.append(record.line)
            return
        self.rows[name] += 1
        self.revenue[name] = EXACT.add(self.revenue.get(name, Decimal(0)), revenue)


def _records(source: Source) -> Iterator[Record]:
    with opened(source.path) as found:
        next(found)
        yield from found


def compare(source: Source, tenants: Sequence[DemoTenant], tally: Tally, rejected: Sequence[Rejection]) -> list[Check]:
    """Return what the two sets of books say of each other."""
    recount = Recount(source, rejected)
    imported = sum(each.rows_imported for each in tally.of.values())
    refused = sum(each.rows_rejected for each in tally.of.values())
    accounted = imported + refused + len(tally.unassigned)
    return [
        _jobs(tally),
        Check(
            "every record is accounted for",
            accounted == source.records and refused + len(tally.unassigned) == len(rejected),
            f"{imported:,} imported + {refused:,} rejected + {len(tally.unassigned):,} nobody's = {accounted:,}"
            + ("" if accounted == source.records else f", and the input has {source.records:,}"),
        ),
        _rows(tenants, tally, recount),
        _revenue(tenants, tally, recount),
    ]


def _jobs(tally: Tally) -> Check:
    failures = [failure for each in tally.of.values() for failure in each.failures]
    jobs = sum(len(each.jobs) for each in tally.of.values())
    return Check(
        "every job succeeded",
        not failures,
        failures[0] if failures else f"{jobs:,} jobs",
        jobs,
        jobs - len(failures),
    )


def _rows(tenants: Sequence[DemoTenant], tally: Tally, recount: Recount) -> Check:
    if recount.not_orders:
        return Check(
            "what was imported is orders", False, f"line {recount.not_orders[0]} is none ({len(recount.not_orders)})"
        )
    wrong = [
        f"{tenant.name}: {tally.of[tenant.slug].rows_imported:,} imported, {recount.rows[tenant.name]:,} read"
        for tenant in tenants
        if tally.of[tenant.slug].rows_imported != recount.rows[tenant.name]
    ]
    return Check(
        "rows equal a plain reading of the file",
        not wrong,
        wrong[0] if wrong else f"{recount.rows.total():,} rows",
        len(tenants),
        len(tenants) - len(wrong),
    )


def _revenue(tenants: Sequence[DemoTenant], tally: Tally, recount: Recount) -> Check:
    wrong = []
    for tenant in tenants:
        mine = tally.of[tenant.slug]
        plain = recount.revenue.get(tenant.name, Decimal(0))
        stated = Decimal(mine.statement.result["revenue"]) if mine.statement and mine.statement.result else None
        if not mine.revenue == plain == stated:
            wrong.append(f"{tenant.name}: imports say {mine.revenue}, statements {stated}, the file {plain}")
    return Check(
        "so does the revenue, to the last digit",
        not wrong,
        wrong[0] if wrong else "imports, statements and the file agree",
        len(tenants),
        len(tenants) - len(wrong),
    )

"""`reports.monthly_statement`: each customer's month counted once, as the orders are now."""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

import pytest
from sqlalchemy import delete, select

from db.roles import Role
from db.session import tenant_session
from tasks import producing
from tasks.errors import PayloadInvalidError
from tasks.job import JobTenant
from tasks.order_lines import OrderLine
from tasks.order_rows import OrderRow, insert_orders
from tasks.reports import StatementReport, StatementRow, count_statements, monthly_statement
from tests.databases import TestTenant
from tests.tasks.inline import run_job


class Sale(NamedTuple):
    """What a statement depends on."""

    customer_id: str
    order_id: str
    ordered_at: datetime
    quantity: int = 1
    unit_price: Decimal = Decimal(10)


class Statement(NamedTuple):
    """One statement, as a test expects it."""

    customer_id: str
    month: date
    orders: int
    items: int
    revenue: Decimal


JANUARY = datetime(2026, 1, 15, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 15, tzinfo=UTC)


def sell(tenant: TestTenant, sales: Sequence[Sale], *, file: int = 1) -> None:
    lines = [
        OrderLine(at, at, sale.order_id, sale.customer_id, sale.ordered_at, "SKU", "", sale.quantity, sale.unit_price)
        for at, sale in enumerate(sales, start=2)
    ]
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        insert_orders(session, lines, tenant_id=tenant.id, file_sha256=bytes([file]) * 32)


def withdraw(tenant: TestTenant, customer_id: str) -> None:
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        session.execute(delete(OrderRow).where(OrderRow.customer_id == customer_id))


def count(tenant: TestTenant, month: str | None = None) -> dict[str, Any]:
    job = run_job(tenant, monthly_statement, {"month": month})
    assert job.error is None
    assert job.result is not None
    report: dict[str, Any] = job.result
    return report


def statements_of(tenant: TestTenant) -> list[Statement]:
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        rows = session.scalars(select(StatementRow).order_by(StatementRow.month, StatementRow.customer_id))
        return [Statement(row.customer_id, row.month, row.orders, row.items, row.revenue) for row in rows]


def plainly(sales: Sequence[Sale]) -> list[Statement]:
    """Return the statements of sales, counted without any of the code under test."""
    sold: dict[tuple[date, str], list[Sale]] = defaultdict(list)
    for sale in sales:
        sold[sale.ordered_at.astimezone(UTC).date().replace(day=1), sale.customer_id].append(sale)
    return [
        Statement(
            customer_id,
            month,
            len({sale.order_id for sale in group}),
            sum(sale.quantity for sale in group),
            sum((sale.quantity * sale.unit_price for sale in group), Decimal(0)),
        )
        for (month, customer_id), group in sorted(sold.items())
    ]


def many(number: int, *, seed: int) -> list[Sale]:
    chance = Random(seed)
    return [
        Sale(
            customer_id=f"C-{chance.randrange(20)}",
            order_id=f"SO-{chance.randrange(number // 2)}",
            ordered_at=datetime(2025, 11, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(300_000)),
            quantity=chance.randint(-3, 9),
            unit_price=Decimal(chance.randrange(10**8)) / 10_000,
        )
        for _ in range(number)
    ]


def test_statements_are_those_of_a_plain_count(acme: TestTenant) -> None:
    sales = many(3_000, seed=1)
    sell(acme, sales)

    report = count(acme)

    expected = plainly(sales)
    assert statements_of(acme) == expected
    assert report == {
        "months": len({statement.month for statement in expected}),
        "customers": len({statement.customer_id for statement in expected}),
        "statements": len(expected),
        "revenue": report["revenue"],
    }
    assert Decimal(report["revenue"]) == sum(statement.revenue for statement in expected)


def test_an_order_counts_once_however_many_lines_it_has(acme: TestTenant) -> None:
    sell(acme, [Sale("C-1", "SO-1", JANUARY, 2), Sale("C-1", "SO-1", JANUARY, -1), Sale("C-1", "SO-2", JANUARY, 4)])

    count(acme)

    assert statements_of(acme) == [Statement("C-1", date(2026, 1, 1), orders=2, items=5, revenue=Decimal(50))]


@pytest.mark.parametrize(
    ("ordered_at", "month"),
    [
        ("2026-01-01T00:00:00+00:00", "2026-01"),
        ("2026-01-31T23:59:59.999999+00:00", "2026-01"),
        ("2026-02-01T00:30:00+01:00", "2026-01"),
        ("2025-12-31T23:30:00-01:00", "2026-01"),
        ("2025-12-31T23:59:59+00:00", "2025-12"),
        ("1000-01-01T00:00:00+00:00", "1000-01"),
        ("9998-12-31T23:59:59+00:00", "9998-12"),
    ],
)
def test_months_begin_and_end_in_utc(acme: TestTenant, ordered_at: str, month: str) -> None:
    sell(acme, [Sale("C-1", "SO-1", datetime.fromisoformat(ordered_at))])

    report = count(acme, month)

    assert report["statements"] == 1
    assert [statement.month.isoformat() for statement in statements_of(acme)] == [f"{month}-01"]


def test_one_month_leaves_the_others_as_they_are(acme: TestTenant) -> None:
    sell(acme, [Sale("C-1", "SO-1", JANUARY), Sale("C-1", "SO-2", FEBRUARY)])
    count(acme)
    sell(acme, [Sale("C-1", "SO-3", JANUARY), Sale("C-2", "SO-4", FEBRUARY)], file=2)

    report = count(acme, "2026-01")

    assert report == {"months": 1, "customers": 1, "statements": 1, "revenue": "20.0000"}
    assert statements_of(acme) == [
        Statement("C-1", date(2026, 1, 1), 2, 2, Decimal(20)),
        Statement("C-1", date(2026, 2, 1), 1, 1, Decimal(10)),
    ]


def test_a_second_run_replaces_the_first(acme: TestTenant) -> None:
    sales = many(200, seed=2)
    sell(acme, sales)
    first = count(acme)

    again = count(acme)

    assert again == first
    assert statements_of(acme) == plainly(sales)


def test_a_statement_without_orders_is_withdrawn(acme: TestTenant) -> None:
    sell(acme, [Sale("C-1", "SO-1", JANUARY), Sale("C-2", "SO-2", JANUARY), Sale("C-2", "SO-3", FEBRUARY)])
    count(acme)
    withdraw(acme, "C-2")

    january = count(acme, "2026-01")
    february = count(acme, "2026-02")

    assert january == {"months": 1, "customers": 1, "statements": 1, "revenue": "10.0000"}
    assert february == {"months": 0, "customers": 0, "statements": 0, "revenue": "0"}
    assert [statement.customer_id for statement in statements_of(acme)] == ["C-1"]


def test_another_tenants_orders_and_statements_are_neither_counted_nor_touched(
    acme: TestTenant, zeta: TestTenant
) -> None:
    sell(acme, [Sale("C-1", "SO-1", JANUARY)])
    sell(zeta, [Sale("C-1", "SO-1", JANUARY, 7)])
    count(zeta)
    theirs = statements_of(zeta)
    withdraw(acme, "C-1")

    report = count(acme)

    assert report["statements"] == 0
    assert statements_of(acme) == []
    assert statements_of(zeta) == theirs == [Statement("C-1", date(2026, 1, 1), 1, 7, Decimal(70))]


def test_two_counts_at_once_end_as_one(acme: TestTenant) -> None:
    sales = many(3_000, seed=3)
    sell(acme, sales)
    tenant = JobTenant(acme.id, "acme", "Acme")

    def run(_: int) -> StatementReport:
        with tenant_session(acme.context, role=Role.WORKER) as session:
            return count_statements(session, tenant=tenant, month=None)

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(run, range(2))

    assert first == second
    assert statements_of(acme) == plainly(sales)


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "01-2026", "2026-01-01", "0999-01", "", "2026-01\n"])
def test_what_is_no_month_is_refused_before_it_is_a_job(acme: TestTenant, month: str) -> None:
    with tenant_session(acme.context, role=Role.API) as session, pytest.raises(PayloadInvalidError) as refused:
        producing.enqueue(session, "reports.monthly_statement", {"month": month})

    assert [error.pointer for error in refused.value.errors] == ["/month"]

"""`reports.monthly_statement`: what each customer of a tenant bought in a month, as rows of `app.statements`."""

from datetime import date, datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import FetchedValue, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from db.rows import RowId, TenantRow
from db.session import Executor
from tasks import Job, task
from tasks.job import JobTenant


class StatementRow(TenantRow):
    """One customer's month, in UTC. `month` is its first day; returns are taken off `items` and `revenue`."""

    __tablename__ = "statements"

    id: Mapped[RowId]
    customer_id: Mapped[str]
    month: Mapped[date]
    orders: Mapped[int]
    items: Mapped[int]
    revenue: Mapped[Decimal] = mapped_column(Numeric(38, 4))
    counted_at: Mapped[datetime] = mapped_column(server_default=FetchedValue())


class MonthlyStatement(BaseModel):
    """Which month to count."""

    model_config = ConfigDict(extra="forbid")

    month: str | None = Field(
        None, pattern=r"^[1-9][0-9]{3}-(0[1-9]|1[0-2])$", description="YYYY-MM; null for every month there is."
    )


class StatementReport(BaseModel):
    """What was counted. Months and customers without an order have no statement."""

    months: int
    customers: int
    statements: int
    revenue: Decimal = Field(description="Of all statements, exactly.")


# One statement, so one view of the orders: rows are replaced, and those that no order stands behind any more are gone.
# In the order of the unique constraint, so that two runs at once wait for each other instead of deadlocking.
_COUNT = text("""
    with counted as (
        select customer_id,
               cast(date_trunc('month', ordered_at at time zone 'utc') as date) as month,
               count(distinct order_id) as orders,
               sum(quantity) as items,
               sum(quantity * unit_price) as revenue
        from app.orders
        where tenant_id = :tenant_id
          and ordered_at >= cast(:first_day as timestamp) at time zone 'utc'
          and ordered_at < cast(:next_month as timestamp) at time zone 'utc'
        group by 1, 2
    ),
    withdrawn as (
        delete from app.statements as statements
        where tenant_id = :tenant_id
          and month >= cast(:first_day as date)
          and month < cast(:next_month as date)
          and not exists (
              select
              from counted
              where counted.month = statements.month
                and counted.customer_id = statements.customer_id
          )
    ),
    written as (
        insert into app.statements as statements (tenant_id, customer_id, month, orders, items, revenue)
        select :tenant_id, customer_id, month, orders, items, revenue
        from counted
        order by month, customer_id
        on conflict on constraint statements_customer_and_month_are_unique do update
        set orders     = excluded.orders,
            items      = excluded.items,
            revenue    = excluded.revenue,
            counted_at = excluded.counted_at
        returning customer_id, month, revenue
    )
    select count(distinct month) as months,
           count(distinct customer_id) as customers,
           count(*) as statements,
           coalesce(sum(revenue), 0) as revenue
    from written
""")


@task("reports.monthly_statement", max_attempts=5, time_limit_seconds=300)
def monthly_statement(job: Job, payload: MonthlyStatement) -> StatementReport:
    """Count orders, items and revenue of every customer, for one month or for each; a re-run replaces."""
    return count_statements(job.connection, tenant=job.tenant, month=payload.month)


def count_statements(executor: Executor, *, tenant: JobTenant, month: str | None) -> StatementReport:
    """Write the statements of a month `YYYY-MM`, or of every month, in the executor's transaction."""
    first_day, next_month = _bounds(month)
    row = executor.execute(_COUNT, {"tenant_id": tenant.id, "first_day": first_day, "next_month": next_month}).one()
    return StatementReport(months=row.months, customers=row.customers, statements=row.statements, revenue=row.revenue)


def _bounds(month: str | None) -> tuple[str, str]:
    """Return the first day of the month and of the one after it, as PostgreSQL reads them."""
    if month is None:
        return "-infinity", "infinity"
    year, number = (int(part) for part in month.split("-"))
    return f"{month}-01", f"{year + number // 12}-{number % 12 + 1:02}-01"

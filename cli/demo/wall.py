"""The wall in the database, tried as SQL that reaches a worker's connection would try it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from cli.demo.checks import Check
from cli.demo.tally import TenantTally
from cli.demo.tenants import DemoTenant
from db.context import TenantContext
from db.errors import NoTenantError, PartywallError, TokenRejectedError
from db.roles import Role
from db.session import TenantSession, platform_connection, tenant_session

RLS_VIOLATION = "42501"

_WHOSE = text("select count(*), count(distinct tenant_id), sum(quantity * unit_price) from app.orders")
_OF = text("select count(*) from app.orders where tenant_id = :tenant")
_COUNT = text("select count(*) from app.orders")
_REJECTED = text("select count(*) from app.rejected_rows")
_SET_CONFIG = text("select set_config('partywall.token', :token, true)")
_GIVE_AWAY = text("update app.orders set tenant_id = :tenant")


def sees_its_own_rows(mine: DemoTenant, other: DemoTenant, tally: TenantTally) -> Check:
    """Read app.orders as `mine`: exactly what was imported for it, also when asked for another's."""
    with tenant_session(mine.context(), role=Role.WORKER) as session:
        rows, tenants, revenue = session.execute(_WHOSE).one()
        own = session.execute(_OF, {"tenant": mine.id}).scalar_one()
        foreign = session.execute(_OF, {"tenant": other.id}).scalar_one()
        rejected = session.execute(_REJECTED).scalar_one()
    passed = (
        rows == own == tally.rows_imported
        and rejected == tally.rows_rejected
        and tenants == (1 if rows else 0)
        and (revenue or 0) == tally.revenue
        and foreign == 0
    )
    seen = "all its own" if rows == own and tenants <= 1 else f"of {tenants} tenants"
    return Check(
        f"{mine.name} reads app.orders",
        passed,
        f"{rows:,} rows, {seen}; of {other.name}: {foreign:,}",
    )


def made_up_token_is_refused(mine: DemoTenant, other: DemoTenant) -> Check:
    """Write a token of our own into the setting that carries it."""
    made_up = f"pw1.1.{other.id}.job/{UUID(int=0)}/1.9999999999.{'0' * 64}"
    return _read_with_token("set_config() with a made-up token", mine, made_up)


def swapped_token_is_refused(mine: DemoTenant, other: DemoTenant) -> Check:
    """Take a good token and write another tenant's id into it."""
    swapped = mine.context().token.replace(str(mine.id), str(other.id))
    return _read_with_token("set_config() with a swapped tenant", mine, swapped)


def _read_with_token(tried: str, mine: DemoTenant, token: str) -> Check:
    def attack(session: TenantSession) -> int:
        session.execute(_SET_CONFIG, {"token": token})
        return int(session.execute(_COUNT).scalar_one())

    return _refused(tried, mine.context(), attack, by=lambda error: isinstance(error, TokenRejectedError))


def rows_cannot_be_given_away(mine: DemoTenant, other: DemoTenant) -> Check:
    """Write another tenant's id into every row within reach."""

    def attack(session: TenantSession) -> int:
        result: Any = session.execute(_GIVE_AWAY, {"tenant": other.id})
        return int(result.rowcount)

    return _refused("update ... set tenant_id = other", mine.context(), attack, by=_is_row_security)


def no_tenant_is_an_error() -> Check:
    """Read app.orders on a worker's connection that entered no tenant."""
    tried = "a read without any tenant"
    try:
        with platform_connection(Role.WORKER) as connection:
            rows = connection.execute(_COUNT).scalar_one()
    except NoTenantError as error:
        return Check(tried, True, _spelled(error))
    return Check(tried, False, f"answered with {rows} rows instead of an error")


def _refused(
    tried: str,
    context: TenantContext,
    attack: Callable[[TenantSession], int],
    *,
    by: Callable[[Exception], bool],
) -> Check:
    """Return a check that passes when PostgreSQL refused the attack, or it reached no row at all."""
    try:
        with tenant_session(context, role=Role.WORKER) as session:
            rows = attack(session)
            session.rollback()
    except (PartywallError, DBAPIError) as error:
        return Check(tried, by(error), _spelled(error))
    return Check(tried, rows == 0, f"not refused: {rows} rows in reach")


def _is_row_security(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == RLS_VIOLATION


def _spelled(error: PartywallError | DBAPIError) -> str:
    """Return how PostgreSQL said no: SQLSTATE and message."""
    if isinstance(error, PartywallError):
        return f"{error.sqlstate} {error.message}"
    said = str(error.orig).splitlines()[0].removesuffix(' for table "orders"')
    return f"{getattr(error.orig, 'sqlstate', '')} {said}"

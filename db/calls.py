"""Calls: tasks that are started through Celery itself, without a job. Minting their tokens, and letting them in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from db.context import TenantContext
from db.engine import FENCE
from db.roles import Role
from db.round_trip import Statement
from db.session import platform_connection


@dataclass(frozen=True, slots=True)
class Admission:
    """A call that may run in its tenant; or, when `held`, once that is no longer suspended."""

    tenant_slug: str
    tenant_name: str
    held: bool
    context: TenantContext


_MINT = text("select partywall.mint_calls(:call_ids, :task_names, make_interval(secs => :lifetime))")
_ADMIT = text("""
    select *
    from partywall.admit_call(:token, :call_id, :task_name, :runs_for_deleted, make_interval(secs => :lifetime))
""")
# What a call returns goes to a result backend: it may be of nothing that a crash takes back.
_STILL_THERE: Statement = ("select partywall.current_tenant_id(), partywall.wait_for_disk()", ())


def mint_tokens(
    context: TenantContext, *, role: Role, calls: Sequence[tuple[UUID, str]], lifetime_seconds: float
) -> list[str]:
    """Return a token of the context's tenant for each call, given as id and task name. One round trip.

    Outside the caller's transaction, which may have failed: what is published then, a retry, needs a token too.

    Raises:
        TokenRejectedError, TokenExpiredError: the context is none, or none any more.
    """
    with platform_connection(role, context=context) as connection:
        tokens: list[str] = connection.execute(
            _MINT,
            {
                "call_ids": [call_id for call_id, _ in calls],
                "task_names": [task_name for _, task_name in calls],
                "lifetime": lifetime_seconds,
            },
        ).scalar_one()
    return tokens


def admit(
    connection: Connection,
    *,
    token: str,
    call_id: UUID,
    task_name: str,
    runs_for_deleted: bool,
    lifetime_seconds: float,
) -> Admission:
    """Return whose call it is, if the token was minted for it, with a context for `lifetime_seconds`. One round trip.

    Raises:
        TokenRejectedError, TokenExpiredError: whoever published it was in no tenant's context, or too long ago.
        TenantUnknownError, TenantDeletingError: the tenant is no more.
    """
    row = connection.execute(
        _ADMIT,
        {
            "token": TenantContext.of(token).token,
            "call_id": call_id,
            "task_name": task_name,
            "runs_for_deleted": runs_for_deleted,
            "lifetime": lifetime_seconds,
        },
    ).one()
    connection.commit()
    return Admission(
        tenant_slug=row.tenant_slug,
        tenant_name=row.tenant_name,
        held=row.held,
        context=TenantContext.of(row.admitted_token),
    )


def fence(connection: Connection) -> None:
    """From now on let this connection commit only what was done as a tenant."""
    options: dict[str, Any] = {FENCE: _STILL_THERE}
    connection.execution_options(**options)

"""Changing what a tenant may have, as an operator does."""

import json
from typing import Any

from sqlalchemy import text

from db.roles import Role
from db.session import platform_connection

_SET = text("select partywall.set_limits(:slug, cast(:changes as jsonb), 'bench')")
_FLOW = text("select partywall.set_flow(:slug, :flow, 'measuring', 'bench')")


def set_limits(slug: str, **limits: Any) -> None:
    """Set a tenant's weight, max_running, rate, burst or max_queued; None goes back to its tier's."""
    _call(_SET, slug=slug, changes=json.dumps(limits))


def set_flow(slug: str, flow: str) -> None:
    """Let a tenant's jobs flow: `open`, or not: `paused`."""
    _call(_FLOW, slug=slug, flow=flow)


def _call(change: Any, **values: Any) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        connection.execute(change, values)
        connection.commit()

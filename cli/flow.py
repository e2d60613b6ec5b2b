"""`partywall tenants pause` and `partywall tenants drain`: a tenant's work stops, or comes to its end."""

from typing import Annotated
from uuid import UUID

import typer

from cli.database import operator_connection
from cli.operator_name import operator_name
from cli.output import Json, print_json, say
from cli.tenants import Slug
from db import limits

Reason = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Why, for whoever looks: at most 500 characters.", show_default=False)
]


def pause(slug: Slug, reason: Reason = None, as_json: Json = False) -> None:
    """Let nothing of a tenant start: what it enqueues waits, what runs goes on.

    Example: partywall tenants pause acme --reason "its shop is down"
    """
    with operator_connection() as connection:
        tenant_id = limits.pause_tenant(connection, slug, reason=reason, changed_by=operator_name())
    _answer(
        slug,
        tenant_id,
        "paused",
        f"Paused {slug}. Nothing of it starts before: partywall tenants resume {slug}",
        as_json,
    )


def drain(slug: Slug, reason: Reason = None, as_json: Json = False) -> None:
    """Accept nothing for a tenant any more: what waits still runs, with what its bodies enqueue.

    Example: partywall tenants drain acme --reason "moving to another cell"
    """
    with operator_connection() as connection:
        tenant_id = limits.drain_tenant(connection, slug, reason=reason, changed_by=operator_name())
    _answer(
        slug,
        tenant_id,
        "draining",
        f"Draining {slug}. Nothing is accepted before: partywall tenants resume {slug}",
        as_json,
    )


def _answer(slug: str, tenant_id: UUID, flow: limits.Flow, words: str, as_json: bool) -> None:
    if as_json:
        print_json({"id": tenant_id, "slug": slug, "flow": flow})
    else:
        say(words)

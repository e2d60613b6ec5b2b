"""`partywall tenants top`: who uses how much, and who waits for what."""

from dataclasses import asdict
from typing import Annotated

import typer

from cli.database import operator_connection
from cli.output import Json, print_json, print_table, span
from db.waiting import TenantLoad, tenants_top

COUNTED = 10_000


def top(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 20,
    as_json: Json = False,
) -> None:
    """Show the tenants with the most work: what runs, what waits and for how long, and their share of the last minute.

    Example: partywall tenants top
    """
    with operator_connection() as connection:
        found = tenants_top(connection, limit=limit)
    if as_json:
        print_json({"tenants": [asdict(load) for load in found]})
        return
    print_table(
        ("tenant", "share", "weight", "running", "sent", "queued", "oldest", "waits for", "until"),
        [_row(load) for load in found],
        empty="No tenant has work, or had any in the last minutes.",
    )


def _row(load: TenantLoad) -> tuple[object, ...]:
    return (
        load.slug,
        f"{load.share:.0%}",
        f"{load.weight:g}",
        load.running,
        load.dispatched,
        f"{COUNTED} or more" if load.queued >= COUNTED else load.queued,
        None if load.oldest_wait_seconds is None else span(load.oldest_wait_seconds),
        load.waits_for,
        load.throttled_until,
    )

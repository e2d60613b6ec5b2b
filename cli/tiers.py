"""`partywall tiers`: named defaults of limits; and `partywall tenants tier`, which gives a tenant one of them."""

from typing import Annotated, Any

import typer

from cli.database import operator_connection
from cli.group import Group
from cli.limit_options import NAMES, Burst, MaxQueued, MaxRunning, Rate, Weight, changes_of, shown
from cli.operator_name import operator_name
from cli.output import Json, print_json, print_table, say
from cli.tenants import Slug
from db import tiers
from db.tiers import Tier

app = typer.Typer(cls=Group, no_args_is_help=True, help="List and set what tenants of a tier may have.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The tier's name: free, pro.", show_default=False)]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List all tiers.

    Example: partywall tiers list
    """
    with operator_connection() as connection:
        found = tiers.list_tiers(connection)
    if as_json:
        print_json({"tiers": [_as_json_object(tier) for tier in found]})
    else:
        _print(found)


@app.command("set")
def set_(
    name: Name,
    weight: Weight = None,
    max_running: MaxRunning = None,
    rate: Rate = None,
    burst: Burst = None,
    max_queued: MaxQueued = None,
    unset: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="No limit, and the weight 1: max-running, ...", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a tier, or change it for every tenant that has it. What is not named stays.

    Example: partywall tiers set free --max-running 2 --rate 5 --max-queued 1000
    """
    changes = changes_of((weight, max_running, rate, burst, max_queued), unset or [])
    with operator_connection() as connection:
        tiers.set_tier(connection, name, changes, changed_by=operator_name())
        (found,) = (tier for tier in tiers.list_tiers(connection) if tier.name == name)
    if as_json:
        print_json(_as_json_object(found))
    else:
        _print([found])


def tier(slug: Slug, name: Name, as_json: Json = False) -> None:
    """Give a tenant another tier. Limits of its own stay and go before the tier's.

    Example: partywall tenants tier acme pro
    """
    with operator_connection() as connection:
        tenant_id = tiers.set_tenant_tier(connection, slug, name, changed_by=operator_name())
    if as_json:
        print_json({"id": tenant_id, "slug": slug, "tier": name})
    else:
        say(f"{slug} has the tier {name} now. See what it may have: partywall tenants limit {slug}")


def _as_json_object(found: Tier) -> dict[str, Any]:
    limits = {name: getattr(found.limits, name) for name in NAMES}
    return {"name": found.name} | limits | {"changed_by": found.changed_by, "changed_at": found.changed_at}


def _print(found: list[Tier]) -> None:
    print_table(
        ("name", *(name.replace("_", " ") for name in NAMES), "changed", "by"),
        [
            (each.name, *(shown(getattr(each.limits, name)) for name in NAMES), each.changed_at, each.changed_by)
            for each in found
        ],
        empty="",
    )

"""`partywall tenants`: who there is, and who may work."""

from typing import Annotated

import typer

from cli.database import operator_connection
from cli.errors import BadInputError
from cli.group import Group
from cli.operator_name import operator_name
from cli.output import Json, print_json, print_table, say
from db import tenants
from db.tiers import STANDARD

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    help="Create, list, limit, stop, resume and delete tenants; say how long jobs are kept.",
)

Slug = Annotated[
    str, typer.Argument(metavar="SLUG", help="The tenant's short name, a DNS label: acme.", show_default=False)
]


@app.command()
def create(
    slug: Slug,
    name: Annotated[
        str | None, typer.Option(help="The name people know it by; the slug if left out.", show_default=False)
    ] = None,
    tier: Annotated[str, typer.Option(metavar="TIER", help="What it may have: partywall tiers list.")] = STANDARD,
    as_json: Json = False,
) -> None:
    """Create a tenant.

    Example: partywall tenants create acme --name "Acme Ltd"
    """
    with operator_connection() as connection:
        tenant_id = tenants.create_tenant(connection, slug=slug, name=slug if name is None else name, tier=tier)
    if as_json:
        print_json(
            {"id": tenant_id, "slug": slug, "name": slug if name is None else name, "status": "active", "tier": tier}
        )
    else:
        say(f"Created tenant {slug}. Give it a key with: partywall keys create {slug}")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List all tenants.

    Example: partywall tenants list
    """
    with operator_connection() as connection:
        found = tenants.list_tenants(connection)
    if as_json:
        fields = ("id", "slug", "name", "status", "tier", "job_retention_days", "created_at")
        print_json({"tenants": [{field: getattr(tenant, field) for field in fields} for tenant in found]})
    else:
        print_table(
            ("slug", "name", "status", "tier", "created", "id"),
            [(tenant.slug, tenant.name, tenant.status, tenant.tier, tenant.created_at, tenant.id) for tenant in found],
            empty="There is no tenant yet. Create one with: partywall tenants create SLUG",
        )


@app.command()
def suspend(slug: Slug, as_json: Json = False) -> None:
    """Stop a tenant's work: nothing starts or is accepted, what waits stays.

    Example: partywall tenants suspend acme
    """
    with operator_connection() as connection:
        tenant_id = tenants.suspend_tenant(connection, slug)
    if as_json:
        print_json({"id": tenant_id, "slug": slug, "status": "suspended"})
    else:
        say(f"Suspended {slug}. Jobs that run now end; none starts before: partywall tenants resume {slug}")


@app.command()
def resume(slug: Slug, as_json: Json = False) -> None:
    """Let a tenant work again that was suspended, paused or drained.

    Example: partywall tenants resume acme
    """
    with operator_connection() as connection:
        tenant_id = tenants.resume_tenant(connection, slug, changed_by=operator_name())
    if as_json:
        print_json({"id": tenant_id, "slug": slug, "status": "active", "flow": "open"})
    else:
        say(f"Resumed {slug}. What waited is dispatched now.")


@app.command("keep-jobs")
def keep_jobs(
    slug: Slug,
    days: Annotated[
        int, typer.Option(min=1, max=3650, metavar="DAYS", help="How long, from the end of a job.", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Say how long a tenant's finished jobs are kept: 30 days if you never did.

    Example: partywall tenants keep-jobs acme --days 7
    """
    with operator_connection() as connection:
        tenant_id = tenants.set_job_retention(connection, slug, days=days)
    if as_json:
        print_json({"id": tenant_id, "slug": slug, "job_retention_days": days})
    else:
        say(f"Finished jobs of {slug} are kept for {days} {'day' if days == 1 else 'days'}. The next pruning does so.")


@app.command()
def delete(
    slug: Slug,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: there is no way back.")] = False,
    as_json: Json = False,
) -> None:
    """Begin to delete a tenant: nothing of it starts any more, what waits is cancelled, its rows stay.

    Tasks declared runs_for_deleted=True still run: they are what empties its tables.

    Example: partywall tenants delete acme --yes
    """
    if not yes:
        raise BadInputError(f"Deleting {slug} cannot be undone", hint="Say --yes to do it.")
    with operator_connection() as connection:
        tenant_id = tenants.delete_tenant(connection, slug)
    if as_json:
        print_json({"id": tenant_id, "slug": slug, "status": "deleting"})
    else:
        say(f"{slug} is being deleted. Its waiting jobs are cancelled within seconds; its rows are still there.")

"""`partywall tenants limit`: what a tenant may have at once, and who said so."""

from typing import Annotated, Any, NamedTuple

import typer

from cli.database import operator_connection
from cli.errors import BadInputError
from cli.limit_options import MOST, NAMES, Burst, MaxQueued, MaxRunning, Rate, Weight, changes_of, shown
from cli.operator_name import operator_name
from cli.output import Json, print_fields, print_json, print_table, say
from cli.tenants import Slug
from db.limits import LimitKind, Limits, TenantLimits, set_limits, set_running_limit, tenant_limits


class Single(NamedTuple):
    """A limit of one task or queue; None takes it away."""

    kind: LimitKind
    name: str
    max_running: int | None


def limit(
    slug: Slug,
    weight: Weight = None,
    max_running: MaxRunning = None,
    rate: Rate = None,
    burst: Burst = None,
    max_queued: MaxQueued = None,
    task: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=JOBS", help="So many jobs of one task run at a time.", show_default=False),
    ] = None,
    queue: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=JOBS", help="So many jobs on one queue run at a time.", show_default=False),
    ] = None,
    unset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Back to the tier's: max-running, ... ; or task:NAME, queue:NAME.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Change what a tenant may have at once, or just show it. A change acts on the backlog at once.

    Example: partywall tenants limit acme --max-running 20 --task reports.monthly_statement=2
    """
    singles = [_single("task", each) for each in task or []] + [_single("queue", each) for each in queue or []]
    singles += [Single(kind, name, None) for kind, name in map(_named, unset or []) if kind is not None]
    changes = changes_of(
        (weight, max_running, rate, burst, max_queued), [each for each in unset or [] if _named(each)[0] is None]
    )
    who = operator_name()
    with operator_connection() as connection:
        if changes:
            set_limits(connection, slug, changes, changed_by=who)
        for kind, name, most in singles:
            set_running_limit(connection, slug, kind, name, most, changed_by=who)
        found = tenant_limits(connection, slug)
    if as_json:
        print_json(_as_json_object(slug, found))
    else:
        _print_sheet(slug, found)


def _single(kind: LimitKind, spelled: str) -> Single:
    name, _, most = spelled.rpartition("=")
    if not name or not most.isascii() or not most.isdigit() or not 1 <= int(most) <= MOST:
        raise BadInputError(f"--{kind} {spelled} is no limit", hint=f"Write it as --{kind} NAME=3.")
    return Single(kind, name, int(most))


def _named(unset: str) -> tuple[LimitKind | None, str]:
    kind, _, name = unset.partition(":")
    match kind:
        case "task" | "queue" if name:
            return kind, name
        case _:
            return None, unset


def _as_json_object(slug: str, found: TenantLimits) -> dict[str, Any]:
    return {
        "id": found.tenant_id,
        "slug": slug,
        "tier": found.tier,
        "flow": found.flow,
        "flow_reason": found.flow_reason,
        "flow_by": found.flow_by,
        "flow_at": found.flow_at,
        "effective": _by_name(found.effective),
        "own": _by_name(found.own),
        "running_limits": [
            {"kind": each.kind, "name": each.name, "max_running": each.max_running} for each in found.running_limits
        ],
        "changes": {
            name: {"changed_by": each.changed_by, "changed_at": each.changed_at} for name, each in found.changes.items()
        },
    }


def _by_name(limits: Limits) -> dict[str, float | None]:
    return {name: getattr(limits, name) for name in NAMES}


def _print_sheet(slug: str, found: TenantLimits) -> None:
    fields: dict[str, object] = {
        "tenant": slug,
        "tier": found.tier,
        "flow": found.flow,
        "because": found.flow_reason,
        "since": found.flow_at,
        "by": found.flow_by,
    }
    print_fields({name: value for name, value in fields.items() if value is not None})
    say("")
    own, effective = _by_name(found.own), _by_name(found.effective)
    rows: list[tuple[object, ...]] = [
        (
            name.replace("_", " "),
            shown(effective[name]),
            f"tier {found.tier}" if own[name] is None else slug,
            *_who_and_when(found, name),
        )
        for name in NAMES
    ]
    rows += [
        (f"{each.kind} {each.name}", each.max_running, slug, *_who_and_when(found, f"{each.kind}:{each.name}"))
        for each in found.running_limits
    ]
    print_table(("limit", "value", "set for", "changed", "by"), rows, empty="")


def _who_and_when(found: TenantLimits, name: str) -> tuple[object, object]:
    change = found.changes.get(name)
    return (None, None) if change is None else (change.changed_at, change.changed_by)

"""Giving each call of a canvas the token that lets it into its publisher's tenant, before it leaves."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from celery import current_app

from db import calls
from db.errors import NoTenantError
from tasks import registry
from tasks.errors import CallIdError
from tasks.publisher import Publisher, current_publisher
from tasks.settings import TaskSettings
from tasks.signatures import is_celerys_own, single_tasks

TOKEN_HEADER = "partywall_token"  # noqa: S105 - the header's name
SHOWN_ARGUMENTS = "()"
"""What Flower and logs show in place of a call's arguments."""


def stamp(task_name: str, options: dict[str, Any], arguments: Any) -> dict[str, Any]:
    """Return the options of a message with a token for its task, and for each that it will lead to.

    `options` as `send_task` takes them, `arguments` where they may hold signatures; both plain, both changed.

    Raises:
        NoTenantError: a tenant's task, and nobody's context to publish it in.
        CallIdError: a task id that is no UUID.
    """
    options["task_id"] = options.get("task_id") or str(uuid4())
    root = {"task": task_name, "options": options}
    nested = [options.get(name) for name in ("link", "link_error", "chord", "chain")]
    followers = list(single_tasks([*nested, arguments]))

    publisher = current_publisher()
    if publisher is not None:
        _issue(publisher, [root, *followers])
    else:
        for each in [root, *followers]:
            _require(each)
    if is_celerys_own(task_name) or token_of(options.get("headers")) is not None:
        # A signature among the arguments carries its token with it.
        options.setdefault("argsrepr", SHOWN_ARGUMENTS)
        options.setdefault("kwargsrepr", "{}")
    return options


def token_of(headers: Mapping[str, Any] | None) -> str | None:
    """Return the token that a message carries."""
    token = (headers or {}).get(TOKEN_HEADER)
    return token if isinstance(token, str) else None


@cache
def lifetime_seconds() -> float:
    """Return how long a call may wait for its turn. Read once: reading the settings takes half a millisecond."""
    return TaskSettings.load().call_lifetime_seconds


def _issue(publisher: Publisher, signatures: list[dict[str, Any]]) -> None:
    for each in signatures:
        # Also of tasks that take no token: their arguments and results are this tenant's.
        each["options"] |= {"argsrepr": SHOWN_ARGUMENTS, "kwargsrepr": repr({"tenant": publisher.label})}
    entering = [each for each in signatures if _may_enter_a_tenant(each["task"])]
    if not entering:
        return
    tokens = calls.mint_tokens(
        publisher.context,
        role=publisher.role,
        calls=[(_call_id(each), each["task"]) for each in entering],
        lifetime_seconds=lifetime_seconds() + max(_delay_seconds(each["options"]) for each in entering),
    )
    for each, token in zip(entering, tokens, strict=True):
        each["options"]["headers"] = {**(each["options"].get("headers") or {}), TOKEN_HEADER: token}


def _require(signature: dict[str, Any]) -> None:
    # A token that came along from wherever this canvas was published first; the database will look at it.
    if _is_a_tenants(signature["task"]) and token_of(signature["options"].get("headers")) is None:
        raise NoTenantError(
            task=signature["task"],
            hint="Publish it from a task's body or inside publishing_as(); or enqueue it: POST /v1/jobs.",
        )


def _is_a_tenants(task_name: str) -> bool:
    declaration = registry.declared().get(task_name)
    return declaration is not None and not declaration.tenantless


def _may_enter_a_tenant(task_name: str) -> bool:
    if task_name in registry.declared():
        return _is_a_tenants(task_name)
    # A name that this process does not know may be a tenant's task elsewhere.
    return not is_celerys_own(task_name) and task_name not in current_app.tasks


def _call_id(signature: dict[str, Any]) -> UUID:
    options = signature["options"]
    spelled = options["task_id"] = options.get("task_id") or str(uuid4())
    try:
        return UUID(spelled)
    except ValueError:
        raise CallIdError(task=signature["task"], hint="Leave task_id out, or pass a UUID.") from None


def _delay_seconds(options: Mapping[str, Any]) -> float:
    eta = options.get("eta")
    if isinstance(eta, str):
        eta = datetime.fromisoformat(eta)
    if isinstance(eta, datetime):
        # Celery reads a time without an offset as UTC, see `enable_utc`.
        moment = eta if eta.tzinfo else eta.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    return float(options.get("countdown") or 0)

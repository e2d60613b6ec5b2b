"""Giving each call of a canvas the token that lets it into its publisher's tenant, before it leaves."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from celery import current_app

from db import calls
from db.context import LONGEST_CALL_SECONDS
from db.errors import NoTenantError
from tasks import registry
from tasks.delays import ENQUEUE_HINT, each_delay, longest_wait
from tasks.errors import CallIdError, CallTooLongError
from tasks.headers import TENANT_HEADER, TOKEN_HEADER, tenant_of, token_of
from tasks.holding import require_short
from tasks.publisher import Publisher, current_publisher
from tasks.settings import TaskSettings
from tasks.signatures import EACH_ITEM, is_celerys_own, single_tasks

SHOWN_ARGUMENTS = "()"
"""What Flower and logs show in place of a call's arguments."""


def stamp(message: dict[str, Any], signatures: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """Return the options of a message with a token for its task, and for each that it will lead to.

    `message` as a plain signature, `signatures` those that stand among its arguments; all are changed.

    Raises:
        NoTenantError: a tenant's task, and nobody's context to publish it in.
        CallIdError: a task id that is no UUID.
        CallTooLongError: a call that its broker would take for lost, or a canvas that outlasts its tokens.
    """
    options: dict[str, Any] = message["options"]
    options["task_id"] = str(options.get("task_id") or uuid4())
    # One that stands both in a canvas and on its own is still one.
    every = list({id(each): each for each in (message, *single_tasks([message, *signatures]))}.values())
    for each in every:
        _refuse_items(each)
    publisher = current_publisher()
    for each, delay in each_delay([message, *signatures]):
        # Also of plain tasks in a tenant's canvas: delivered twice, they start twice what follows them.
        if publisher is not None or tenant_of(each["options"].get("headers")) is not None:
            require_short(each["task"], delay_seconds=delay, options=each["options"])
    if publisher is not None:
        _issue(publisher, every, longest_wait([message, *signatures]))
    else:
        refused = next(without_token(every), None)
        if refused is not None:
            raise NoTenantError(task=refused["task"], hint=_PUBLISH_HINT)
        _show(message, tenant_of(options.get("headers")))
    return options


def without_token(value: Any) -> Iterator[dict[str, Any]]:
    """Yield what a plain value leads to and what would be refused: tenants' tasks that carry no token.

    A token that came along from wherever the canvas was published first is for the database to look at.
    """
    for each in single_tasks(value):
        if _is_a_tenants(each["task"]) and token_of(each["options"].get("headers")) is None:
            yield each


@cache
def lifetime_seconds() -> float:
    """Return how long a call may wait for its turn. Read once: reading the settings takes half a millisecond."""
    return TaskSettings.load().call_lifetime_seconds


def _issue(publisher: Publisher, signatures: Sequence[dict[str, Any]], wait_seconds: float) -> None:
    for each in signatures:
        # Also of tasks that take no token: their arguments and results are this tenant's.
        _set_header(each, TENANT_HEADER, publisher.label)
        _show(each, publisher.label)
    entering = [each for each in signatures if _may_enter_a_tenant(each["task"])]
    if not entering:
        return
    lifetime = lifetime_seconds() + wait_seconds
    if lifetime > LONGEST_CALL_SECONDS:
        raise CallTooLongError(
            task=signatures[0]["task"],
            waits_seconds=round(wait_seconds),
            together_at_most_seconds=round(LONGEST_CALL_SECONDS - lifetime_seconds()),
            hint=ENQUEUE_HINT,
        )
    tokens = calls.mint_tokens(
        publisher.context,
        role=publisher.role,
        calls=[(_call_id(each), each["task"]) for each in entering],
        lifetime_seconds=lifetime,
    )
    for each, token in zip(entering, tokens, strict=True):
        _set_header(each, TOKEN_HEADER, token)


def _set_header(signature: dict[str, Any], name: str, value: str) -> None:
    options = signature["options"]
    # A new mapping: the caller's may belong to several signatures.
    options["headers"] = {**(options.get("headers") or {}), name: value}


def _show(signature: dict[str, Any], tenant: str | None) -> None:
    if tenant is not None:
        signature["options"] |= {"argsrepr": SHOWN_ARGUMENTS, "kwargsrepr": repr({"tenant": tenant})}
    elif is_celerys_own(signature["task"]):
        # What it is given may be signatures, which carry their tokens with them.
        signature["options"] |= {"argsrepr": SHOWN_ARGUMENTS, "kwargsrepr": "{}"}


def _refuse_items(signature: dict[str, Any]) -> None:
    task = signature["kwargs"].get("task") if signature["task"] in EACH_ITEM else None
    if isinstance(task, Mapping) and _is_a_tenants(task["task"]):
        raise NoTenantError(task=task["task"], hint=ITEMS_HINT)


_PUBLISH_HINT = "Publish it from a task's body or inside publishing_as(); or enqueue it: POST /v1/jobs."
ITEMS_HINT = "Publish a group with a call for each item: map, starmap and chunks call the bare function."


def _is_a_tenants(task_name: str) -> bool:
    if task_name not in registry.declared() and task_name not in current_app.tasks:
        _load_tasks()
    declaration = registry.declared().get(task_name)
    return declaration is not None and not declaration.tenantless


@cache
def _load_tasks() -> None:
    """Import the tasks: a process that publishes by name may not have, and would take a tenant's for a plain one."""
    registry.load()


def _may_enter_a_tenant(task_name: str) -> bool:
    if task_name in registry.declared():
        return _is_a_tenants(task_name)
    # A name that this process does not know may be a tenant's task elsewhere.
    return not is_celerys_own(task_name) and task_name not in current_app.tasks


def _call_id(signature: dict[str, Any]) -> UUID:
    options = signature["options"]
    spelled = options["task_id"] = str(options.get("task_id") or uuid4())
    try:
        return UUID(spelled)
    except ValueError:
        raise CallIdError(task=signature["task"], hint="Leave task_id out, or pass a UUID.") from None

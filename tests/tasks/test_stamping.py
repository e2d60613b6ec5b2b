"""Stamping: every tenant's task that a message leads to gets a token of its publisher's, and nothing else does."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery import chain, chord, group, shared_task, signature
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from db import calls
from db.context import LONGEST_CALL_SECONDS
from db.errors import NoTenantError
from db.roles import Role
from db.session import platform_connection
from tasks import Job, registry, stamping, task
from tasks.application import TenantCelery
from tasks.errors import CallIdError, CallTooLongError
from tasks.headers import TENANT_HEADER, TOKEN_HEADER, tenant_of, token_of
from tasks.holding import UNACKNOWLEDGED_SECONDS
from tasks.publisher import publishing_as
from tasks.settings import TaskSettings
from tasks.signatures import plain, plain_message, single_tasks
from tasks.stamping import lifetime_seconds, stamp, without_token
from tests.databases import TestTenant


class Nothing(BaseModel):
    """An empty payload."""


@task("stamping.of_a_tenant")
def of_a_tenant(job: Job, payload: Nothing) -> None:
    """Belong to a tenant."""


@task("stamping.of_the_platform", tenantless=True)
def of_the_platform() -> None:
    """Belong to nobody."""


@task("stamping.long", time_limit_seconds=1760)
def long_one(job: Job, payload: Nothing) -> None:
    """Take as long as a broker waits, with what is added to every limit."""


@shared_task(name="stamping.plain")
def plain_one() -> None:
    """Know no tenant."""


@pytest.fixture(autouse=True)
def _application() -> Iterator[None]:
    """What every process of ours has: one application that knows the tasks."""
    with TenantCelery("tests") as app:
        app.finalize()
        yield


def message(task_name: str = "stamping.of_a_tenant", **options: Any) -> dict[str, Any]:
    return plain_message(task_name, [], {}, plain(options))


def admitted(signature: dict[str, Any]) -> UUID:
    """Return the tenant that the signature's token lets it into."""
    with platform_connection(Role.WORKER) as connection:
        return calls.admit(
            connection,
            token=str(token_of(signature["options"]["headers"])),
            call_id=UUID(signature["options"]["task_id"]),
            task_name=signature["task"],
            runs_for_deleted=False,
            lifetime_seconds=60,
        ).context.tenant_id


def expiry_of(signature: dict[str, Any]) -> float:
    return float(str(token_of(signature["options"]["headers"])).split(".")[4])


def nested() -> Any:
    step = signature("stamping.of_a_tenant")
    return chain(step, chord([step, group(step, signature("stamping.plain"))], step.clone()), step.clone())


def test_every_task_of_a_tenant_is_let_into_its_publishers_tenant(acme: TestTenant) -> None:
    sent = message(link=[nested()], link_error=[nested()])
    with publishing_as(acme.context, label="acme"):
        stamp(sent)
    stamped = list(single_tasks(sent))
    entering = [each for each in stamped if each["task"] == "stamping.of_a_tenant"]

    assert len(entering) == 11
    assert {admitted(each) for each in entering} == {acme.id}
    assert len({each["options"]["task_id"] for each in entering}) == len(entering)
    assert {tenant_of(each["options"]["headers"]) for each in stamped} == {"acme"}


@pytest.mark.parametrize("task_name", ["stamping.plain", "stamping.of_the_platform", "celery.chord_unlock"])
def test_a_task_that_enters_no_tenant_gets_no_token_and_shows_the_tenant_all_the_same(
    acme: TestTenant, task_name: str
) -> None:
    with publishing_as(acme.context, label="acme"):
        options = stamp(message(task_name))

    assert token_of(options["headers"]) is None
    assert (options["argsrepr"], options["kwargsrepr"]) == ("()", "{'tenant': 'acme'}")


def test_a_task_that_is_not_known_here_may_be_a_tenants_elsewhere(acme: TestTenant) -> None:
    with publishing_as(acme.context):
        sent = message("declared.elsewhere")
        stamp(sent)

    assert admitted(sent) == acme.id


def test_what_the_caller_asks_for_stays(acme: TestTenant) -> None:
    call_id = str(uuid4())
    with publishing_as(acme.context):
        options = stamp(message(task_id=call_id, headers={"x-colour": "blue"}, countdown=3, queue="default"))

    assert (options["task_id"], options["countdown"], options["queue"]) == (call_id, 3, "default")
    assert options["headers"]["x-colour"] == "blue"


def test_a_token_that_came_along_is_replaced_by_one_of_the_publishers(acme: TestTenant, zeta: TestTenant) -> None:
    with publishing_as(zeta.context):
        sent = message()
        stamp(sent)
    with publishing_as(acme.context):
        stamp(sent)

    assert admitted(sent) == acme.id


def test_headers_that_signatures_share_are_not_written_to(acme: TestTenant) -> None:
    shared = {"x-colour": "blue"}
    first, second = message(headers=shared), message(headers=shared)
    first["options"]["headers"] = second["options"]["headers"] = shared
    with publishing_as(acme.context):
        stamp(first)

    assert shared == {"x-colour": "blue"}


@pytest.mark.parametrize("task_id", ["me", 7, "00000000-0000-0000-0000-00000000000x"])
def test_an_id_that_is_no_uuid_is_refused(acme: TestTenant, task_id: Any) -> None:
    with publishing_as(acme.context), pytest.raises(CallIdError):
        stamp(message(task_id=task_id))


@pytest.mark.parametrize("delay", ["countdown", "eta", "eta as text"])
def test_a_token_lives_for_as_long_after_the_delay(acme: TestTenant, delay: str) -> None:
    eta = datetime.now(UTC) + timedelta(seconds=1000)
    each: dict[str, dict[str, Any]] = {
        "countdown": {"countdown": 1000},
        "eta": {"eta": eta},
        "eta as text": {"eta": eta.isoformat()},
    }
    sent = message(**each[delay])
    with publishing_as(acme.context):
        stamp(sent)

    assert abs(expiry_of(sent) - eta.timestamp() - TaskSettings.load().call_lifetime_seconds) < 60
    assert lifetime_seconds() == TaskSettings.load().call_lifetime_seconds


def later(seconds: float) -> Any:
    return signature("stamping.of_a_tenant", countdown=seconds)


def test_tokens_live_until_the_last_step_of_a_chain_is_due(acme: TestTenant) -> None:
    """Delays add up, also those of steps that enter no tenant."""
    steps = [later(1000), signature("stamping.plain", countdown=1000), later(1000)]
    sent = message("stamping.plain", countdown=1000, chain=steps)
    with publishing_as(acme.context):
        stamp(sent)
    expiries = [expiry_of(each) for each in single_tasks(sent) if each["task"] == "stamping.of_a_tenant"]

    assert len(expiries) == 2
    assert all(abs(each - datetime.now(UTC).timestamp() - 4000 - lifetime_seconds()) < 60 for each in expiries)


def test_a_canvas_that_outlasts_its_tokens_is_refused(acme: TestTenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamping, "lifetime_seconds", lambda: LONGEST_CALL_SECONDS - 1500)
    with publishing_as(acme.context):
        stamp(message(chain=[later(700), later(700)]))
        with pytest.raises(CallTooLongError, match=r"waits_seconds=1600.*run_at"):
            stamp(message(chain=[later(800), later(800)]))


# -- how long a broker waits ----------------------------------------------------------------------

TOO_LONG: dict[str, dict[str, Any]] = {
    "countdown": {"countdown": 1500},
    "eta": {"eta": datetime.now(UTC) + timedelta(days=2)},
    "a limit of its own": {"time_limit": 1780},
    "link": {"link": [later(1500)]},
    "link_error": {"link_error": [later(1500)]},
    "chain": {"chain": [later(0), later(1500)]},
    "chord": {"chord": later(1500)},
    "a canvas that waits": {"link": [group(later(0), later(0)).set(countdown=1500)]},
    "a plain step": {"chain": [later(0), signature("stamping.plain", countdown=1771)]},
}


@pytest.mark.parametrize("options", TOO_LONG.values(), ids=TOO_LONG)
def test_a_call_that_would_be_delivered_twice_is_refused_and_nothing_is_published(
    acme: TestTenant, options: dict[str, Any]
) -> None:
    with publishing_as(acme.context), pytest.raises(CallTooLongError, match="run_at"):
        stamp(message(**options))


def test_one_whose_task_may_run_for_so_long_too(acme: TestTenant) -> None:
    with publishing_as(acme.context), pytest.raises(CallTooLongError, match="hard_limit_seconds=1770"):
        stamp(message("stamping.long"))


def test_what_waits_and_runs_for_just_as_long_as_a_broker_waits_is_published(acme: TestTenant) -> None:
    with publishing_as(acme.context):
        options = stamp(message(countdown=UNACKNOWLEDGED_SECONDS - 310 - 30, chain=[later(1400), later(1400)]))

    assert token_of(options["headers"])


def test_a_step_that_brought_its_token_along_is_looked_at_too(acme: TestTenant) -> None:
    """As when a worker, which is in no tenant's context, publishes what follows a task."""
    sent = message()
    with publishing_as(acme.context):
        stamp(sent)

    with pytest.raises(CallTooLongError):
        stamp(message(headers=sent["options"]["headers"], countdown=1500))


def test_what_has_nothing_to_do_with_tenants_waits_as_long_as_it_likes() -> None:
    assert stamp(message("stamping.plain", countdown=10**6))["countdown"] == 10**6


# -- without a publisher --------------------------------------------------------------------------


def test_a_tenants_task_is_refused_without_a_tenant() -> None:
    with pytest.raises(NoTenantError, match=r"stamping\.of_a_tenant"):
        stamp(message())


@pytest.mark.parametrize("option", ["link", "link_error", "chain", "chord"])
def test_so_is_one_that_would_follow(option: str) -> None:
    follower: Any = signature("stamping.of_a_tenant")
    with pytest.raises(NoTenantError):
        stamp(message("stamping.plain", **{option: follower if option == "chord" else [follower]}))


def test_a_token_that_came_along_is_left_for_the_database_to_judge() -> None:
    headers = {TOKEN_HEADER: "whatever", TENANT_HEADER: "acme"}
    options = stamp(message(headers=headers))

    assert options["headers"] == headers
    assert (options["argsrepr"], options["kwargsrepr"]) == ("()", "{'tenant': 'acme'}")


def test_a_task_that_has_nothing_to_do_with_tenants_is_left_alone() -> None:
    assert set(stamp(message("stamping.plain", queue="default"))) == {"queue", "task_id"}


@given(
    headers=st.none()
    | st.dictionaries(
        st.sampled_from([TOKEN_HEADER, TENANT_HEADER, "x"]), st.none() | st.integers() | st.text() | st.lists(st.text())
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_tenants_task_has_a_text_for_a_token_or_is_refused(headers: dict[str, Any] | None) -> None:
    sent = message(headers=headers)
    without = bool(list(without_token([sent])))

    assert without == (not isinstance((headers or {}).get(TOKEN_HEADER), str))


@pytest.mark.parametrize("task_name", ["celery.map", "celery.starmap", "celery.chunks"])
@pytest.mark.parametrize("published_in_a_tenant", [True, False])
def test_what_calls_a_tenants_task_as_a_function_is_refused(
    acme: TestTenant, task_name: str, published_in_a_tenant: bool
) -> None:
    sent = message(task_name)
    sent["kwargs"] = json.loads(json.dumps({"task": signature("stamping.of_a_tenant"), "it": [{}]}))

    with pytest.raises(NoTenantError, match="group"):
        if published_in_a_tenant:
            with publishing_as(acme.context):
                stamp(sent)
        else:
            stamp(sent)


def test_the_tasks_of_this_module_are_what_it_says_they_are() -> None:
    assert not registry.declaration("stamping.of_a_tenant").tenantless
    assert registry.declaration("stamping.of_the_platform").tenantless
    assert "stamping.plain" not in registry.declared()

"""The tokens of calls: who gets them, and what each lets in."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from db import calls
from db.calls import Admission
from db.context import LONGEST_CALL_SECONDS, TenantContext
from db.errors import (
    NoTenantError,
    PartywallError,
    TenantDeletingError,
    TenantUnknownError,
    TokenExpiredError,
    TokenRejectedError,
)
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.tenants import delete_tenant, suspend_tenant
from tests.databases import Database, TestTenant

TASK = "notes.write"


def minted(tenant: TestTenant, call_id: UUID, *, task_name: str = TASK, seconds: float = 60) -> str:
    (token,) = calls.mint_tokens(tenant.context, role=Role.API, calls=[(call_id, task_name)], lifetime_seconds=seconds)
    return token


def admitted(token: str, call_id: UUID, *, task_name: str = TASK, runs_for_deleted: bool = False) -> Admission:
    with platform_connection(Role.WORKER) as connection:
        return calls.admit(
            connection,
            token=token,
            call_id=call_id,
            task_name=task_name,
            runs_for_deleted=runs_for_deleted,
            lifetime_seconds=60,
        )


def test_a_call_is_let_into_the_tenant_its_token_was_minted_for(acme: TestTenant, zeta: TestTenant) -> None:
    call_id = uuid4()
    admission = admitted(minted(acme, call_id), call_id)
    with tenant_session(admission.context, role=Role.WORKER) as session:
        entered = session.execute(text("select partywall.current_tenant_id()")).scalar_one()

    assert (admission.tenant_slug, admission.held) == ("acme", False)
    assert admission.context.tenant_id == entered == acme.id


def test_tokens_come_in_the_order_of_their_calls(acme: TestTenant) -> None:
    wanted = [(uuid4(), f"task.{number}") for number in range(12)]
    tokens = calls.mint_tokens(acme.context, role=Role.API, calls=wanted, lifetime_seconds=60)

    for (call_id, task_name), token in zip(wanted, tokens, strict=True):
        assert admitted(token, call_id, task_name=task_name).context.tenant_id == acme.id


def test_a_token_lets_in_no_other_id_and_no_other_task(acme: TestTenant) -> None:
    call_id = uuid4()
    token = minted(acme, call_id)

    with pytest.raises(TokenRejectedError, match="another message"):
        admitted(token, uuid4())
    with pytest.raises(TokenRejectedError, match="another message"):
        admitted(token, call_id, task_name="notes.delete")


def test_a_token_that_has_expired_lets_nothing_in(acme: TestTenant) -> None:
    call_id = uuid4()

    with pytest.raises(TokenExpiredError):
        admitted(minted(acme, call_id, seconds=-1), call_id)


def test_what_travels_with_a_call_does_not_enter_its_tenant(acme: TestTenant) -> None:
    token = minted(acme, uuid4())

    with pytest.raises(TokenRejectedError), tenant_session(TenantContext.of(token), role=Role.WORKER) as session:
        session.execute(text("select partywall.current_tenant_id()"))
    with pytest.raises(TokenRejectedError):
        calls.mint_tokens(TenantContext.of(token), role=Role.API, calls=[(uuid4(), TASK)], lifetime_seconds=60)


def test_a_context_lets_no_call_in(acme: TestTenant) -> None:
    call_id = uuid4()
    admission = admitted(minted(acme, call_id), call_id)

    for token in (acme.context.token, admission.context.token):
        with pytest.raises(TokenRejectedError):
            admitted(token, call_id)


ALTER: dict[str, Callable[[str, TestTenant, TestTenant], str]] = {
    "another tenant": lambda token, mine, theirs: token.replace(str(mine.id), str(theirs.id)),
    "a later expiry": lambda token, mine, theirs: token.replace(".call/", ".call/0"),
    "no key": lambda token, mine, theirs: token.replace("pw1.1.", "pw1.7."),
    "a key that is no number": lambda token, mine, theirs: token.replace("pw1.1.", "pw1.x."),
    "another seal": lambda token, mine, theirs: token[:-1] + ("0" if token[-1] != "0" else "1"),
    "half a seal": lambda token, mine, theirs: token[:-32],
    "no seal": lambda token, mine, theirs: token[:-64],
    "one part more": lambda token, mine, theirs: token + ".x",
    "nothing": lambda token, mine, theirs: "",
    "a null byte": lambda token, mine, theirs: token + "\x00",
}


@pytest.mark.parametrize("how", ALTER)
def test_an_altered_token_lets_nothing_in(acme: TestTenant, zeta: TestTenant, how: str) -> None:
    call_id = uuid4()

    with pytest.raises(TokenRejectedError):
        admitted(ALTER[how](minted(acme, call_id), acme, zeta), call_id)


def test_a_retired_key_lets_nothing_in(database: Database, acme: TestTenant) -> None:
    call_id = uuid4()
    token = minted(acme, call_id)
    with platform_connection(Role.OPERATOR) as connection:
        connection.execute(text("select partywall.rotate_signing_key()"))
        connection.execute(text("select partywall.retire_signing_key(1)"))

    with pytest.raises(TokenRejectedError):
        admitted(token, call_id)


def test_nobody_mints_without_a_tenant(database: Database) -> None:
    with platform_connection(Role.WORKER) as connection, pytest.raises(NoTenantError):
        connection.execute(text("select partywall.mint_calls(array[gen_random_uuid()], array['x'], '1 minute')"))


def test_a_call_of_a_suspended_tenant_is_held_with_a_context_to_send_it_again_in(acme: TestTenant) -> None:
    call_id = uuid4()
    token = minted(acme, call_id)
    with platform_connection(Role.OPERATOR) as connection:
        suspend_tenant(connection, "acme")
    admission = admitted(token, call_id)
    (again,) = calls.mint_tokens(admission.context, role=Role.WORKER, calls=[(call_id, TASK)], lifetime_seconds=60)

    assert admission.held
    assert admitted(again, call_id).held


@pytest.mark.parametrize(("gone", "error"), [(False, TenantDeletingError), (True, TenantUnknownError)])
def test_a_call_of_a_tenant_that_goes_is_let_in_only_if_it_runs_for_deleted_ones(
    database: Database, acme: TestTenant, gone: bool, error: type[PartywallError]
) -> None:
    call_id = uuid4()
    token = minted(acme, call_id)
    with platform_connection(Role.OPERATOR) as connection:
        delete_tenant(connection, "acme")
    if gone:
        database.do("delete from partywall.tenants")

    with pytest.raises(error):
        admitted(token, call_id)
    if gone:
        with pytest.raises(error):
            admitted(token, call_id, runs_for_deleted=True)
    else:
        assert admitted(token, call_id, runs_for_deleted=True).context.tenant_id == acme.id


@pytest.mark.parametrize(("asked", "days"), [("100 years", 30), ("1 day", 1)])
def test_no_token_of_a_call_lives_for_longer_than_thirty_days(acme: TestTenant, asked: str, days: int) -> None:
    with platform_connection(Role.WORKER, context=acme.context) as connection:
        token, now = connection.execute(
            text("select (partywall.mint_calls(array[gen_random_uuid()], array['x'], :asked))[1], now()"),
            {"asked": asked},
        ).one()

    assert abs(int(token.split(".")[4]) - now.timestamp() - days * 86_400) < 60
    assert LONGEST_CALL_SECONDS == 30 * 86_400

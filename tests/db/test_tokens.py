"""Tokens: only what this database signed, as it signed it, while it is fresh, opens a tenant."""

import hashlib
import hmac
import pickle
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from db.context import TenantContext
from db.credentials import authenticate
from db.errors import SigningKeyError, TokenRejectedError
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.signing_keys import retire_signing_key, rotate_signing_key
from tests.databases import Database, TestTenant
from tests.db.acting import raw_connection

REFUSED = ("PW002", "PW003")
quick = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def enter(connection: psycopg.Connection[Any], token: str | None) -> str | None:
    """Return the SQLSTATE of the refusal, or None when the token opened a tenant."""
    refusal: psycopg.Error | None = None
    try:
        with connection.transaction():
            connection.execute("select partywall.enter(%s)", (token,))
            connection.execute("select partywall.current_tenant_id()")
    except psycopg.Error as error:
        refusal = error
    assert token is None or len(token) < 20 or token not in str(refusal)
    return refusal.sqlstate if refusal else None


def replaced(token: str, **parts: str) -> str:
    names = ("version", "key", "tenant", "subject", "expiry", "mac")
    return ".".join((dict(zip(names, token.split("."), strict=True)) | parts).values())


def test_the_token_itself_is_good(database: Database, acme: TestTenant) -> None:
    with raw_connection(database, Role.WORKER) as connection:
        assert enter(connection, acme.context.token) is None


BROKEN: dict[str, Callable[[str], str | None]] = {
    "null": lambda token: None,
    "empty": lambda token: "",
    "a space": lambda token: " ",
    "dots": lambda token: "....." * 1000,
    "five dots": lambda token: ".....",
    "only a tenant": lambda token: token.split(".")[2],
    "the mac cut by one": lambda token: token[:-1],
    "without a mac": lambda token: token.rpartition(".")[0],
    "an empty mac": lambda token: replaced(token, mac=""),
    "a mac in upper case": lambda token: replaced(token, mac=token.rpartition(".")[2].upper()),
    "a mac of zeros": lambda token: replaced(token, mac="0" * 64),
    "another tenant": lambda token: replaced(token, tenant=str(uuid4())),
    "a tenant in upper case": lambda token: replaced(token, tenant=token.split(".")[2].upper()),
    "no tenant": lambda token: replaced(token, tenant=""),
    "a tenant that is no uuid": lambda token: replaced(token, tenant="acme"),
    "another subject": lambda token: replaced(token, subject="job/1/1"),
    "a later expiry": lambda token: replaced(token, expiry="99999999999"),
    "an expiry beyond bigint": lambda token: replaced(token, expiry="9" * 40),
    "a negative expiry": lambda token: replaced(token, expiry="-1"),
    "an expiry that is no number": lambda token: replaced(token, expiry="never"),
    "an unknown key": lambda token: replaced(token, key="2"),
    "a key of zero": lambda token: replaced(token, key="0"),
    "a key with zeros before it": lambda token: replaced(token, key="0001"),
    "a key beyond integer": lambda token: replaced(token, key="9999999999"),
    "a negative key": lambda token: replaced(token, key="-1"),
    "a key with a line break": lambda token: replaced(token, key="1\n"),
    "a key in other digits": lambda token: replaced(token, key="١"),  # noqa: RUF001 - the point
    "another version": lambda token: replaced(token, version="pw2"),
    "a part too many": lambda token: token + ".0",
    "twice": lambda token: f"{token}.{token}",
    "a line break after it": lambda token: token + "\n",
    "a space before it": lambda token: " " + token,
    "a megabyte": lambda token: token + "0" * 1_000_000,
    "a megabyte of subject": lambda token: replaced(token, subject="x" * 1_000_000),
    "beyond latin": lambda token: replaced(token, subject="\U0001f600"),
    "a known key and nothing else": lambda token: f".{token.split('.')[1]}",
    "a known key and six parts": lambda token: f".{token.split('.')[1]}....",
    "another character before the mac": lambda token: token.rpartition(".")[0] + "," + token.rpartition(".")[2],
    "a part less before the mac": lambda token: ".".join([*token.split(".")[:4], token.split(".")[5]]),
    "a dot in the subject": lambda token: replaced(token, subject="job.1"),
    "the mac twice": lambda token: token + "." + token.rpartition(".")[2],
}


def test_anything_else_is_refused_with_a_type(database: Database, acme: TestTenant) -> None:
    with raw_connection(database, Role.WORKER) as connection:
        answers = {name: enter(connection, spoil(acme.context.token)) for name, spoil in BROKEN.items()}

    assert answers == dict.fromkeys(BROKEN, "PW002")


@quick
@given(data=st.data())
def test_no_altered_token_opens_anything(data: st.DataObject, database: Database, acme: TestTenant) -> None:
    token = acme.context.token
    at = data.draw(st.integers(0, len(token) - 1))
    until = data.draw(st.integers(at, min(len(token), at + 8)))
    inserted = data.draw(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8))
    altered = token[:at] + inserted + token[until:]
    assume(altered != token)

    with raw_connection(database, Role.WORKER) as connection:
        assert enter(connection, altered) in REFUSED


@quick
@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200))
def test_no_made_up_token_opens_anything(text: str, database: Database) -> None:
    with raw_connection(database, Role.WORKER) as connection:
        assert enter(connection, text) in REFUSED


def test_a_token_of_another_database_opens_nothing_here(database: Database, acme: TestTenant) -> None:
    """Its key has the same number and another content."""
    key = "inner_pad = sha256(inner_pad) || sha256(outer_pad)"
    database.do(f"update partywall_private.signing_keys set {key}")
    try:
        with raw_connection(database, Role.WORKER) as connection:
            assert enter(connection, acme.context.token) == "PW002"
    finally:
        database.do("select partywall.rotate_signing_key()")


def test_an_expired_token_is_refused_as_expired(database: Database, acme: TestTenant) -> None:
    ((token,),) = database.ask(
        "select partywall_private.mint(:tenant, 'job/x/1', interval '-1 second')", tenant=acme.id
    )

    with raw_connection(database, Role.WORKER) as connection:
        assert enter(connection, str(token)) == "PW003"


SOMEBODY = "01a20718-3482-7f77-818c-0caffbe18a9d"


@pytest.mark.parametrize(
    "text", ["", "pw1", "pw1.1.x.job.1.mac", "pw1.1", f"pw2.1.{SOMEBODY}.job.1.mac", f"pw1.1.{SOMEBODY}.a.b.1.mac"]
)
def test_a_text_of_another_shape_makes_no_context(text: str) -> None:
    with pytest.raises(TokenRejectedError) as refusal:
        TenantContext.of(text)

    assert not text or text not in str(refusal.value)


def test_a_context_survives_pickling_and_names_its_tenant(acme: TestTenant) -> None:
    assert pickle.loads(pickle.dumps(acme.context)) == acme.context  # noqa: S301 - our own bytes
    assert TenantContext.of(acme.context.token).tenant_id == acme.id


def key_of(context: TenantContext) -> int:
    return int(context.token.split(".")[1])


def fresh_context(tenant: TestTenant) -> TenantContext:
    with platform_connection(Role.API) as connection:
        return authenticate(connection, tenant.key).context


def can_enter(context: TenantContext) -> bool:
    try:
        with tenant_session(context, role=Role.API) as session:
            session.connection().exec_driver_sql("select 1")
    except TokenRejectedError:
        return False
    return True


def test_a_rotation_interrupts_nobody_and_a_retirement_those_of_its_key(acme: TestTenant) -> None:
    old = acme.context
    with platform_connection(Role.OPERATOR) as connection:
        new_key = rotate_signing_key(connection)
        new = fresh_context(acme)
        assert (key_of(new), can_enter(old), can_enter(new)) == (new_key, True, True)

        retire_signing_key(connection, key_of(old))
        assert (can_enter(old), can_enter(new)) == (False, True)


def test_the_newest_key_cannot_be_retired_nor_any_key_twice(acme: TestTenant) -> None:
    newest = key_of(fresh_context(acme))
    with platform_connection(Role.OPERATOR) as connection:
        for key_id in (newest, newest + 1, 0, -1):
            with pytest.raises(SigningKeyError):
                retire_signing_key(connection, key_id)
            connection.rollback()
        rotate_signing_key(connection)
        retire_signing_key(connection, newest)
        with pytest.raises(SigningKeyError):
            retire_signing_key(connection, newest)

    assert can_enter(fresh_context(acme))


def test_every_key_is_another(database: Database) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        rotate_signing_key(connection)

    pads = database.ask("select inner_pad, outer_pad from partywall_private.signing_keys")
    assert len({bytes(inner) for inner, _ in pads}) == len(pads) >= 2  # type: ignore[call-overload]
    assert all(len(inner) == len(outer) == 64 for inner, outer in pads)  # type: ignore[arg-type]


def test_a_mac_is_hmac_sha_256_as_everyone_else_computes_it(database: Database, acme: TestTenant) -> None:
    ((inner,),) = database.ask(
        "select inner_pad from partywall_private.signing_keys where id = :id", id=key_of(acme.context)
    )
    head, _, mac = acme.context.token.rpartition(".")
    key = bytes(byte ^ 0x36 for byte in bytes(inner))  # type: ignore[call-overload]

    assert hmac.new(key, head.encode(), hashlib.sha256).hexdigest() == mac

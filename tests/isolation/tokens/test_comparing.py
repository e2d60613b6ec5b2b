"""How a proof is compared: over digests, so that the time it takes says nothing about how much of it was right.

Comparing bytes stops at the first that differs; of a digest that says nothing about what it is of. So a function that
compares digests only lets everything in once its digests are all the same.
"""

from collections.abc import Callable
from uuid import uuid4

import pytest
from sqlalchemy import text

from db import calls
from db.context import TenantContext
from db.credentials import ApiKey, authenticate
from db.errors import PartywallError
from db.roles import Role
from db.session import platform_connection, tenant_session
from tests.databases import Database, TestTenant

LetIn = Callable[[TestTenant], object]


def with_another_end(token: str) -> str:
    return token[:-1] + ("0" if token[-1] != "0" else "1")


def a_wrong_mac(tenant: TestTenant) -> object:
    context = TenantContext.of(with_another_end(tenant.context.token))
    with tenant_session(context, role=Role.WORKER) as session:
        return session.execute(text("select partywall.current_tenant_id()")).scalar_one()


def a_wrong_seal(tenant: TestTenant) -> object:
    call_id = uuid4()
    (sealed,) = calls.mint_tokens(tenant.context, role=Role.API, calls=[(call_id, "x")], lifetime_seconds=60)
    with platform_connection(Role.WORKER) as connection:
        return calls.admit(
            connection,
            token=with_another_end(sealed),
            call_id=call_id,
            task_name="x",
            runs_for_deleted=False,
            lifetime_seconds=60,
        ).context.tenant_id


def a_wrong_secret(tenant: TestTenant) -> object:
    with platform_connection(Role.API) as connection:
        return authenticate(connection, ApiKey(id=tenant.key.id, secret="guessed")).tenant_id


COMPARING: dict[str, LetIn] = {
    "partywall_private.proven_tenant_id(text)": a_wrong_mac,
    "partywall_private.unseal(text)": a_wrong_seal,
    "partywall.authenticate(text, bytea)": a_wrong_secret,
}
"""Every function that compares what somebody brought, and what gets in if its digests say nothing."""

NOT_COMPARING = {
    "partywall.admit_call(text, uuid, text, boolean, interval)",
    "partywall_private.announce(uuid)",
    "partywall_private.answered_before(uuid, text, jsonb, text, boolean)",
    "partywall_private.arrival_mask(text)",
    "partywall_private.call_subject(uuid, text)",
    "partywall_private.mint(uuid, text, interval)",
    "partywall_private.seal(text)",
    "partywall_private.sign(text, text)",
    "partywall.create_api_key(text, text, text, bytea)",
    "partywall.forget_worker(uuid, bytea)",
    "partywall.heartbeat(uuid, text[], interval, bytea)",
    "partywall.lock(text)",
    "partywall.mint_calls(uuid[], text[], interval)",
    "partywall.register_worker(uuid, text, integer, text, text[], integer, bytea, text[])",
    "partywall.retire_signing_key(integer)",
    "partywall.revoke_api_key(text)",
    "partywall.rotate_signing_key()",
}
"""Those that make a proof, hand it on, or look at what it says once it is proven; one makes numbers of names.

`answered_before` compares requests, and the others of arrivals hide an id and let nobody in. Those of processes compare
the digest of a secret that lets nobody into a tenant; attacks/test_functions.py guesses it."""


def make_all_digests_equal(database: Database, function: str) -> None:
    database.do("create schema hollow")
    database.do("grant usage on schema hollow to public")
    database.do("create function hollow.sha256(bytea) returns bytea immutable return pg_catalog.sha256('')")
    database.do(f"alter function {function} set search_path = hollow, pg_catalog, pg_temp")
    database.do("update partywall_private.api_keys set secret_proof = hollow.sha256('')")


@pytest.mark.parametrize("function", COMPARING)
def test_nothing_but_digests_is_compared(function: str, database: Database, acme: TestTenant) -> None:
    let_in = COMPARING[function]
    with pytest.raises(PartywallError, match="refused"):
        let_in(acme)
    make_all_digests_equal(database, function)

    assert let_in(acme) == acme.id


def test_every_function_that_touches_a_proof_is_known(database: Database) -> None:
    """A new one is to be entered above: as one that compares, with what it would let in, or as one that does not."""
    touching = database.ask(r"""
        select format('%s.%s(%s)', nspname, proname, oidvectortypes(proargtypes))
        from pg_proc
        inner join pg_namespace as schemas on pronamespace = schemas.oid
        where nspname in ('partywall', 'partywall_private')
          and prosrc ~ 'signing_keys|api_keys|secret_proof|sha256\(|\m(un)?seal\(|\msign\('
    """)

    assert {name for (name,) in touching} == {*COMPARING, *NOT_COMPARING}

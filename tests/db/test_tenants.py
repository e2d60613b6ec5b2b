"""Tenants and their keys, as an operator manages them."""

from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from db.credentials import ApiKey, authenticate, create_api_key, revoke_api_key
from db.errors import (
    CredentialRejectedError,
    TenantDeletingError,
    TenantExistsError,
    TenantSuspendedError,
    TenantUnknownError,
)
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.tenants import (
    create_tenant,
    jobs_overview,
    list_tenants,
    open_tenant,
    resume_tenant,
    suspend_tenant,
)
from tests.databases import Database, TestTenant
from tests.db.work import enqueue_one


def test_a_slug_belongs_to_one_tenant(acme: TestTenant) -> None:
    with platform_connection(Role.OPERATOR) as connection, pytest.raises(TenantExistsError, match="acme"):
        create_tenant(connection, slug="acme", name="Another")


@pytest.mark.parametrize("slug", ["", "-a", "a-", "A", "a.b", "a_b", "a" * 64, "ä", "a\n", "a b"])
def test_a_slug_is_a_dns_label(slug: str, database: Database) -> None:
    with platform_connection(Role.OPERATOR) as connection, pytest.raises(IntegrityError):
        create_tenant(connection, slug=slug, name="Name")


@pytest.mark.parametrize("slug", ["a", "0", "a-b", "a--b", "a" * 63])
def test_any_dns_label_is_a_slug(slug: str, database: Database) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        create_tenant(connection, slug=slug, name="Name")
        assert [tenant.slug for tenant in list_tenants(connection)] == [slug]


def test_a_worker_sees_its_own_tenant_only(acme: TestTenant, zeta: TestTenant) -> None:
    with platform_connection(Role.WORKER, context=acme.context) as connection:
        assert [tenant.slug for tenant in list_tenants(connection)] == ["acme"]


def test_suspending_and_resuming_twice_is_once(acme: TestTenant) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        assert [suspend_tenant(connection, "acme") for _ in range(2)] == [acme.id] * 2
        assert [tenant.status for tenant in list_tenants(connection)] == ["suspended"]
        assert [resume_tenant(connection, "acme") for _ in range(2)] == [acme.id] * 2
        assert [tenant.status for tenant in list_tenants(connection)] == ["active"]


def test_a_tenant_being_deleted_can_be_neither_suspended_nor_resumed(database: Database, acme: TestTenant) -> None:
    database.do("update partywall.tenants set status = 'deleting'")
    with platform_connection(Role.OPERATOR) as connection:
        for change in (suspend_tenant, resume_tenant):
            with pytest.raises(TenantDeletingError, match="no way back"):
                change(connection, "acme")

    assert database.ask("select status from partywall.tenants") == [("deleting",)]


def test_an_unknown_slug_is_told(database: Database) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        for act in (suspend_tenant, resume_tenant, open_tenant):
            with pytest.raises(TenantUnknownError):
                act(connection, "nobody")
            connection.rollback()
        with pytest.raises(TenantUnknownError):
            create_api_key(connection, slug="nobody", label="tests")


def test_an_operator_can_look_into_a_suspended_tenant(acme: TestTenant) -> None:
    enqueue_one(acme)
    with platform_connection(Role.OPERATOR) as connection:
        suspend_tenant(connection, "acme")
        context = open_tenant(connection, "acme")

    with tenant_session(context, role=Role.OPERATOR) as session:
        assert session.execute(text("select count(*) from partywall.jobs")).scalar_one() == 1


def test_the_overview_spans_tenants_newest_first_and_can_be_filtered(acme: TestTenant, zeta: TestTenant) -> None:
    ids = [enqueue_one(acme), enqueue_one(zeta, task_name="notes.read"), enqueue_one(acme)]
    with platform_connection(Role.OPERATOR) as connection:
        every = jobs_overview(connection, limit=10)
        assert [job.id for job in every] == sorted(ids, reverse=True)
        assert {job.tenant_slug for job in every} == {"acme", "zeta"}
        assert len(jobs_overview(connection, limit=2)) == 2
        assert [job.id for job in jobs_overview(connection, slug="zeta", limit=10)] == [ids[1]]
        assert [job.id for job in jobs_overview(connection, task_name="notes.read", limit=10)] == [ids[1]]
        assert [job.id for job in jobs_overview(connection, job_id=ids[0], limit=10)] == [ids[0]]
        assert jobs_overview(connection, state="failed", limit=10) == []


def authenticated(key: ApiKey) -> str:
    with platform_connection(Role.API) as connection:
        return authenticate(connection, key).tenant_slug


def test_a_key_opens_its_tenant_for_five_minutes(database: Database, acme: TestTenant) -> None:
    with platform_connection(Role.API) as connection:
        principal = authenticate(connection, acme.key)

    assert (principal.tenant_id, principal.tenant_slug, principal.key_id) == (acme.id, "acme", acme.key.id)
    ((left,),) = database.ask("select to_timestamp(:at) - now()", at=int(principal.context.token.split(".")[4]))
    assert timedelta(minutes=4, seconds=50) < left <= timedelta(minutes=5, seconds=1)  # type: ignore[operator]


def test_wrong_unknown_and_revoked_keys_are_refused_alike(acme: TestTenant, zeta: TestTenant) -> None:
    wrong = ApiKey(id=acme.key.id, secret=ApiKey.new().secret)
    mixed = ApiKey(id=acme.key.id, secret=zeta.key.secret)
    with platform_connection(Role.OPERATOR) as connection:
        revoked = create_api_key(connection, slug="acme", label="tests")
        assert authenticated(revoked) == "acme"
        revoke_api_key(connection, revoked.id)
        revoke_api_key(connection, revoked.id)

    told = set()
    for key in (wrong, mixed, ApiKey.new(), revoked):
        with pytest.raises(CredentialRejectedError) as refusal:
            authenticated(key)
        told.add(str(refusal.value))
    assert len(told) == 1


def test_revoking_a_key_nobody_has_is_told(database: Database) -> None:
    with platform_connection(Role.OPERATOR) as connection, pytest.raises(CredentialRejectedError):
        revoke_api_key(connection, "0123456789abcdef")


@pytest.mark.parametrize(
    ("status", "refusal"), [("suspended", TenantSuspendedError), ("deleting", TenantDeletingError)]
)
def test_a_good_key_of_a_tenant_that_may_not_work_is_refused(
    status: str, refusal: type[Exception], database: Database, acme: TestTenant
) -> None:
    database.do("update partywall.tenants set status = :status", status=status)

    with pytest.raises(refusal):
        authenticated(acme.key)


def test_the_database_keeps_nothing_that_opens_a_door(database: Database, acme: TestTenant) -> None:
    """What is stored proves a digest, and the digest is not what is stored."""
    ((stored,),) = database.ask("select secret_proof from partywall_private.api_keys")
    proof = bytes(stored)  # type: ignore[call-overload]

    assert proof not in (acme.key.digest, acme.key.secret.encode())
    with psycopg.connect(database.url(Role.API)) as connection, pytest.raises(psycopg.DatabaseError) as refusal:
        connection.execute("select * from partywall.authenticate(%s, %s)", (acme.key.id, proof))
    assert refusal.value.sqlstate == CredentialRejectedError.sqlstate


def test_a_key_is_spelled_and_parsed_and_shows_no_secret() -> None:
    key = ApiKey.new()

    assert ApiKey.parse(key.spell()) == key
    assert key.secret not in repr(key)


@pytest.mark.parametrize(
    "spelled", ["", "pw_a_b", "pw_0123456789abcdef_short", "xx_0123456789abcdef_" + "a" * 43, "pw_\0_x"]
)
def test_a_text_of_another_shape_is_no_key(spelled: str) -> None:
    with pytest.raises(CredentialRejectedError) as refusal:
        ApiKey.parse(spelled)

    assert not spelled or spelled not in str(refusal.value)


def test_a_key_whose_id_could_be_read_as_part_of_a_token_is_refused(acme: TestTenant) -> None:
    with platform_connection(Role.OPERATOR) as connection, pytest.raises(IntegrityError):
        connection.execute(text("select partywall.create_api_key('acme', 'x.99999999999', 'l', 'x')"))

"""Who may ask, and that nobody learns why not."""

import httpx
import pytest

from db.credentials import ApiKey, revoke_api_key
from db.roles import Role
from db.session import platform_connection
from db.tenants import resume_tenant, suspend_tenant
from tests.api.problems import problem
from tests.api.server import Server
from tests.databases import Database, TestTenant

ADDRESSES = [
    ("POST", "/v1/jobs"),
    ("GET", "/v1/jobs"),
    ("GET", "/v1/jobs?limit=0&cursor=x"),
    ("GET", "/v1/jobs/0197f0c0-0000-7000-8000-000000000000"),
    ("GET", "/v1/tasks"),
    ("PUT", "/v1/files/orders.csv"),
    ("GET", "/v1/files/orders.csv"),
]


STRANGER = ApiKey(id="0123456789abcdef", secret="s" * 43).spell()
"""Well-formed, and nobody's."""


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_without_a_key_nothing_is_answered(as_nobody: httpx.Client, method: str, path: str) -> None:
    response = as_nobody.request(method, path)

    body = problem(response, 401, "credential-refused")
    assert response.headers["www-authenticate"] == 'Bearer realm="partywall"'
    assert "Authorization: Bearer" in body["hint"]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer x",
        "Basic dXNlcjpwYXNzd29yZA==",
        "Bearer pw_0123456789abcdef_short",
        "Bearer pw1.1.0197f0c0-0000-7000-8000-000000000000.key/x.99999999999.0000",
        f"Bearer {STRANGER}",
        f"Bearer {STRANGER} {STRANGER}",
        "Bearer pw_\xff",
    ],
)
def test_a_key_that_is_none_of_ours_is_refused(as_nobody: httpx.Client, header: str) -> None:
    response = as_nobody.get("/v1/jobs", headers=[(b"Authorization", header.encode("latin-1"))])

    problem(response, 401, "credential-refused")


def test_the_right_id_with_the_wrong_secret_is_refused(server: Server, acme: TestTenant) -> None:
    wrong = ApiKey(id=acme.key.id, secret=ApiKey.new().secret)

    with server.client(wrong.spell()) as client:
        problem(client.get("/v1/jobs"), 401, "credential-refused")


def test_a_revoked_key_is_refused_at_once_and_looks_like_an_unknown_one(
    as_acme: httpx.Client, server: Server, acme: TestTenant
) -> None:
    same = {"X-Request-Id": "the-same"}
    assert as_acme.get("/v1/jobs").status_code == 200

    with platform_connection(Role.OPERATOR) as connection:
        revoke_api_key(connection, acme.key.id)
    revoked = as_acme.get("/v1/jobs", headers=same)
    with server.client(ApiKey.new().spell()) as client:
        unknown = client.get("/v1/jobs", headers=same)

    problem(revoked, 401, "credential-refused")
    assert revoked.content == unknown.content


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_a_suspended_tenant_is_refused_until_it_is_resumed(
    as_acme: httpx.Client, acme: TestTenant, method: str, path: str
) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        suspend_tenant(connection, acme.slug)
        refused = as_acme.request(method, path)
        resume_tenant(connection, acme.slug)

    problem(refused, 403, "tenant-suspended")
    assert as_acme.request(method, path).status_code != 403


def test_a_tenant_that_is_being_deleted_is_refused(as_acme: httpx.Client, acme: TestTenant, database: Database) -> None:
    database.do("update partywall.tenants set status = 'deleting' where id = :id", id=acme.id)

    problem(as_acme.get("/v1/jobs"), 403, "tenant-deleting")


@pytest.mark.parametrize("header", ["X-Tenant", "X-Tenant-Id", "Tenant", "Host"])
def test_no_header_names_a_tenant(as_acme: httpx.Client, zeta: TestTenant, header: str) -> None:
    as_acme.post("/v1/jobs", json={"task": "errands.fetch", "payload": {"item": "x"}})

    listed = as_acme.get("/v1/jobs", headers={header: zeta.slug}).json()["data"]

    assert len(listed) == 1

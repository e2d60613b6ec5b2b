"""`POST /v1/jobs/batch`: all of them, or none, and what is wrong with which."""

from typing import Any

import httpx
import pytest

from db.limits import drain_tenant
from db.roles import Role
from db.session import platform_connection
from db.tenants import suspend_tenant
from tests.api.problems import pointers, problem
from tests.databases import Database, TestTenant
from tests.db.limiting import limit

FETCH: dict[str, Any] = {"task": "errands.fetch", "payload": {"item": "bread"}}
KEYED = {"Idempotency-Key": "order-4711"}


def post(client: httpx.Client, *jobs: Any, **headers: str) -> httpx.Response:
    return client.post("/v1/jobs/batch", json={"jobs": jobs}, headers=headers)


def count(database: Database, tenant: TestTenant) -> int:
    return len(database.ask("select 1 from partywall.jobs where tenant_id = :id", id=tenant.id))


def test_a_batch_is_accepted_in_its_order(as_acme: httpx.Client, acme: TestTenant, database: Database) -> None:
    response = post(as_acme, *(FETCH | {"payload": {"item": "bread", "count": each + 1}} for each in range(1000)))

    assert response.status_code == 202
    jobs = response.json()["jobs"]
    assert all(each["is_new"] for each in jobs)
    assert count(database, acme) == 1000
    last = as_acme.get(f"/v1/jobs/{jobs[-1]['id']}").json()
    assert (last["payload"]["count"], last["payload"]["note"], last["max_attempts"]) == (1000, "", 7)
    listed = as_acme.get("/v1/jobs", params={"limit": 2}).json()["data"]
    assert [each["id"] for each in listed] == [jobs[-1]["id"], jobs[-2]["id"]]


def test_each_job_may_wish_what_a_single_one_may(as_acme: httpx.Client) -> None:
    wishes = {"run_at": "2130-01-01T00:00:00Z", "expires_at": "2130-01-02T00:00:00Z", "priority": 5, "unique_key": "u"}

    jobs = post(as_acme, FETCH, FETCH | wishes, FETCH | {"unique_key": "u", "if_live": "return"}).json()["jobs"]

    assert [each["is_new"] for each in jobs] == [True, True, False]
    assert jobs[2]["id"] == jobs[1]["id"]
    shown = as_acme.get(f"/v1/jobs/{jobs[1]['id']}").json()
    assert (shown["state"], shown["priority"], shown["unique_key"]) == ("scheduled", 5, "u")


def test_everything_wrong_with_every_job_is_told_at_once(
    as_acme: httpx.Client, acme: TestTenant, database: Database
) -> None:
    response = post(
        as_acme,
        FETCH,
        {"task": "no.such"},
        {"task": "errands.sweep"},
        FETCH | {"payload": {"item": "", "stops": [{"b/c": "x"}]}},
    )

    body = problem(response, 422, "invalid-jobs")
    assert pointers(body) == ["/jobs/1/task", "/jobs/2/task", "/jobs/3/payload/item", "/jobs/3/payload/stops/0/b~1c"]
    assert body["hint"]
    assert count(database, acme) == 0


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, ["/jobs"]),
        ([FETCH], [""]),
        ({"jobs": []}, ["/jobs"]),
        ({"jobs": [FETCH] * 1001}, ["/jobs"]),
        ({"jobs": [FETCH, FETCH | {"priority": 101, "tenant": "zeta"}]}, ["/jobs/1/priority", "/jobs/1/tenant"]),
        ({"jobs": [FETCH, 7]}, ["/jobs/1"]),
        ({"jobs": [FETCH], "task": "errands.fetch"}, ["/task"]),
    ],
)
def test_a_batch_of_another_shape_is_refused(
    as_acme: httpx.Client, acme: TestTenant, database: Database, sent: Any, expected: list[str]
) -> None:
    body = problem(as_acme.post("/v1/jobs/batch", json=sent), 422, "invalid-request")

    assert pointers(body) == expected
    assert count(database, acme) == 0


@pytest.mark.parametrize(
    ("wrong", "status", "slug", "expected"),
    [
        ({"payload": {"item": "x", "note": "y" * 256 * 1024}}, 413, "payload-too-large", "/jobs/2/payload"),
        ({"payload": {"item": "nul \0"}}, 422, "unstorable-payload", "/jobs/2/payload"),
        ({"unique_key": "live"}, 409, "unique-key-taken", "/jobs/2/unique_key"),
    ],
)
def test_what_only_the_database_finds_wrong_has_its_pointer_too(
    as_acme: httpx.Client,
    acme: TestTenant,
    database: Database,
    wrong: dict[str, Any],
    status: int,
    slug: str,
    expected: str,
) -> None:
    as_acme.post("/v1/jobs", json=FETCH | {"unique_key": "live"})

    body = problem(post(as_acme, FETCH, FETCH, FETCH | wrong), status, slug)

    assert pointers(body) == [expected]
    assert count(database, acme) == 1


def test_a_batch_sent_again_is_the_same_jobs(as_acme: httpx.Client, acme: TestTenant, database: Database) -> None:
    first = post(as_acme, FETCH, FETCH, **KEYED)
    again = post(as_acme, FETCH, FETCH, **KEYED)

    assert (first.status_code, again.status_code) == (202, 202)
    assert [each["id"] for each in again.json()["jobs"]] == [each["id"] for each in first.json()["jobs"]]
    assert [each["is_new"] for each in again.json()["jobs"]] == [False, False]
    assert count(database, acme) == 2
    job_id = first.json()["jobs"][1]["id"]
    assert as_acme.get(f"/v1/jobs/{job_id}").json()["idempotency_key"] == "order-4711/1"


def test_the_key_of_another_batch_is_refused(as_acme: httpx.Client, acme: TestTenant, database: Database) -> None:
    post(as_acme, FETCH, FETCH, **KEYED)

    other = FETCH | {"payload": {"item": "milk"}}
    body = problem(post(as_acme, FETCH, other, FETCH, **KEYED), 409, "idempotency-key-reused")

    assert pointers(body) == ["/jobs/1"]
    assert count(database, acme) == 2


def test_a_key_of_a_batch_leaves_room_for_the_place(as_acme: httpx.Client) -> None:
    fits = post(as_acme, *[FETCH] * 1000, **{"Idempotency-Key": "k" * 251})
    body = problem(post(as_acme, FETCH, **{"Idempotency-Key": "k" * 252}), 422, "invalid-request")

    assert fits.status_code == 202
    assert [(each["header"], each["code"]) for each in body["errors"]] == [("Idempotency-Key", "too_long")]


def test_another_tenants_keys_and_jobs_do_not_exist(as_acme: httpx.Client, as_zeta: httpx.Client) -> None:
    wanted = FETCH | {"unique_key": "the-only-one"}
    of_acme, of_zeta = (post(client, wanted, FETCH, **KEYED).json()["jobs"] for client in (as_acme, as_zeta))

    assert all(each["is_new"] for each in of_zeta)
    assert not {each["id"] for each in of_acme} & {each["id"] for each in of_zeta}
    problem(as_zeta.get(f"/v1/jobs/{of_acme[0]['id']}"), 404, "job-not-found")


def test_a_full_queue_takes_none_of_them(as_acme: httpx.Client, acme: TestTenant, database: Database) -> None:
    limit(acme, max_queued=3)
    post(as_acme, FETCH)

    problem(post(as_acme, FETCH, FETCH, FETCH), 429, "queue-full")

    assert count(database, acme) == 1
    assert post(as_acme, FETCH, FETCH).status_code == 202


@pytest.mark.parametrize("headers", [{}, KEYED])
def test_more_than_may_ever_wait_are_not_told_to_come_again(
    as_acme: httpx.Client, acme: TestTenant, database: Database, headers: dict[str, str]
) -> None:
    limit(acme, max_queued=2)

    response = post(as_acme, FETCH, FETCH, FETCH, **headers)

    assert "at most 2" in problem(response, 422, "too-many-jobs")["hint"]
    assert "retry-after" not in response.headers
    assert count(database, acme) == 0


def test_a_tenant_that_may_not_work_is_refused(as_acme: httpx.Client, acme: TestTenant) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        drain_tenant(connection, acme.slug, reason="moving out")
    problem(post(as_acme, FETCH), 403, "tenant-draining")
    with platform_connection(Role.OPERATOR) as connection:
        suspend_tenant(connection, acme.slug)
    problem(post(as_acme, FETCH), 403, "tenant-suspended")


def test_nobody_asks_without_a_key_or_for_more_than_a_body_holds(
    as_nobody: httpx.Client, as_acme: httpx.Client
) -> None:
    assert post(as_nobody, FETCH).status_code == 401
    problem(post(as_acme, *[FETCH | {"payload": {"item": "x" * 2000}}] * 1000), 413, "body-too-large")

"""`GET /v1/jobs`: pages and filters."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from db import accepting
from db.roles import Role
from db.session import tenant_session
from tests.api.problems import problem
from tests.databases import Database, TestTenant


def enqueue(tenant: TestTenant, count: int, *, task_name: str = "errands.fetch") -> list[str]:
    """Accept jobs in one transaction; return their ids, newest first."""
    with tenant_session(tenant.context, role=Role.API) as session:
        made: list[UUID] = [
            accepting.accept(
                session, task_name=task_name, payload={"item": "x"}, queue="default", max_attempts=1
            ).job_id
            for _ in range(count)
        ]
    return [str(each) for each in sorted(made, reverse=True)]


def pages(client: httpx.Client, **filters: Any) -> list[list[str]]:
    """Return the ids of every page, following the cursors."""
    found: list[list[str]] = []
    cursor: str | None = None
    while True:
        response = client.get("/v1/jobs", params=filters | ({"cursor": cursor} if cursor else {}))
        assert response.status_code == 200, response.text
        body = response.json()
        found.append([each["id"] for each in body["data"]])
        cursor = body["page"]["cursor"]
        assert body["page"]["has_more"] == (cursor is not None)
        if cursor is None:
            return found


def ids(client: httpx.Client, **filters: Any) -> list[str]:
    return [each for page in pages(client, **filters) for each in page]


def test_pages_over_jobs_of_the_same_moment_lose_and_repeat_none(
    as_acme: httpx.Client, acme: TestTenant, zeta: TestTenant, database: Database
) -> None:
    expected = enqueue(acme, 23)
    enqueue(zeta, 3)
    moments = "select count(distinct created_at) from partywall.jobs where tenant_id = :tenant"
    assert database.ask(moments, tenant=acme.id) == [(1,)]

    found = pages(as_acme, limit=5)

    assert [len(page) for page in found] == [5, 5, 5, 5, 3]
    assert [each for page in found for each in page] == expected


def test_jobs_that_arrive_while_paging_do_not_shift_the_pages(as_acme: httpx.Client, acme: TestTenant) -> None:
    expected = enqueue(acme, 6)
    first = as_acme.get("/v1/jobs", params={"limit": 3}).json()
    enqueue(acme, 3)

    second = as_acme.get("/v1/jobs", params={"limit": 3, "cursor": first["page"]["cursor"]}).json()

    assert [each["id"] for each in first["data"] + second["data"]] == expected
    assert second["page"] == {"cursor": None, "has_more": False, "limit": 3}


def test_a_page_has_20_jobs_unless_asked_otherwise(as_acme: httpx.Client, acme: TestTenant) -> None:
    enqueue(acme, 21)

    body = as_acme.get("/v1/jobs").json()

    assert (len(body["data"]), body["page"]["limit"], body["page"]["has_more"]) == (20, 20, True)
    assert "payload" not in body["data"][0]


def test_filters_select(as_acme: httpx.Client, acme: TestTenant, database: Database) -> None:
    [old, failed] = enqueue(acme, 2)
    [swept] = enqueue(acme, 1, task_name="errands.other")
    database.do("update partywall.jobs set created_at = '2020-01-01T00:00:00Z' where id = :id", id=old)
    database.do("update partywall.jobs set state = 'failed', finished_at = now() where id = :id", id=failed)

    assert ids(as_acme, state="failed") == [failed]
    assert ids(as_acme, state=["failed", "queued"], limit=1) == sorted([old, failed, swept], reverse=True)
    assert ids(as_acme, task="errands.other") == [swept]
    assert ids(as_acme, created_before="2020-01-01T00:00:00Z") == []
    assert ids(as_acme, created_before="2020-01-01T00:00:01Z") == [old]
    assert ids(as_acme, created_from="2020-01-01T01:00:00+01:00", created_before="2020-02-01T00:00:00Z") == [old]
    assert ids(as_acme, created_from="2020-01-01T00:00:01Z") == sorted([failed, swept], reverse=True)


def test_another_tenants_jobs_are_not_listed(as_zeta: httpx.Client, acme: TestTenant) -> None:
    enqueue(acme, 2)

    assert ids(as_zeta) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda cursor: "",
        lambda cursor: "A" * 32,
        lambda cursor: cursor[:-1],
        lambda cursor: cursor + "A",
        lambda cursor: cursor[:-1] + ("A" if cursor[-1] != "A" else "B"),
        lambda cursor: ("A" if cursor[0] != "A" else "B") + cursor[1:],
        lambda cursor: "01234567-89ab-cdef-0123-456789abcdef",
        lambda cursor: "é\0" * 16,
    ],
)
def test_an_altered_cursor_is_refused(as_acme: httpx.Client, acme: TestTenant, change: Any) -> None:
    enqueue(acme, 2)
    cursor = as_acme.get("/v1/jobs", params={"limit": 1}).json()["page"]["cursor"]

    body = problem(as_acme.get("/v1/jobs", params={"limit": 1, "cursor": change(cursor)}), 422, "invalid-cursor")

    assert [each["parameter"] for each in body["errors"]] == ["cursor"]


def test_a_cursor_of_another_list_is_refused(as_acme: httpx.Client, as_zeta: httpx.Client, acme: TestTenant) -> None:
    enqueue(acme, 2)
    cursor = as_acme.get("/v1/jobs", params={"limit": 1}).json()["page"]["cursor"]

    problem(as_acme.get("/v1/jobs", params={"cursor": cursor, "state": "failed"}), 422, "invalid-cursor")
    problem(as_zeta.get("/v1/jobs", params={"cursor": cursor}), 422, "invalid-cursor")


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"state": "sleeping"}, "state"),
        ({"created_from": "yesterday"}, "created_from"),
        ({"created_before": "2020-01-01T00:00:00"}, "created_before"),
        ({"task": "\0"}, "task"),
        ({"stat": "failed"}, "stat"),
        ({"tenant": "zeta"}, "tenant"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused(as_acme: httpx.Client, query: dict[str, Any], parameter: str) -> None:
    body = problem(as_acme.get("/v1/jobs", params=query), 422, "invalid-request")

    assert [each["parameter"] for each in body["errors"]] == [parameter]


def test_a_list_does_not_read_what_it_does_not_show(
    as_acme: httpx.Client, acme: TestTenant, database: Database
) -> None:
    enqueue(acme, 1)
    big = "select (payload, result, error, checkpoint) on partywall.jobs"

    database.do(f"revoke {big} from partywall_api")
    try:
        found = ids(as_acme)
    finally:
        database.do(f"grant {big} to partywall_api")

    assert len(found) == 1

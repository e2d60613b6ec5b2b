"""`POST /v1/jobs` with an Idempotency-Key or a unique key: one job, however often it is asked for."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import httpx
import pytest

from tests.api.problems import pointers, problem
from tests.databases import Database, TestTenant

FETCH = {"task": "errands.fetch", "payload": {"item": "bread"}}
KEYED = {"Idempotency-Key": "order-4711"}


def count(database: Database, tenant: TestTenant) -> int:
    """Return how many jobs the tenant has."""
    ((found,),) = database.ask("select count(*) from partywall.jobs where tenant_id = :id", id=tenant.id)
    return int(str(found))


def test_the_same_request_sent_twice_is_one_job(as_acme: httpx.Client, acme: TestTenant, database: Database) -> None:
    first = as_acme.post("/v1/jobs", json=FETCH, headers=KEYED)
    again = as_acme.post("/v1/jobs", json=FETCH, headers=KEYED)

    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json() | {"waiting_on": None} == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert first.json()["idempotency_key"] == "order-4711"
    assert count(database, acme) == 1


@pytest.mark.parametrize(
    "request_of", [{"json": FETCH, "headers": KEYED}, {"json": FETCH | {"unique_key": "bread", "if_live": "return"}}]
)
def test_of_many_requests_at_once_one_is_a_new_job(
    as_acme: httpx.Client, acme: TestTenant, database: Database, request_of: dict[str, Any]
) -> None:
    together = Barrier(8)

    def ask(_: int) -> httpx.Response:
        together.wait(10)
        return as_acme.post("/v1/jobs", **request_of)

    with ThreadPoolExecutor(8) as threads:
        responses = list(threads.map(ask, range(8)))

    assert sorted(response.status_code for response in responses) == [200] * 7 + [202]
    assert len({response.json()["id"] for response in responses}) == 1
    assert count(database, acme) == 1


def test_a_job_that_is_over_still_answers_for_its_key(as_acme: httpx.Client) -> None:
    job_id = as_acme.post("/v1/jobs", json=FETCH, headers=KEYED).json()["id"]
    as_acme.post(f"/v1/jobs/{job_id}/cancel")

    again = as_acme.post("/v1/jobs", json=FETCH, headers=KEYED)

    assert (again.status_code, again.json()["id"], again.json()["state"]) == (200, job_id, "cancelled")


def test_a_request_is_the_same_when_its_defaults_are_spelled_out_or_it_would_have_expired_by_now(
    as_acme: httpx.Client, acme: TestTenant, database: Database
) -> None:
    moments = {"expires_at": "2020-01-01T00:00:00Z"}
    first = as_acme.post("/v1/jobs", json=FETCH | moments, headers=KEYED)
    spelled_out = FETCH | moments | {"payload": {"count": 1, "item": "bread"}}

    again = as_acme.post("/v1/jobs", json=spelled_out, headers=KEYED)

    assert (first.status_code, again.status_code) == (202, 200)
    assert count(database, acme) == 1


@pytest.mark.parametrize("other", [{"payload": {"item": "milk"}}, {"task": "maintenance.prune_jobs", "payload": {}}])
def test_a_key_of_another_request_is_refused(
    as_acme: httpx.Client, acme: TestTenant, database: Database, other: dict[str, Any]
) -> None:
    as_acme.post("/v1/jobs", json=FETCH, headers=KEYED)

    body = problem(as_acme.post("/v1/jobs", json=FETCH | other, headers=KEYED), 409, "idempotency-key-reused")

    assert "new key" in body["hint"]
    assert count(database, acme) == 1


def test_another_tenants_keys_do_not_exist(as_acme: httpx.Client, as_zeta: httpx.Client) -> None:
    wanted = FETCH | {"unique_key": "the-only-one"}
    of_acme = as_acme.post("/v1/jobs", json=wanted, headers=KEYED)

    of_zeta = as_zeta.post("/v1/jobs", json=wanted, headers=KEYED)

    assert (of_acme.status_code, of_zeta.status_code) == (202, 202)
    assert of_acme.json()["id"] != of_zeta.json()["id"]


def test_quotes_around_a_key_make_no_difference(as_acme: httpx.Client) -> None:
    bare = as_acme.post("/v1/jobs", json=FETCH, headers=KEYED)

    quoted = as_acme.post("/v1/jobs", json=FETCH, headers={"Idempotency-Key": '"order-4711"'})

    assert (quoted.status_code, quoted.json()["id"]) == (200, bare.json()["id"])


def test_a_key_may_have_255_characters(as_acme: httpx.Client) -> None:
    key = "~" * 255

    job = as_acme.post("/v1/jobs", json=FETCH | {"unique_key": "é" * 255}, headers={"Idempotency-Key": key}).json()

    assert (job["idempotency_key"], job["unique_key"]) == (key, "é" * 255)


@pytest.mark.parametrize("key", [b"", b'""', b"x" * 256, b'"half', b'in"side', b"back\\slash", "é".encode(), b"a\tb"])
def test_a_key_that_is_none_is_refused(as_acme: httpx.Client, acme: TestTenant, database: Database, key: bytes) -> None:
    response = as_acme.post("/v1/jobs", json=FETCH, headers=[(b"Idempotency-Key", key)])

    body = problem(response, 422, "invalid-request")
    assert [each["header"] for each in body["errors"]] == ["Idempotency-Key"]
    assert count(database, acme) == 0


def test_two_keys_are_refused(as_acme: httpx.Client, acme: TestTenant, database: Database) -> None:
    twice = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")]

    body = problem(as_acme.post("/v1/jobs", json=FETCH, headers=twice), 422, "invalid-request")

    assert [(each["header"], each["code"]) for each in body["errors"]] == [("Idempotency-Key", "repeated")]
    assert count(database, acme) == 0


def test_a_unique_key_has_one_live_job(as_acme: httpx.Client, acme: TestTenant, database: Database) -> None:
    wanted = FETCH | {"unique_key": "bread-today"}
    live = as_acme.post("/v1/jobs", json=wanted)

    refused = as_acme.post("/v1/jobs", json=wanted)
    returned = as_acme.post("/v1/jobs", json=wanted | {"if_live": "return", "payload": {"item": "milk"}})

    assert live.json()["id"] in problem(refused, 409, "unique-key-taken")["detail"]
    assert (returned.status_code, returned.json() | {"waiting_on": None}) == (200, live.json())
    assert "idempotency-replayed" not in returned.headers
    assert count(database, acme) == 1


def test_a_unique_key_is_free_again_once_its_job_is_over(as_acme: httpx.Client) -> None:
    wanted = FETCH | {"unique_key": "bread-today"}
    job_id = as_acme.post("/v1/jobs", json=wanted).json()["id"]
    as_acme.post(f"/v1/jobs/{job_id}/cancel")

    assert as_acme.post("/v1/jobs", json=wanted).status_code == 202


def test_a_job_says_until_when_it_may_start(as_acme: httpx.Client) -> None:
    later = datetime.now(UTC) + timedelta(hours=3)

    job = as_acme.post("/v1/jobs", json=FETCH | {"expires_at": later.isoformat()}).json()

    assert datetime.fromisoformat(job["expires_at"]) == later


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"expires_at": "2030-01-01T00:00:00"}, ["/expires_at"]),
        ({"expires_at": "soon"}, ["/expires_at"]),
        ({"expires_at": "2030-01-01T00:00:00Z", "run_at": "2030-01-01T01:00:00+01:00"}, ["/expires_at"]),
        ({"unique_key": ""}, ["/unique_key"]),
        ({"unique_key": "x" * 256}, ["/unique_key"]),
        ({"unique_key": "nul \0"}, ["/unique_key"]),
        ({"unique_key": 7}, ["/unique_key"]),
        ({"if_live": "wait"}, ["/if_live"]),
        ({"idempotency_key": "in-the-body"}, ["/idempotency_key"]),
    ],
)
def test_wishes_that_cannot_be_meant_are_refused(
    as_acme: httpx.Client, acme: TestTenant, database: Database, sent: dict[str, Any], expected: list[str]
) -> None:
    body = problem(as_acme.post("/v1/jobs", json=FETCH | sent), 422, "invalid-request")

    assert pointers(body) == expected
    assert count(database, acme) == 0

"""Every error is a problem, tells no more than it should, and can be found in the log."""

import json
from typing import Any

import httpx
import pytest

from api.problems import INTERNAL
from db.credentials import ApiKey
from db.engine import dispose_engines
from tests.api.problems import problem
from tests.api.server import Server
from tests.databases import Database, TestTenant
from tests.waiting import wait_until

FETCH = {"task": "errands.fetch", "payload": {"item": "bread"}}


def log_lines(server: Server, request_id: str) -> list[dict[str, Any]]:
    """Return what the server logged about a request, once it did: the line follows the answer."""

    def logged() -> list[dict[str, Any]]:
        whole = server.output().rpartition("\n")[0]
        lines = [json.loads(line) for line in whole.splitlines()]
        return [line for line in lines if line.get("request_id") == request_id]

    return wait_until(logged, timeout_seconds=10, what=f"a log line of request {request_id}")


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/jobs/", "/v2/jobs", "/v1/files/a/b", "/v1/files/..%2fx", "//"])
def test_an_unknown_address_is_a_problem(as_acme: httpx.Client, path: str) -> None:
    problem(as_acme.get(path), 404, "unknown-route")


def test_a_method_that_is_not_there_is_a_problem(as_acme: httpx.Client) -> None:
    response = as_acme.delete("/v1/jobs")

    body = problem(response, 405, "method-not-allowed")
    assert set(response.headers["allow"].split(", ")) & {"GET", "POST"}
    assert "Use one of" in body["hint"]


def test_an_oversized_json_body_is_refused_and_nothing_accepted(
    as_acme: httpx.Client, acme: TestTenant, database: Database
) -> None:
    too_long = b'{"task": "errands.fetch", "payload": {"item": "' + b"x" * 1024 * 1024 + b'"}}'
    as_json = {"Content-Type": "application/json"}

    declared = as_acme.post("/v1/jobs", content=too_long, headers=as_json)
    chunked = as_acme.post(
        "/v1/jobs", content=(too_long[at : at + 9999] for at in range(0, len(too_long), 9999)), headers=as_json
    )

    for response in (declared, chunked):
        assert problem(response, 413, "body-too-large")["limit_bytes"] == 1024 * 1024
    assert database.ask("select id from partywall.jobs where tenant_id = :id", id=acme.id) == []


def test_a_payload_over_256_kib_is_refused_and_told_where_to_go(
    as_acme: httpx.Client, acme: TestTenant, database: Database
) -> None:
    payload = {"item": "x", "note": "y" * 256 * 1024}

    body = problem(as_acme.post("/v1/jobs", json=FETCH | {"payload": payload}), 413, "payload-too-large")

    assert "PUT /v1/files" in body["hint"]
    assert database.ask("select id from partywall.jobs where tenant_id = :id", id=acme.id) == []


def test_a_well_formed_request_id_is_echoed_and_logged(as_acme: httpx.Client, server: Server, acme: TestTenant) -> None:
    request_id = f"order.4711_{acme.slug}"

    response = as_acme.get("/v1/jobs", headers={"X-Request-Id": request_id})

    assert response.headers["x-request-id"] == request_id
    [line] = log_lines(server, request_id)
    assert (line["event"], line["method"], line["path"], line["status"]) == ("request", "GET", "/v1/jobs", 200)
    assert (line["tenant"], line["key"]) == (acme.slug, acme.key.id)


@pytest.mark.parametrize("sent", ["", "with space", "x" * 65, '"}{"', "é"])
def test_another_request_id_is_replaced(as_acme: httpx.Client, sent: str) -> None:
    response = as_acme.get("/v1/nothing", headers=[(b"X-Request-Id", sent.encode())])

    request_id = problem(response, 404, "unknown-route")["request_id"]
    assert request_id != sent
    assert len(request_id) == 32


def test_what_nobody_foresaw_is_a_problem_that_tells_nothing(
    as_acme: httpx.Client, server: Server, database: Database
) -> None:
    database.do("revoke select (task_name) on partywall.jobs from partywall_api")
    try:
        response = as_acme.get("/v1/jobs")
    finally:
        database.do("grant select (task_name) on partywall.jobs to partywall_api")

    body = problem(response, 500, INTERNAL.slug)
    assert body["detail"] == "The log knows what happened."
    assert set(body) == {"type", "title", "status", "detail", "request_id"}
    [failed, request] = log_lines(server, body["request_id"])
    assert (failed["event"], failed["error"]) == ("request_failed", "ProgrammingError")
    assert any("list_jobs" in frame for frame in failed["where"])
    assert (request["event"], request["status"]) == ("request", 500)
    assert as_acme.get("/v1/jobs").status_code == 200


def test_no_secret_and_nothing_of_a_tenants_ends_in_the_log(
    server: Server, as_acme: httpx.Client, acme: TestTenant, database: Database
) -> None:
    key = acme.key.spell()
    stranger = ApiKey.new()
    as_acme.post("/v1/jobs", json=FETCH | {"payload": {"item": "ivory", "count": "ivory"}})
    as_acme.post("/v1/jobs", json=FETCH | {"payload": {"item": "ivory"}}, headers={"X-Request-Id": key})
    as_acme.post("/v1/jobs", content=b'{"task": ivory', headers={"Content-Type": "application/json"})
    as_acme.get("/v1/jobs", params={"task": "ivory", "cursor": "ivory"})
    as_acme.put("/v1/files/plain.csv", content=b"ivory")
    as_acme.get(f"/v1/files/{key}")
    with server.client(stranger.spell()) as client:
        client.get("/v1/jobs")
    database.do("revoke execute on function partywall.enqueue from partywall_api")
    try:
        failed = as_acme.post("/v1/jobs", json=FETCH | {"payload": {"item": "ivory"}})
    finally:
        database.do("grant execute on function partywall.enqueue to partywall_api")

    assert failed.status_code == 500
    log = server.output()
    assert failed.json()["request_id"] in log
    for secret in ("ivory", acme.key.secret, stranger.secret, acme.context.token, "pw1."):
        assert secret not in log


def test_connections_that_died_in_the_pool_are_not_the_producers_problem(
    as_acme: httpx.Client, database: Database
) -> None:
    assert as_acme.get("/v1/jobs").status_code == 200
    killed = database.ask(
        """
        select pg_terminate_backend(pid) from pg_stat_activity
        where usename = 'partywall_api' and datname = current_database()
        """
    )
    dispose_engines()

    assert killed
    assert as_acme.post("/v1/jobs", json=FETCH).status_code == 202

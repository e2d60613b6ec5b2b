"""`/v1/files` through a real server, with clients that behave and clients that do not."""

import hashlib
import random
from collections.abc import Iterator

import httpx
import pytest

from db.credentials import revoke_api_key
from db.roles import Role
from db.session import platform_connection
from tests.api.conftest import FILE_LIMIT_BYTES, IDLE_SECONDS
from tests.api.problems import problem
from tests.api.raw import put, raw_client
from tests.api.server import Server
from tests.databases import Database, TestTenant
from tests.waiting import wait_until

BIG = random.Random(7).randbytes(FILE_LIMIT_BYTES)


def stored(database: Database, tenant: TestTenant) -> list[object]:
    """Return the names of the tenant's files as the database knows them."""
    rows = database.ask("select name from app.files where tenant_id = :tenant", tenant=tenant.id)
    return [name for (name,) in rows]


def open_transactions(database: Database) -> list[tuple[object, ...]]:
    """Return what the API's connections are in the middle of."""
    return database.ask(
        """
        select state, query from pg_stat_activity
        where application_name = 'partywall-api' and datname = current_database() and xact_start is not null
        """
    )


def in_pieces(content: bytes, size_bytes: int = 65_536) -> Iterator[bytes]:
    for start in range(0, len(content), size_bytes):
        yield content[start : start + size_bytes]


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", BIG], ids=["none", "little", "big"])
def test_what_was_put_is_what_is_got(as_acme: httpx.Client, content: bytes) -> None:
    sha256 = hashlib.sha256(content).hexdigest()

    created = as_acme.put("/v1/files/orders.csv", content=content)
    got = as_acme.get("/v1/files/orders.csv")

    assert created.status_code == 201
    assert created.headers["location"] == "/v1/files/orders.csv"
    body = created.json()
    assert (body["name"], body["size_bytes"], body["sha256"]) == ("orders.csv", len(content), sha256)
    assert set(body) == {"name", "size_bytes", "sha256", "created_at"}
    assert got.content == content
    expected = {
        "content-type": "application/octet-stream",
        "content-length": str(len(content)),
        "content-disposition": 'attachment; filename="orders.csv"',
        "x-content-type-options": "nosniff",
        "etag": f'"{sha256}"',
        "cache-control": "private, no-cache",
    }
    assert {name: got.headers[name] for name in expected} == expected


def test_a_second_put_replaces_and_says_so(as_acme: httpx.Client) -> None:
    first = as_acme.put("/v1/files/orders.csv", content=in_pieces(BIG))
    second = as_acme.put("/v1/files/orders.csv", content=b"new")

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["created_at"] > first.json()["created_at"]
    assert as_acme.get("/v1/files/orders.csv").content == b"new"


def test_head_tells_the_size_without_the_bytes(as_acme: httpx.Client) -> None:
    as_acme.put("/v1/files/orders.csv", content=BIG)

    told = as_acme.head("/v1/files/orders.csv")

    assert (told.status_code, told.headers["content-length"], told.content) == (200, str(len(BIG)), b"")
    assert told.headers["etag"] == f'"{hashlib.sha256(BIG).hexdigest()}"'


@pytest.mark.parametrize("spelling", ['"{}"', 'W/"{}"', '"other", "{}"', "*"])
def test_a_client_that_has_the_bytes_is_told_so(as_acme: httpx.Client, spelling: str) -> None:
    sha256 = as_acme.put("/v1/files/orders.csv", content=b"x").json()["sha256"]

    known = as_acme.get("/v1/files/orders.csv", headers={"If-None-Match": spelling.format(sha256)})
    changed = as_acme.get("/v1/files/orders.csv", headers={"If-None-Match": '"other"'})

    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", f'"{sha256}"')
    assert (changed.status_code, changed.content) == (200, b"x")


def test_another_tenants_file_answers_404_byte_for_byte_like_one_that_never_was(
    as_acme: httpx.Client, as_zeta: httpx.Client
) -> None:
    as_acme.put("/v1/files/orders.csv", content=b"acme's")
    same = {"X-Request-Id": "the-same"}

    of_acme = as_zeta.get("/v1/files/orders.csv", headers=same)
    of_nobody = as_zeta.get("/v1/files/never.csv", headers=same)

    problem(of_acme, 404, "file-not-found")
    assert of_acme.content == of_nobody.content
    assert as_zeta.head("/v1/files/orders.csv").status_code == 404


def test_two_tenants_files_of_one_name_are_two(as_acme: httpx.Client, as_zeta: httpx.Client) -> None:
    as_acme.put("/v1/files/orders.csv", content=b"acme's")
    of_zeta = as_zeta.put("/v1/files/orders.csv", content=b"zeta's")

    assert of_zeta.status_code == 201
    assert as_acme.get("/v1/files/orders.csv").content == b"acme's"


@pytest.mark.parametrize("name", [".env", "a b", "a%00b", "caf%C3%A9", "a%0d%0aX-Evil:1", "a%22", "x" * 201])
def test_a_name_that_is_not_plain_is_refused_and_never_found(
    as_acme: httpx.Client, acme: TestTenant, database: Database, name: str
) -> None:
    problem(as_acme.put(f"/v1/files/{name}", content=b"x"), 422, "invalid-file-name")
    problem(as_acme.get(f"/v1/files/{name}"), 404, "file-not-found")

    assert stored(database, acme) == []


def test_bytes_that_are_not_those_that_were_stored_are_not_sent(
    as_acme: httpx.Client, acme: TestTenant, database: Database
) -> None:
    as_acme.put("/v1/files/orders.csv", content=BIG)
    database.do("delete from app.file_chunks where tenant_id = :tenant and position = 1", tenant=acme.id)

    problem(as_acme.get("/v1/files/orders.csv"), 500, "internal-error")


def test_a_part_of_a_file_is_refused(as_acme: httpx.Client, acme: TestTenant, database: Database) -> None:
    response = as_acme.put("/v1/files/orders.csv", content=b"x", headers={"Content-Range": "bytes 0-0/10"})

    problem(response, 400, "partial-upload")
    assert stored(database, acme) == []


def test_a_chunked_upload_over_the_limit_is_stopped_and_nothing_stored(
    as_acme: httpx.Client, acme: TestTenant, database: Database
) -> None:
    as_acme.put("/v1/files/orders.csv", content=b"old")
    sent: list[int] = []

    def endless() -> Iterator[bytes]:
        # Bounded only so that a server that swallows everything fails the test instead of filling the disk.
        while sum(sent) < 100 * FILE_LIMIT_BYTES:
            sent.append(65_536)
            yield b"x" * 65_536

    response = as_acme.put("/v1/files/orders.csv", content=endless())

    body = problem(response, 413, "file-too-large")
    assert body["limit_bytes"] == FILE_LIMIT_BYTES
    assert response.headers["connection"] == "close"
    assert sum(sent) < 20 * FILE_LIMIT_BYTES
    assert as_acme.get("/v1/files/orders.csv").content == b"old"
    assert stored(database, acme) == ["orders.csv"]


def test_an_upload_that_says_it_is_too_large_is_refused_before_a_byte_is_read(server: Server, acme: TestTenant) -> None:
    with raw_client(server) as client:
        client.say(put("orders.csv", acme.key.spell(), f"Content-Length: {FILE_LIMIT_BYTES + 1}"))
        answer = client.hear_all()

    assert answer.startswith("HTTP/1.1 413 ")
    assert "/problems/file-too-large" in answer


def test_a_file_of_exactly_the_limit_is_stored(as_acme: httpx.Client) -> None:
    assert as_acme.put("/v1/files/orders.csv", content=in_pieces(BIG)).status_code == 201
    problem(as_acme.put("/v1/files/orders.csv", content=in_pieces(BIG + b"x")), 413, "file-too-large")


def test_a_refused_key_is_answered_before_the_body_is_asked_for(server: Server, acme: TestTenant) -> None:
    head = ("Content-Length: 1000", "Expect: 100-continue")
    with raw_client(server) as client:
        client.say(put("orders.csv", acme.key.spell()[:-1] + "-", *head))
        refused = client.hear_all()
    with raw_client(server) as client:
        client.say(put("orders.csv", acme.key.spell(), *head))
        accepted = client.hear()

    assert refused.startswith("HTTP/1.1 401 ")
    assert accepted.startswith("HTTP/1.1 100 ")


def test_no_transaction_waits_for_a_slow_client(server: Server, acme: TestTenant, database: Database) -> None:
    with raw_client(server) as client:
        client.say(put("orders.csv", acme.key.spell(), "Content-Length: 10", "Expect: 100-continue"))
        client.hear()
        client.say(b"12345")
        wait_until(lambda: open_transactions(database) == [], timeout_seconds=IDLE_SECONDS / 2)
        client.say(b"67890")
        answer = client.hear()
    with server.client(acme.key.spell()) as reader, reader.stream("GET", "/v1/files/orders.csv"):
        while_reading = open_transactions(database)

    assert answer.startswith("HTTP/1.1 201 ")
    assert while_reading == []


def test_a_client_that_stalls_is_told_to_start_again(server: Server, acme: TestTenant, database: Database) -> None:
    with raw_client(server) as client:
        client.say(put("orders.csv", acme.key.spell(), "Content-Length: 10"))
        client.say(b"12345")
        answer = client.hear_all()

    assert answer.startswith("HTTP/1.1 408 ")
    assert "/problems/request-timeout" in answer
    assert stored(database, acme) == []


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_an_upload_that_breaks_off_stores_nothing(
    server: Server, as_acme: httpx.Client, acme: TestTenant, framing: str
) -> None:
    as_acme.put("/v1/files/orders.csv", content=b"old")
    request_id = f"broken-{framing[:7]}-{acme.slug}"

    with raw_client(server) as client:
        client.say(put("orders.csv", acme.key.spell(), framing, f"X-Request-Id: {request_id}"))
        client.say(b"5\r\n12345\r\n")
    wait_until(lambda: request_id in server.output(), timeout_seconds=10, what="the server noticed")

    assert as_acme.get("/v1/files/orders.csv").content == b"old"


def test_a_key_that_is_revoked_during_an_upload_stores_nothing(
    server: Server, acme: TestTenant, database: Database
) -> None:
    with raw_client(server) as client:
        client.say(put("orders.csv", acme.key.spell(), "Content-Length: 10", "Expect: 100-continue"))
        client.hear()
        client.say(b"12345")
        with platform_connection(Role.OPERATOR) as connection:
            revoke_api_key(connection, acme.key.id)
        client.say(b"67890")
        answer = client.hear()

    assert answer.startswith("HTTP/1.1 401 ")
    assert stored(database, acme) == []

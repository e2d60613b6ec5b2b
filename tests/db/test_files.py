"""Files: whole or not at all, and behind the wall."""

import asyncio
import hashlib
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Event

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from db.engine import TENANT, dispose_async_engines, engine_for
from db.errors import (
    FileDamagedError,
    FileNameInvalidError,
    FileNotFoundInTenantError,
    FileTooLargeError,
    NoTenantError,
)
from db.files import CHUNK_BYTES, StoredFile, WrittenFile, file_store
from db.roles import Role
from db.session import async_tenant_session, platform_connection, tenant_session
from tests.databases import Database, TestTenant
from tests.waiting import wait_until

BIG = random.Random(7).randbytes(2 * CHUNK_BYTES + 12_345)


def write(tenant: TestTenant, name: str, content: bytes, *, role: Role = Role.API) -> WrittenFile:
    with tenant_session(tenant.context, role=role) as session:
        return file_store().write(session, name, [content])


def read(tenant: TestTenant, name: str, *, role: Role = Role.WORKER) -> bytes:
    with tenant_session(tenant.context, role=role) as session:
        return b"".join(file_store().read(session, name))


def stat(tenant: TestTenant, name: str) -> StoredFile:
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        return file_store().stat(session, name)


def in_pieces(content: bytes, size_bytes: int) -> Iterator[bytes]:
    for start in range(0, len(content), size_bytes):
        yield content[start : start + size_bytes]


@pytest.mark.parametrize("content", [b"", b"x", BIG[:CHUNK_BYTES], BIG], ids=lambda content: str(len(content)))
def test_a_worker_reads_the_bytes_that_the_api_stored(acme: TestTenant, content: bytes) -> None:
    written = write(acme, "orders.csv", content)

    assert read(acme, "orders.csv") == content
    assert (written.size_bytes, written.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    described = stat(acme, "orders.csv")
    assert (described.name, described.size_bytes, described.sha256, described.created_at) == (
        "orders.csv",
        written.size_bytes,
        written.sha256,
        written.created_at,
    )


def test_how_the_writer_cuts_the_bytes_does_not_matter(acme: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        file_store().write(session, "orders.csv", in_pieces(BIG, 100_003))
        chunks = list(file_store().read(session, "orders.csv"))

    assert b"".join(chunks) == BIG
    assert [len(chunk) for chunk in chunks] == [CHUNK_BYTES, CHUNK_BYTES, 12_345]


def test_a_name_stands_for_the_last_bytes_stored_under_it(acme: TestTenant, database: Database) -> None:
    first = write(acme, "orders.csv", BIG)
    second = write(acme, "orders.csv", b"short")

    assert (first.replaced, second.replaced) == (False, True)
    assert read(acme, "orders.csv") == b"short"
    assert second.created_at > first.created_at
    assert database.ask("select count(*), sum(octet_length(data)) from app.file_chunks") == [(1, 5)]


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(acme: TestTenant) -> None:
    write(acme, "orders.csv", b"old")

    with tenant_session(acme.context, role=Role.API) as session:
        file_store().write(session, "orders.csv", [BIG])
        seen_before = read(acme, "orders.csv")

    assert seen_before == b"old"
    assert read(acme, "orders.csv") == BIG


def test_what_is_being_read_stays_whole_when_it_is_replaced_and_committed_over(acme: TestTenant) -> None:
    write(acme, "orders.csv", BIG)

    with tenant_session(acme.context, role=Role.WORKER) as session:
        chunks = file_store().read(session, "orders.csv")
        begin = next(chunks)
        session.commit()
        write(acme, "orders.csv", b"new")
        rest = b"".join(chunks)

    assert begin + rest == BIG


def test_two_uploads_of_one_name_at_once_leave_one_whole_file(acme: TestTenant, database: Database) -> None:
    reserved = Event()
    waiting = """
        select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()
    """

    def slow_content() -> Iterator[bytes]:
        reserved.set()
        wait_until(lambda: database.ask(waiting) == [(1,)], timeout_seconds=10, what="the later to wait")
        yield BIG

    with ThreadPoolExecutor() as pool:

        def write_slowly() -> WrittenFile:
            with tenant_session(acme.context, role=Role.API) as session:
                return file_store().write(session, "orders.csv", slow_content())

        earlier = pool.submit(write_slowly)
        reserved.wait(10)
        later = pool.submit(write, acme, "orders.csv", b"later")

    assert (earlier.result().replaced, later.result().replaced) == (False, True)
    assert read(acme, "orders.csv") == b"later"


def test_a_rolled_back_upload_leaves_nothing(acme: TestTenant, database: Database) -> None:
    with pytest.raises(ZeroDivisionError), tenant_session(acme.context, role=Role.API) as session:
        file_store().write(session, "orders.csv", [BIG])
        raise ZeroDivisionError

    assert database.ask("select id from app.files union all select file_id from app.file_chunks") == []


def test_a_file_over_the_limit_is_refused(
    acme: TestTenant, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTYWALL_FILE_LIMIT_BYTES", "100")
    write(acme, "fits", b"x" * 100)

    with pytest.raises(FileTooLargeError) as refusal:
        write(acme, "fits-not", b"x" * 101)

    assert refusal.value.facts == {"limit_bytes": 100}
    assert database.ask("select name from app.files") == [("fits",)]


@pytest.mark.parametrize("name", ["", ".", "..", ".env", "a/b", "a\\b", "a b", "ä", "a\0", "a\n", "x" * 201])
def test_a_name_that_is_not_plain_is_refused_and_never_found(acme: TestTenant, name: str) -> None:
    with pytest.raises(FileNameInvalidError):
        write(acme, name, b"")
    with pytest.raises(FileNotFoundInTenantError):
        stat(acme, name)
    with pytest.raises(FileNotFoundInTenantError):
        read(acme, name)


def test_the_database_refuses_such_a_name_too(acme: TestTenant) -> None:
    with pytest.raises(IntegrityError), tenant_session(acme.context, role=Role.WORKER) as session:
        session.execute(text("insert into app.files (name, size_bytes, sha256) values ('../x', 0, repeat('0', 64))"))


def test_another_tenants_file_is_not_found(acme: TestTenant, zeta: TestTenant) -> None:
    write(acme, "orders.csv", b"acme's")

    with pytest.raises(FileNotFoundInTenantError):
        stat(zeta, "orders.csv")
    with pytest.raises(FileNotFoundInTenantError):
        read(zeta, "orders.csv")


def test_two_tenants_may_use_the_same_name(acme: TestTenant, zeta: TestTenant) -> None:
    write(acme, "orders.csv", b"acme's")
    written = write(zeta, "orders.csv", b"zeta's")

    assert not written.replaced
    assert read(acme, "orders.csv") == b"acme's"
    assert read(zeta, "orders.csv") == b"zeta's"


def test_raw_sql_reaches_no_other_tenants_chunks(acme: TestTenant, zeta: TestTenant, database: Database) -> None:
    write(acme, "orders.csv", b"acme's")
    [(file_id,)] = database.ask("select id from app.files")

    with tenant_session(zeta.context, role=Role.WORKER) as session:
        seen = session.execute(text("select count(*) from app.file_chunks")).scalar_one()
        session.execute(text("delete from app.file_chunks"))
    # The foreign key names the tenant, so a chunk cannot be slipped under another tenant's file.
    with pytest.raises(IntegrityError), tenant_session(zeta.context, role=Role.WORKER) as session:
        session.execute(
            text("insert into app.file_chunks (file_id, position, data) values (:file_id, 1, 'zeta')"),
            {"file_id": file_id},
        )

    assert seen == 0
    assert read(acme, "orders.csv") == b"acme's"


@pytest.mark.parametrize("table", ["app.files", "app.file_chunks"])
def test_without_a_tenant_there_are_no_files(database: Database, acme: TestTenant, table: str) -> None:
    write(acme, "orders.csv", b"acme's")

    with pytest.raises(NoTenantError), platform_connection(Role.WORKER) as connection:
        connection.execute(text(f"select count(*) from {table}"))


def test_altered_bytes_are_not_handed_out_as_the_file(acme: TestTenant, database: Database) -> None:
    write(acme, "orders.csv", BIG)
    database.do("delete from app.file_chunks where position = 1")

    with pytest.raises(FileDamagedError):
        read(acme, "orders.csv")


def test_a_file_can_be_read_on_the_event_loop(acme: TestTenant) -> None:
    write(acme, "orders.csv", BIG)

    async def copy() -> bytes:
        target = BytesIO()
        async with async_tenant_session(acme.context, role=Role.API) as session:
            await session.run_sync(lambda sync: file_store().copy_to(sync, "orders.csv", target))
        await dispose_async_engines()
        return target.getvalue()

    assert asyncio.run(copy()) == BIG


def test_a_core_connection_reads_files_too(acme: TestTenant) -> None:
    write(acme, "orders.csv", BIG)

    with engine_for(Role.WORKER).execution_options(**{TENANT: acme.context}).connect() as connection:
        content = b"".join(file_store().read(connection, "orders.csv"))

    assert content == BIG

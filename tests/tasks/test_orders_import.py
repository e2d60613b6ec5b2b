"""`orders.import_csv`: every row counted once, exactly, in the tenant's tables and nobody else's."""

import csv
import io
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select, text

from db.files import StoredFile, file_store
from db.jobs import JobRow
from db.roles import Role
from db.session import tenant_session
from tasks.job import JobTenant
from tasks.order_fields import MAX_CODE_CHARACTERS, MAX_DESCRIPTION_CHARACTERS, MAX_INTEGER
from tasks.order_lines import COLUMNS
from tasks.order_rows import OrderRow, RejectedRow
from tasks.orders import ROWS_PER_STATEMENT, ImportReport, import_csv, import_orders
from tests.databases import Database, TestTenant
from tests.tasks.inline import run_job

HEADER = ",".join(COLUMNS)
GOOD = "acme,SO-1,C-1,2026-01-31,HAM-16,Claw hammer,2,24.95\n"
WRONG = [
    ["acme"],
    ["acme", "SO-1", "C-1", "2026-01-31", "HAM-16", "surplus", "Claw hammer", "2", "24.95"],
    ["", "SO-1", "C-1", "2026-01-31", "HAM-16", "no tenant", "2", "24.95"],
    ["zeta", "SO-1", "C-1", "2026-01-31", "HAM-16", "another's", "2", "24.95"],
    ["acme", "SO-1", "", "2026-01-31", "HAM-16", "nobody's", "2", "24.95"],
    ["acme", "SO-1", "C-1", "31.01.2026", "HAM-16", "no moment", "2", "24.95"],
    ["acme", "SO-1", "C-1", "2026-01-31", "HAM-16", "no number", "two", "24.95"],
    ["acme", "SO-1", "C-1", "2026-01-31", "HAM-16", "no price", "2", "12,50"],
    ["acme", "SO-1", "C-1", "2026-01-31", "HAM-16", "a \0", "2", "24.95"],
]


def orders_csv(rows: int, *, seed: int, wrong_every: int = 97) -> bytes:
    """Return a file with quotes, line breaks, returns and, now and then, a malformed row."""
    made_up = random.Random(seed)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for number in range(rows):
        if number % wrong_every == wrong_every - 1:
            writer.writerow(made_up.choice(WRONG))
            continue
        ordered_at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=made_up.randrange(200_000))
        writer.writerow([
            made_up.choice(["acme", "Acme"]), f"SO-{number // 3}", f"C-{made_up.randrange(50)}",
            ordered_at.isoformat(), "TAP-05", made_up.choice(['1/4" drill', "two\nlines", "Röst, 煎茶"]),
            made_up.randint(-2, 12), f"{made_up.randrange(10**7)}e-4",
        ])  # fmt: skip
    return out.getvalue().encode()


class Plain(NamedTuple):
    """What a plain reading of a file finds, without any of the code under test."""

    good: list[list[str]]
    wrong: int

    @property
    def revenue(self) -> Decimal:
        return sum((int(row[6]) * Decimal(row[7]) for row in self.good), Decimal(0))


def plainly(content: bytes) -> Plain:
    _, *rows = csv.reader(io.StringIO(content.decode(), newline=""))
    good = [row for row in rows if row not in WRONG]
    return Plain(good, len(rows) - len(good))


def upload(tenant: TestTenant, content: bytes, *, name: str = "orders.csv") -> StoredFile:
    with tenant_session(tenant.context, role=Role.API) as session:
        return file_store().write(session, name, [content])


def imported(tenant: TestTenant, content: bytes, *, name: str = "orders.csv") -> JobRow:
    upload(tenant, content, name=name)
    return run_job(tenant, import_csv, {"file": name})


def report_of(job: JobRow) -> dict[str, Any]:
    assert job.error is None
    assert job.result is not None
    report: dict[str, Any] = job.result
    return {key: value for key, value in report.items() if key != "seconds"}


def orders_of(tenant: TestTenant) -> list[OrderRow]:
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        rows = list(session.scalars(select(OrderRow).order_by(OrderRow.file_line)))
        session.expunge_all()
        return rows


def rejected_of(tenant: TestTenant) -> list[RejectedRow]:
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        rows = list(session.scalars(select(RejectedRow).order_by(RejectedRow.file_line)))
        session.expunge_all()
        return rows


def test_rows_and_revenue_are_those_of_a_plain_reading(acme: TestTenant) -> None:
    content = orders_csv(2 * ROWS_PER_STATEMENT + 500, seed=1)
    expected = plainly(content)

    job = imported(acme, content)

    report = report_of(job)
    assert report == {
        "file": "orders.csv",
        "rows_imported": len(expected.good),
        "rows_rejected": expected.wrong,
        "rows_already_there": 0,
        "revenue": report["revenue"],
    }
    assert Decimal(report["revenue"]) == expected.revenue
    kept = orders_of(acme)
    assert [[row.order_id, row.customer_id, row.sku, row.description] for row in kept] == [
        [*good[1:3], *good[4:6]] for good in expected.good
    ]
    assert [(row.ordered_at, row.quantity, row.unit_price) for row in kept] == [
        (datetime.fromisoformat(good[3]), int(good[6]), Decimal(good[7])) for good in expected.good
    ]
    assert {row.tenant_id for row in kept} == {acme.id}


def test_rejected_rows_are_kept_with_line_reason_and_text(acme: TestTenant) -> None:
    content = f'{HEADER}\n{GOOD}acme\nacme,SO-2,"C\n2",2026-01-31,X,,two,1\n{GOOD}acme,SO-3,,2026-01-31,X,,1,1\n'

    report = report_of(imported(acme, content.encode(), name="january.csv"))

    assert report["rows_rejected"] == 3
    assert [(row.line, row.reason, row.row_text) for row in rejected_of(acme)] == [
        (3, "7 fields too few", "acme"),
        (4, "quantity is not a whole number", 'acme,SO-2,"C\n2",2026-01-31,X,,two,1'),
        (7, "customer_id is empty", "acme,SO-3,,2026-01-31,X,,1,1"),
    ]
    assert {row.file_name for row in rejected_of(acme)} == {"january.csv"}


def test_the_lines_of_a_cut_out_file_are_those_of_the_original(acme: TestTenant) -> None:
    content = f"line,{HEADER}\n31,{GOOD}17,{GOOD}31,acme\n"

    report = report_of(imported(acme, content.encode()))

    assert report["rows_imported"] == 2
    assert [(row.file_line, row.line) for row in orders_of(acme)] == [(2, 31), (3, 17)]
    assert [(row.file_line, row.line) for row in rejected_of(acme)] == [(4, 31)]


def test_the_same_content_again_under_any_name_adds_nothing(acme: TestTenant) -> None:
    content = orders_csv(300, seed=2)
    first = report_of(imported(acme, content))

    again = report_of(imported(acme, content))
    renamed = report_of(imported(acme, content, name="copy.csv"))

    assert again == first | {"rows_imported": 0, "rows_already_there": first["rows_imported"], "revenue": "0"}
    assert renamed == again | {"file": "copy.csv"}
    assert len(orders_of(acme)) == first["rows_imported"]
    assert len(rejected_of(acme)) == first["rows_rejected"]


def test_equal_rows_of_one_file_are_two_orders_and_so_are_those_of_two_files(acme: TestTenant) -> None:
    twice = f"{HEADER}\n{GOOD}{GOOD}".encode()

    first = report_of(imported(acme, twice))
    second = report_of(imported(acme, twice + GOOD.encode(), name="corrected.csv"))

    assert (first["rows_imported"], second["rows_imported"]) == (2, 3)


def test_two_imports_of_the_same_content_at_once_add_it_once(acme: TestTenant) -> None:
    content = orders_csv(3 * ROWS_PER_STATEMENT, seed=3)
    file = upload(acme, content)
    tenant = JobTenant(acme.id, "acme", "Acme")

    def run(_: int) -> ImportReport:
        with tenant_session(acme.context, role=Role.WORKER) as session:
            return import_orders(session, [content], file=file, tenant=tenant, show=lambda read, rows: None)

    with ThreadPoolExecutor(2) as threads:
        reports = list(threads.map(run, range(2)))

    expected = plainly(content)
    assert sorted(report.rows_imported for report in reports) == [0, len(expected.good)]
    assert len(orders_of(acme)) == len(expected.good)
    assert len(rejected_of(acme)) == expected.wrong


def test_another_tenant_sees_none_of_it_and_may_import_the_same_bytes(acme: TestTenant, zeta: TestTenant) -> None:
    content = f"{HEADER}\n{GOOD}{GOOD.replace('acme', 'zeta')}".encode()
    imported(acme, content)
    nothing = orders_of(zeta) + rejected_of(zeta)

    theirs = report_of(imported(zeta, content))

    assert nothing == []
    assert (theirs["rows_imported"], theirs["rows_rejected"], theirs["rows_already_there"]) == (1, 1, 0)
    assert [row.file_line for row in orders_of(acme)] == [2]
    assert [row.file_line for row in orders_of(zeta)] == [3]


def test_another_tenants_file_does_not_exist(acme: TestTenant, zeta: TestTenant) -> None:
    upload(zeta, f"{HEADER}\n{GOOD}".encode())

    job = run_job(acme, import_csv, {"file": "orders.csv"})

    assert job.error is not None
    assert job.error["type"] == "FileNotFoundInTenantError"
    assert orders_of(acme) == []


def test_what_the_parser_accepts_postgresql_takes_at_every_limit(acme: TestTenant) -> None:
    longest = "𝄞" * MAX_CODE_CHARACTERS
    rows = [
        ["acme", longest, longest, "1000-01-01", longest, "𝄞" * MAX_DESCRIPTION_CHARACTERS, f"{MAX_INTEGER}", "1e-4"],
        ["acme", "1", "1", "9998-12-31T23:59:59.999999", "1", "", f"-{MAX_INTEGER}", "999999999999.9999"],
        ["acme", '{"', "\\", "2026-W01", "NULL", "\ufffe\u2028\x01\\N", "+0", "-999999999999.9999"],
        ["acme", "1", "1", "20260131 10:00:00+23:59", "1", "", "0", "0e11"],
        ["acme", "1", "1", "2026-01-31T10:00:00.1234567", "1", "", "1", ".5"],
        ["acme", "1", "1", "2026-01-31T10:00:00,5-12", "1", "", "1", "1.E+3"],
    ]
    out = io.StringIO(newline="")
    csv.writer(out).writerows([COLUMNS, *rows])

    report = report_of(imported(acme, out.getvalue().encode()))

    assert rejected_of(acme) == []
    assert [(row.order_id, row.sku, row.description, row.unit_price) for row in orders_of(acme)] == [
        (row[1], row[4], row[5], Decimal(row[7])) for row in rows
    ]
    assert Decimal(report["revenue"]) == sum((int(row[6]) * Decimal(row[7]) for row in rows), Decimal(0))


def test_revenue_is_exact_beyond_28_digits(acme: TestTenant) -> None:
    rows = 2 * ROWS_PER_STATEMENT
    dearest = f"acme,SO-1,C-1,2026-01-31,X,,{MAX_INTEGER},999999999999.9999\n"

    report = report_of(imported(acme, f"{HEADER}\n{dearest * rows}".encode()))

    assert int(report["revenue"].replace(".", "")) == rows * MAX_INTEGER * 9_999_999_999_999_999


@pytest.mark.parametrize(
    ("content", "error", "fix"),
    [
        (b"", "FileEmptyError", "names the columns"),
        (b"tenant,order_id\nacme,SO-1\n", "ColumnsMissingError", "names the columns"),
        (f"{HEADER}\n{GOOD}".encode() + GOOD.encode() * 5000 + b"\xff\n", "NotUtf8Error", "Save it as UTF-8"),
    ],
    ids=["empty", "columns missing", "not UTF-8 at its end"],
)
def test_a_file_that_cannot_be_imported_fails_at_once_and_leaves_nothing(
    acme: TestTenant, content: bytes, error: str, fix: str
) -> None:
    job = imported(acme, content)

    assert (job.state, job.attempt, job.max_attempts) == ("failed", 1, 5)
    assert job.error is not None
    assert job.error["type"] == error
    assert fix in job.error["message"]
    assert orders_of(acme) == []


def test_progress_counts_bytes_and_ends_with_all_of_them(acme: TestTenant) -> None:
    content = orders_csv(ROWS_PER_STATEMENT + 1, seed=4)

    job = imported(acme, content)

    assert (job.progress_current, job.progress_total) == (len(content), len(content))
    assert job.progress_note == f"bytes; {ROWS_PER_STATEMENT + 1:,} rows"


def test_a_whole_import_is_one_transaction(acme: TestTenant, database: Database) -> None:
    content = orders_csv(2 * ROWS_PER_STATEMENT, seed=5)

    imported(acme, content)

    written_by = database.ask("select xmin::text from app.orders union select xmin::text from app.rejected_rows")
    assert len(written_by) == 1


def test_orders_are_behind_the_wall_also_for_raw_sql(acme: TestTenant, zeta: TestTenant) -> None:
    imported(acme, f"{HEADER}\n{GOOD}acme\n".encode())

    with tenant_session(zeta.context, role=Role.WORKER) as session:
        for table in ("orders", "rejected_rows"):
            seen = session.execute(
                text(f"select count(*) from app.{table} where tenant_id = :acme"), {"acme": acme.id}
            ).scalar_one()
            assert seen == 0

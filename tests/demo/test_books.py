"""The second set of books: it would notice if the system counted or added up wrongly."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cli.demo.books import Rejection, compare
from cli.demo.events import JobAccepted, JobEnded, RecordUnassigned
from cli.demo.producer import IMPORT, STATEMENT
from cli.demo.source import Source, inspect
from cli.demo.tally import Tally
from cli.demo.tenants import DemoTenant
from db.credentials import ApiKey

ACME = DemoTenant(name="Acme", slug="acme", id=UUID(int=1), key=ApiKey(id="0" * 16, secret="0" * 43))
NOW = datetime(2026, 1, 1, tzinfo=UTC)

REJECTED = [Rejection(3, "Acme", "quantity is not a whole number"), Rejection(5, None, "no usable tenant")]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Two orders worth 0.75, one bad row, and one of nobody."""
    path = tmp_path / "orders.csv"
    path.write_text(
        "tenant,order_id,customer_id,ordered_at,sku,description,quantity,unit_price\n"
        "Acme,SO-1,C,2026-01-01,S,d,3,0.0001\n"
        "Acme,SO-2,C,2026-01-01,S,d,three,1\n"
        "Acme,SO-3,C,2026-01-01,S,d,1,0.7497\n"
        ",SO-4,C,2026-01-01,S,d,1,1\n"
    )
    return inspect(path)


def tally(*, imported: int = 2, rejected: int = 1, revenue: str = "0.75", stated: str = "0.7500") -> Tally:
    counted = Tally({"acme": 3})
    counted.hear(RecordUnassigned(line=5, reason="no usable tenant"))
    result: dict[str, Any] = {
        "rows_imported": imported,
        "rows_rejected": rejected,
        "rows_already_there": 0,
        "revenue": revenue,
    }
    statement: dict[str, Any] = {"revenue": stated}
    for number, (task, returned) in enumerate([(IMPORT, result), (STATEMENT, statement)]):
        counted.hear(JobAccepted(tenant="acme", job=str(number), task=task))
        counted.hear(ended(str(number), task, returned))
    return counted


def ended(job: str, task: str, result: dict[str, Any] | None) -> JobEnded:
    return JobEnded(
        tenant="acme",
        job=job,
        task=task,
        state="failed" if result is None else "succeeded",
        attempt=2,
        created_at=NOW,
        finished_at=NOW,
        result=result,
        error=None if result is not None else "ValueError: no",
    )


def failed(source: Source, counted: Tally, rejected: list[Rejection] = REJECTED) -> list[str]:
    return [check.tried for check in compare(source, [ACME], counted, rejected) if not check.passed]


def test_books_that_agree_pass(source: Source) -> None:
    assert failed(source, tally()) == []


def test_a_row_that_went_missing_is_noticed(source: Source) -> None:
    assert failed(source, tally(imported=1)) == [
        "every record is accounted for",
        "rows equal a plain reading of the file",
    ]


def test_a_row_rejected_in_secret_is_noticed(source: Source) -> None:
    assert "every record is accounted for" in failed(source, tally(imported=1, rejected=2))


def test_a_price_that_was_rounded_is_noticed(source: Source) -> None:
    assert failed(source, tally(revenue="0.74999")) == ["so does the revenue, to the last digit"]


def test_a_statement_that_differs_from_the_imports_is_noticed(source: Source) -> None:
    assert failed(source, tally(stated="0.76")) == ["so does the revenue, to the last digit"]


def test_a_row_that_is_no_order_and_was_imported_is_noticed(source: Source) -> None:
    rejected = [Rejection(4, "Acme", "wrong one"), REJECTED[1]]

    assert "what was imported is orders" in failed(source, tally(), rejected)


def test_a_job_that_failed_is_noticed(source: Source) -> None:
    counted = tally()
    counted.hear(JobAccepted(tenant="acme", job="9", task=IMPORT))
    counted.hear(ended("9", IMPORT, None))

    assert failed(source, counted) == ["every job succeeded"]
    assert counted.of["acme"].failures == ["orders.import_csv 9 failed at attempt 2: ValueError: no"]


def test_retries_and_money_are_added_up_over_jobs(source: Source) -> None:
    counted = tally()
    counted.hear(ended("8", IMPORT, {"revenue": "0.0000000000000000000000000001"} | dict.fromkeys(COUNTS, 1)))

    assert counted.of["acme"].retries == 3
    assert counted.of["acme"].revenue == Decimal("0.7500000000000000000000000001")


COUNTS = ("rows_imported", "rows_rejected", "rows_already_there")

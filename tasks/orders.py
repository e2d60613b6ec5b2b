"""`orders.import_csv`: a tenant's file of orders becomes rows of `app.orders`, each once, however often it is run."""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from decimal import Context, Decimal, Inexact
from itertools import islice
from typing import BinaryIO
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from db.files import CHUNK_BYTES, StoredFile, file_store
from db.session import Executor, TenantSession
from tasks import Job, task
from tasks.job import JobTenant
from tasks.order_lines import OrderLine, RejectedLine, read_order_lines
from tasks.order_rows import insert_orders, insert_rejected

ROWS_PER_STATEMENT = 2_000

_EXACT = Context(prec=100, traps=[Inexact])


class ImportCsv(BaseModel):
    """What to import."""

    model_config = ConfigDict(extra="forbid")

    file: str = Field(
        description="The name of a file that was uploaded with PUT /v1/files/NAME.", examples=["orders.csv"]
    )


class ImportReport(BaseModel):
    """What became of a file's rows: imported + rejected + already there is all of them."""

    file: str
    rows_imported: int = 0
    rows_rejected: int = Field(0, description="Kept in app.rejected_rows, with line and reason.")
    rows_already_there: int = Field(0, description="Imported before, from the same content under whatever name.")
    revenue: Decimal = Field(Decimal(0), description="Of the rows imported, exactly: the sum of quantity * unit_price.")
    seconds: float = 0.0


def a_stored_file(session: TenantSession) -> ImportCsv:
    """Store a file of two orders, one of which nobody can read. An example: see `tasks/examples.py`."""
    name, slug = session.execute(text("select name, slug from partywall.tenants")).one()
    number = uuid4()
    lines = (
        "tenant,order_id,customer_id,ordered_at,sku,description,quantity,unit_price",
        f"{slug},{number},C-1,2026-01-31T09:30:00Z,S-1,for {name},2,9.99",
        f"{slug},{number},C-1,2026-01-31T09:30:00Z,S-2,without a price,1,",
    )
    file_store().write(session, f"{number}.csv", ["\n".join(lines).encode()])
    return ImportCsv(file=f"{number}.csv")


@task("orders.import_csv", max_attempts=5, time_limit_seconds=600, examples=[a_stored_file])
def import_csv(job: Job, payload: ImportCsv) -> ImportReport:
    """Import a CSV file of orders. Rows that are malformed are counted and kept, with the reason."""
    with tempfile.TemporaryFile() as spool:
        # Bytes and digest in one call: between two, somebody may replace the file.
        file = file_store().copy_to(job.connection, payload.file, spool)
        spool.seek(0)

        def show(bytes_read: int, rows: int) -> None:
            job.progress(bytes_read, file.size_bytes, f"bytes; {rows:,} rows")

        return import_orders(job.connection, _chunks(spool), file=file, tenant=job.tenant, show=show)


def import_orders(
    executor: Executor,
    chunks: Iterable[bytes],
    *,
    file: StoredFile,
    tenant: JobTenant,
    show: Callable[[int, int], None],
) -> ImportReport:
    """Add a file's orders and rejected rows in the executor's transaction, and return how many of each.

    `show` is called with the bytes and rows read so far, after every ROWS_PER_STATEMENT rows.

    Raises:
        OrderFileError, NotUtf8Error: roll back; trying again would not help.
    """
    started = time.monotonic()
    sha256 = bytes.fromhex(file.sha256)
    report = ImportReport(file=file.name)
    meter = _Meter(chunks)
    rows = 0
    for batch in _batches(read_order_lines(meter, tenant_names={tenant.slug, tenant.name})):
        good = [line for line in batch if isinstance(line, OrderLine)]
        bad = [line for line in batch if isinstance(line, RejectedLine)]
        imported = insert_orders(executor, good, tenant_id=tenant.id, file_sha256=sha256)
        insert_rejected(executor, bad, tenant_id=tenant.id, file_name=file.name, file_sha256=sha256)
        report.rows_imported += imported.rows
        report.rows_already_there += len(good) - imported.rows
        report.rows_rejected += len(bad)
        report.revenue = _EXACT.add(report.revenue, imported.revenue)
        rows += len(batch)
        show(meter.bytes_read, rows)
    report.seconds = round(time.monotonic() - started, 3)
    return report


class _Meter:
    """Chunks, and how many bytes of them were taken."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.bytes_read = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.bytes_read += len(chunk)
            yield chunk


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _batches(lines: Iterator[OrderLine | RejectedLine]) -> Iterator[list[OrderLine | RejectedLine]]:
    while batch := list(islice(lines, ROWS_PER_STATEMENT)):
        yield batch

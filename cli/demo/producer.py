"""`python -m cli.demo.producer`: what runs at the tenants' side. It speaks HTTP and imports nothing of Partywall.

It cuts the input into files of one tenant each, uploads them, asks for the import of each, watches the
imports, and asks for a tenant's statement when all of its own are done.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from cli.demo.api import Api, Refused
from cli.demo.cutting import Part, cut
from cli.demo.events import (
    CutDone,
    Event,
    JobAccepted,
    JobEnded,
    JobProgressed,
    Order,
    ProducerFailed,
    RecordUnassigned,
)

IMPORT = "orders.import_csv"
STATEMENT = "reports.monthly_statement"
ENDED = frozenset({"succeeded", "failed", "cancelled", "expired"})

LOOK_SECONDS = 0.2
JOBS_PER_LOOK = 16
"""The oldest unfinished ones: they end roughly in the order they came, and the API has other things to do."""
PATIENCE_SECONDS = 120.0
"""How long nothing at all may happen before something must be wrong."""


class Producer:
    """One run of an order. `say` hears of everything, as it happens."""

    def __init__(self, order: Order, api: Api, say: Callable[[Event], None]) -> None:
        self._order = order
        self._api = api
        self._say = say
        self._keys = {tenant.slug: tenant.key for tenant in order.tenants}
        self._waiting: dict[str, JobAccepted] = {}
        self._seen: dict[str, tuple[Any, ...]] = {}
        self._failed: set[str] = set()
        self._looked_at = self._moved_at = time.monotonic()

    def run(self) -> None:
        """Return when every job has ended.

        Raises:
            Refused: the API did not take something, or did not answer.
            TimeoutError: nothing happened for PATIENCE_SECONDS.
        """
        self._import_all()
        owed = set(self._keys)
        while owed or self._waiting:
            importing = {job.tenant for job in self._waiting.values() if job.task == IMPORT}
            for tenant in sorted(owed - importing):
                owed.remove(tenant)
                # Where an import failed, a statement would be of a part of the orders.
                if tenant not in self._failed:
                    self._enqueue(tenant, STATEMENT, {})
            self._look_again()

    def _import_all(self) -> None:
        order = self._order
        slugs = {tenant.name: tenant.slug for tenant in order.tenants}
        for piece in cut(order.source, tenants=slugs, directory=order.directory, rows_per_part=order.rows_per_part):
            if isinstance(piece, Part):
                tenant = slugs[piece.tenant]
                name = f"orders-{tenant}-{piece.number:04}.csv"
                self._api.upload(self._keys[tenant], name, piece.path)
                piece.path.unlink()
                self._enqueue(tenant, IMPORT, {"file": name}, rows=piece.rows)
            else:
                self._say(RecordUnassigned(line=piece.line, reason=piece.reason))
            if time.monotonic() > self._looked_at + LOOK_SECONDS:
                self._look()
        self._say(CutDone())

    def _enqueue(self, tenant: str, task: str, payload: dict[str, str], *, rows: int = 0) -> None:
        job = self._api.enqueue(self._keys[tenant], task, payload)
        accepted = JobAccepted(tenant=tenant, job=job, task=task, file=payload.get("file"), rows=rows)
        self._waiting[job] = accepted
        self._moved_at = time.monotonic()
        self._say(accepted)

    def _look_again(self) -> None:
        if self._waiting:
            time.sleep(LOOK_SECONDS)
            self._look()

    def _look(self) -> None:
        """Ask after the oldest unfinished jobs, and say what is new."""
        for accepted in list(self._waiting.values())[:JOBS_PER_LOOK]:
            shown = self._api.job(self._keys[accepted.tenant], accepted.job)
            progress = shown["progress"] or {}
            seen = (shown["state"], shown["attempt"], progress.get("current"))
            if seen == self._seen.get(accepted.job):
                continue
            self._seen[accepted.job] = seen
            self._moved_at = time.monotonic()
            if shown["state"] in ENDED:
                self._end(accepted, shown)
            elif progress.get("total"):
                fraction = progress["current"] / progress["total"]
                self._say(JobProgressed(tenant=accepted.tenant, job=accepted.job, fraction=fraction))
        self._looked_at = time.monotonic()
        if self._looked_at - self._moved_at > PATIENCE_SECONDS:
            raise TimeoutError(f"nothing happened for {PATIENCE_SECONDS:.0f} s")

    def _end(self, accepted: JobAccepted, shown: dict[str, Any]) -> None:
        del self._waiting[accepted.job], self._seen[accepted.job]
        if shown["state"] != "succeeded":
            self._failed.add(accepted.tenant)
        error = shown["error"]
        self._say(
            JobEnded(
                tenant=accepted.tenant,
                job=accepted.job,
                task=accepted.task,
                state=shown["state"],
                attempt=shown["attempt"],
                created_at=shown["created_at"],
                finished_at=shown["finished_at"],
                result=shown["result"],
                error=f"{error.get('type')}: {error.get('message')}" if error else None,
            )
        )


def main() -> int:
    """Read the order from standard input, run it, and say each event on a line of standard output."""

    def say(event: Event) -> None:
        print(event.model_dump_json(), flush=True)

    try:
        order = Order.model_validate_json(sys.stdin.buffer.read())
    except ValidationError:
        return 1  # half an order: whoever started us is gone, and nobody is there to be told
    try:
        with Api(order.api_url) as api:
            Producer(order, api, say).run()
    except (Refused, TimeoutError, OSError) as error:
        say(ProducerFailed(reason=str(error)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

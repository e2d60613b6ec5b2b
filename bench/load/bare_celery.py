"""Bare Celery on Redis, acknowledging before the body, which is its default, or after it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from celery import Celery

from bench.load.bare_body import DATABASE
from bench.load.celery_worker import ACKS_LATE, BROKER, QUEUE, TASK
from bench.load.marks import BARE, Marks
from bench.load.processes import running_together
from bench.load.request import Request
from bench.load.site import Site
from bench.load.system import WORKERS, Processes
from db.roles import Role


class BareCelery:
    """Publishing is accepting: no record, no order but the queue's."""

    def __init__(self, site: Site, *, acks_late: bool) -> None:
        self.name = "celery-acks-late" if acks_late else "celery"
        self.marks = Marks(site, BARE)
        self._site = site
        self._broker_url = site.broker_url(2 if acks_late else 1)
        self._acks_late = str(int(acks_late))
        self._app = Celery("bare-producer", broker=self._broker_url, set_as_current=False)

    @property
    def worker_databases(self) -> Mapping[str, str]:
        """What leads its bodies to PostgreSQL."""
        return {DATABASE: self._site.role_url(Role.WORKER)}

    def enqueue(self, request: Request) -> None:
        """Publish a message."""
        self._app.send_task(TASK, kwargs=asdict(request), queue=QUEUE, ignore_result=True)

    def enqueue_many(self, requests: Sequence[Request]) -> None:
        """Publish messages, one after the other on one connection: it has no faster way."""
        with self._app.producer_pool.acquire(block=True) as producer:
            for request in requests:
                self._app.send_task(TASK, kwargs=asdict(request), queue=QUEUE, ignore_result=True, producer=producer)

    @contextmanager
    def running(self, **environment: str) -> Iterator[Processes]:
        """Run a worker while the block runs."""
        command = [
            "celery", "-A", "bench.load.celery_worker", "worker", f"--concurrency={WORKERS}", f"--queues={QUEUE}",
            "--hostname=bare@%h",
        ]  # fmt: skip
        with running_together(
            {"worker": command},
            directory=self._site.directory,
            environment={BROKER: self._broker_url, ACKS_LATE: self._acks_late, **environment},
        ) as processes:
            yield processes

"""Dramatiq on Redis."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker

from bench.load.bare_body import DATABASE, mark
from bench.load.marks import BARE, Marks
from bench.load.processes import running_together
from bench.load.request import Request
from bench.load.site import Site
from bench.load.system import WORKERS, Processes
from db.roles import Role

DEFAULT_THREADS = 8
QUEUE = "default"


class BareDramatiq:
    """As many processes as the others have, each with the threads that Dramatiq gives it, or with one."""

    def __init__(self, site: Site, *, threads: int = DEFAULT_THREADS) -> None:
        self.name = "dramatiq" if threads == DEFAULT_THREADS else f"dramatiq-{threads}-thread"
        self.marks = Marks(site, BARE)
        self._site = site
        self._threads = threads
        self._broker_url = site.broker_url(3 if threads == DEFAULT_THREADS else 4)
        self._broker = RedisBroker(url=self._broker_url)  # type: ignore[no-untyped-call]
        self._broker.declare_queue(QUEUE)

    @property
    def worker_databases(self) -> Mapping[str, str]:
        """What leads its bodies to PostgreSQL."""
        return {DATABASE: self._site.role_url(Role.WORKER)}

    def enqueue(self, request: Request) -> None:
        """Send a message."""
        self._broker.enqueue(
            Message(queue_name=QUEUE, actor_name=mark.__name__, args=(), kwargs=asdict(request), options={})
        )

    def enqueue_many(self, requests: Sequence[Request]) -> None:
        """Send messages, one after the other: it has no faster way."""
        for request in requests:
            self.enqueue(request)

    @contextmanager
    def running(self, **environment: str) -> Iterator[Processes]:
        """Run its workers while the block runs."""
        command = ["dramatiq", "bench.load.dramatiq_worker", f"--processes={WORKERS}", f"--threads={self._threads}"]
        with running_together(
            {"worker": command},
            directory=self._site.directory,
            environment={"BENCH_BROKER_URL": self._broker_url, **environment},
        ) as processes:
            yield processes

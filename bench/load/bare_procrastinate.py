"""Procrastinate, whose queue is a table of the same PostgreSQL."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from procrastinate import App, SyncPsycopgConnector

from bench.load.bare_body import DATABASE
from bench.load.marks import BARE, Marks
from bench.load.processes import running_together
from bench.load.request import Request
from bench.load.site import Site
from bench.load.system import WORKERS, Processes
from db.roles import Role

QUEUE_DATABASE = "BENCH_PROCRASTINATE_DATABASE_URL"
SCHEMA = "procrastinate"
TASK = "bare.mark"
BATCH = 1000


class BareProcrastinate:
    """A record of every job, as ours; its bodies commit apart from it."""

    name = "procrastinate"

    def __init__(self, site: Site) -> None:
        self.marks = Marks(site, BARE)
        self._site = site
        # As the superuser, who is in the way of nothing; the bodies log in as everybody's do.
        self._url = f"{site.server.admin_url()}?options=-csearch_path%3D{SCHEMA}"
        site.do(f"create schema {SCHEMA}")
        app = App(connector=SyncPsycopgConnector(conninfo=self._url, min_size=1))
        app.open()
        app.schema_manager.apply_schema()
        self._app = app
        self._task = app.configure_task(TASK, allow_unknown=True)

    def close(self) -> None:
        """Let go of its connections."""
        self._app.close()

    @property
    def worker_databases(self) -> Mapping[str, str]:
        """What leads its bodies, and its workers themselves, to PostgreSQL."""
        return {DATABASE: self._site.role_url(Role.WORKER), QUEUE_DATABASE: self._url}

    def enqueue(self, request: Request) -> None:
        """Defer one job, in a transaction of its own."""
        self._task.defer(**asdict(request))

    def enqueue_many(self, requests: Sequence[Request]) -> None:
        """Defer a thousand in a statement."""
        for start in range(0, len(requests), BATCH):
            self._task.batch_defer(*(asdict(request) for request in requests[start : start + BATCH]))

    @contextmanager
    def running(self, **environment: str) -> Iterator[Processes]:
        """Run its workers while the block runs: a process each."""
        command = ["procrastinate", "--app=bench.load.procrastinate_worker.app", "worker"]
        with running_together(
            {f"worker-{number}": command for number in range(1, WORKERS + 1)},
            directory=self._site.directory,
            environment={QUEUE_DATABASE: self._url, **environment},
        ) as processes:
            yield processes

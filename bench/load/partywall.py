"""Partywall as it is deployed, but for the API: jobs are enqueued by SQL, in the tenant's context."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby

from sqlalchemy import text

from bench.load.marks import OURS, Marks
from bench.load.processes import running_together
from bench.load.request import Request
from bench.load.site import Site
from bench.load.system import WORKERS, Processes
from db.context import TenantContext
from db.dsn import setting_name
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.tenants import create_tenant, open_tenant
from tasks import producing, registry

TASK = "bench.mark"

_PILE_UP = text("""
    select count(*)
    from generate_series(cast(:first as bigint), :last, 1000) as batch (first)
    cross join lateral partywall.enqueue_many((
        select jsonb_agg(
            jsonb_build_object(
                'task_name', (cast(:tasks as text[]))[1 + number / 50 % cardinality(cast(:tasks as text[]))],
                'queue', (cast(:queues as text[]))[1 + number / 50 % cardinality(cast(:tasks as text[]))],
                'max_attempts', cast(:max_attempts as integer),
                'payload', jsonb_build_object('number', number, 'milliseconds', cast(:milliseconds as integer))
            )
        )
        from generate_series(batch.first, least(batch.first + 999, :last)) as number
    ))
""")


class Partywall:
    """A dispatcher, a reaper and a worker by the command lines of production."""

    name = "partywall"

    def __init__(self, site: Site, *, tenants: int, workers: int = WORKERS, worker_options: Sequence[str] = ()) -> None:
        self.marks = Marks(site, OURS)
        self._site = site
        self._worker_options = [f"--concurrency={workers}", *worker_options]
        registry.load()
        self._contexts = _make_tenants(tenants)

    @property
    def worker_databases(self) -> Mapping[str, str]:
        """What leads its workers to PostgreSQL."""
        return {setting_name(Role.WORKER): self._site.role_url(Role.WORKER)}

    def enqueue(self, request: Request) -> None:
        """Accept one job in a transaction of its own."""
        with tenant_session(self._contexts[request.tenant], role=Role.API) as session:
            producing.enqueue(session, TASK, _payload(request))

    def enqueue_many(self, requests: Sequence[Request]) -> None:
        """Accept each tenant's jobs in one transaction."""
        for tenant, its in groupby(sorted(requests, key=lambda each: each.tenant), key=lambda each: each.tenant):
            with tenant_session(self._contexts[tenant], role=Role.API) as session:
                producing.enqueue_many(session, TASK, map(_payload, its))

    def pile_up(
        self, tenant: int, count: int, *, first: int = 0, milliseconds: int = 0, tasks: Sequence[str] = (TASK,)
    ) -> None:
        """Accept `count` jobs of a tenant, numbered from `first`, that the database makes up: a backlog of any size.

        Fifty of one of the tasks follow fifty of another.
        """
        declarations = [registry.declaration(name) for name in tasks]
        values = {
            "tasks": list(tasks), "queues": [each.queue for each in declarations],
            "max_attempts": declarations[0].max_attempts, "first": first, "last": first + count - 1,
            "milliseconds": milliseconds,
        }  # fmt: skip
        with tenant_session(self._contexts[tenant], role=Role.API) as session:
            session.execute(_PILE_UP, values)

    @contextmanager
    def running(self, **environment: str) -> Iterator[Processes]:
        """Run its processes while the block runs."""
        commands = {
            "dispatcher": ["workers.dispatcher"],
            "reaper": ["workers.reaper"],
            "worker": [
                "celery", "-A", "workers", "worker", "--loglevel=INFO", "--task-events", "--without-gossip",
                "--without-mingle", "--hostname=bench@%h", *self._worker_options,
            ],
        }  # fmt: skip
        with running_together(
            commands,
            directory=self._site.directory,
            environment={"PARTYWALL_BROKER_URL": self._site.broker_url(0), **environment},
            ready_lines={"dispatcher": "agent_started", "reaper": "agent_started", "worker": " ready."},
        ) as processes:
            yield processes


def slug_of(tenant: int) -> str:
    """Return what the tenant is called by operators."""
    return f"bench-{tenant}"


def _make_tenants(count: int) -> list[TenantContext]:
    """Return a context of each, good for an hour: longer than a run."""
    with platform_connection(Role.OPERATOR) as connection:
        slugs = [slug_of(number) for number in range(count)]
        for slug in slugs:
            create_tenant(connection, slug=slug, name=slug)
        return [open_tenant(connection, slug) for slug in slugs]


def _payload(request: Request) -> dict[str, int]:
    return {"number": request.number, "milliseconds": request.milliseconds}

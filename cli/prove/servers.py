"""Where a proof takes place: on throwaway servers, or on those that are given and have nobody on them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from cli.database import operator_connection
from cli.errors import RefusedError
from cli.stack.own_servers import OwnServers
from cli.stack.throwaway import OnStep, given_servers, throwaway_servers
from db.engine import dispose_engines
from db.jobs import JobState
from db.tenants import jobs_overview, list_tenants

SLUG_PREFIX = "prove-"


@contextmanager
def servers(on_step: OnStep, *, embedded: bool, yes: bool) -> Iterator[bool]:
    """Make the settings of this process lead to servers while the block runs; yield whether they stay after it.

    Raises:
        RefusedError: a given database has tenants, and nobody said `yes`; or jobs that wait.
    """
    given = OwnServers(broker=None, databases={}) if embedded else given_servers()
    before = dict(os.environ)
    with throwaway_servers(given, on_step) as settings:
        os.environ.update(settings)
        dispose_engines()
        try:
            if given.databases:
                _refuse_inhabited(yes=yes)
            yield bool(given.databases)
        finally:
            dispose_engines()
            os.environ.clear()
            os.environ.update(before)


def _refuse_inhabited(*, yes: bool) -> None:
    # Nothing tells production from staging; that somebody lives there, tells enough. Tasks are run with made-up
    # payloads, and what they do outside the database, such as sending mail, is done.
    with operator_connection() as connection:
        others = [tenant.slug for tenant in list_tenants(connection) if not tenant.slug.startswith(SLUG_PREFIX)]
        waiting = [jobs_overview(connection, state=state, limit=1) for state in (JobState.QUEUED, JobState.DISPATCHED)]
    if any(waiting):
        raise RefusedError(
            "jobs are waiting in this database, and the proof's worker would run them",
            hint="Let your own workers run them first, or prove on a database of its own: --embedded.",
        )
    if others and not yes:
        named = f"1 tenant, {others[0]}" if len(others) == 1 else f"{len(others)} tenants, {others[0]} for one"
        raise RefusedError(
            f"this database has {named}, and every task would be run beside it with made-up payloads",
            hint="Prove on a database of its own, with --embedded for instance; or say --yes.",
        )

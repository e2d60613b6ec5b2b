"""A PostgreSQL that crashes when a test says so, and writes nothing to its disk before that by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg

from bench.chaos.database import Database as Cluster
from db.engine import dispose_engines
from tests.databases import clone, make_template
from tests.db.notes import create_notes
from tests.waiting import wait_until

WRITERS = ("walwriter", "background writer", "checkpointer")
"""Processes that write what no commit has asked for."""


def _start_no_vacuum(cluster: Cluster) -> None:
    """Return when PostgreSQL starts no vacuum by itself any more, and none is left."""
    with psycopg.connect(cluster.admin_url, autocommit=True) as connection:
        connection.execute("alter system set autovacuum = off")
        connection.execute("select pg_reload_conf()")
        vacuums = "select from pg_stat_activity where backend_type like 'autovacuum%'"
        wait_until(lambda: not connection.execute(vacuums).fetchall(), timeout_seconds=60)


class Crashing:
    """A durable cluster with one migrated database."""

    def __init__(self, directory: Path) -> None:
        self._cluster = Cluster(directory)
        self._cluster.start()
        # Its commits wait for the disk, and for what others have committed before them.
        _start_no_vacuum(self._cluster)
        make_template(self._cluster.server)
        self.database = clone(self._cluster.server, "crashing")
        create_notes(self.database)

    def stop(self) -> None:
        """Return when it is gone."""
        self._cluster.stop()

    @contextmanager
    def crash(self) -> Iterator[None]:
        """Write only what commits wait for while the block runs; crash at its end, and return when it is back."""
        writers = self._writers()
        for writer in writers:
            writer.suspend()
        try:
            yield
        finally:
            dispose_engines()
            # The server takes the death of any of its processes for a crash: it ends all of them, forgets its memory
            # and recovers from its log. None of these may go on meanwhile.
            for writer in writers:
                writer.kill()
        wait_until(lambda: not any(each.is_running() for each in writers), timeout_seconds=30)
        wait_until(self._cluster.server.accepts_connections, timeout_seconds=30)

    def _writers(self) -> list[psutil.Process]:
        postmaster = psutil.Process(int((self._cluster.server.data_dir / "postmaster.pid").read_text().split()[0]))

        def started() -> list[psutil.Process]:
            found = list(filter(_writes, postmaster.children()))
            return found if len(found) == len(WRITERS) else []

        return wait_until(started, timeout_seconds=30, what="all that write by themselves have started")


def _writes(process: psutil.Process) -> bool:
    try:
        command = " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False  # a session that ended just now
    return any(name in command for name in WRITERS)

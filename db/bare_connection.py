"""A connection for looking at a database and for changing its schema: of one's own, without context, guard or pool."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool


@contextmanager
def bare_connection(
    url: str, *, timeout_seconds: int | None = None, application_name: str = "partywall"
) -> Iterator[Connection]:
    """Open a connection that is closed, with all its locks freed, when the block ends. Committing is up to you."""
    engine = create_engine(
        "postgresql+psycopg://",
        # Nothing prepared: a pooler may stand in between.
        creator=lambda: psycopg.connect(
            url, prepare_threshold=None, connect_timeout=timeout_seconds, application_name=application_name
        ),
        poolclass=NullPool,
        use_native_hstore=False,
    )
    with engine.connect() as connection:
        yield connection

"""Looking at a connection without asking the server."""

import select
from typing import Any

import psycopg
from psycopg.pq import ConnStatus, PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGconn


def is_settled(connection: Any) -> bool:
    """Return False when the connection is closed or in the middle of an exchange, where no statement can follow."""
    pgconn: PGconn = connection.pgconn
    return (
        pgconn.status == ConnStatus.OK
        and pgconn.pipeline_status == PipelineStatus.OFF
        and pgconn.transaction_status != TransactionStatus.ACTIVE
        # Broken off between the server's last answer and psycopg's own tidying up.
        and connection._pipeline is None
    )


def is_alive(connection: Any) -> bool:
    """Return False when the server has said goodbye to an idle connection.

    A restart or a terminated backend leaves the goodbye in the socket; looking there is one system call. A network
    that swallows packets cannot be noticed this way, only by the time limit of the next statement.
    """
    pgconn: PGconn = connection.pgconn
    # Not select(2), which refuses file descriptors above 1023.
    socket = select.poll()
    try:
        socket.register(pgconn.socket, select.POLLIN)
        # The goodbye is a message and then the end of the stream: read until nothing is left to read.
        while pgconn.status == ConnStatus.OK and socket.poll(0):
            pgconn.consume_input()
    except psycopg.OperationalError:
        return False
    return pgconn.status == ConnStatus.OK

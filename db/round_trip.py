"""Several statements in one network round trip: libpq's pipeline mode, without psycopg's pipeline object around it.

That object sends each statement by itself and comes back to Python for each, which over loopback takes longer than the
round trip it saves.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from psycopg.abc import PQGen
from psycopg.errors import NotSupportedError, OperationalError, error_from_result
from psycopg.generators import fetch_many, send
from psycopg.pq import ConnStatus, ExecStatus, PipelineStatus
from psycopg.pq.abc import PGconn, PGresult

Statement = tuple[str, tuple[str, ...]]
"""SQL with $1 placeholders and what is bound to them. A token is always bound: a literal shows in pg_stat_activity."""

COMMIT: Final[Statement] = ("commit", ())

_COPY = (ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH)


def queue(pgconn: PGconn, statement: Statement) -> None:
    """Queue a statement on a connection in pipeline mode. It goes out unnamed, as all of ours do."""
    sql, values = statement
    pgconn.send_query_params(sql.encode(), [value.encode() for value in values])


def round_trip(pgconn: PGconn, ahead: Sequence[Statement], queue_last: Callable[[], None]) -> PQGen[list[PGresult]]:
    """Send the statements `ahead` and behind them what `queue_last` queues; return the results of that last one.

    The generator may rest between two steps and be driven on later, as a cancelled query needs it. One that is broken
    off for good closes the connection, because nobody could tell any more whose answer comes next.

    Raises:
        psycopg.Error: of the first statement that PostgreSQL refused. It skipped those behind it.
    """
    try:
        pgconn.enter_pipeline_mode()
        for statement in ahead:
            queue(pgconn, statement)
        queue_last()
        pgconn.pipeline_sync()
        yield from send(pgconn)

        answers: list[list[PGresult]] = []
        while len(answers) <= len(ahead):
            answers.append((yield from fetch_many(pgconn)))
        if any(result.status in _COPY for result in answers[-1]):
            raise NotSupportedError("COPY cannot travel behind another statement: use copy()")
        yield from fetch_many(pgconn)  # what the sync is answered with
        if pgconn.status == ConnStatus.OK:
            pgconn.exit_pipeline_mode()
    finally:
        if pgconn.pipeline_status != PipelineStatus.OFF:
            pgconn.finish()
    _raise_refusal(answers, pgconn._encoding)
    return answers[-1]


def _raise_refusal(answers: Iterable[list[PGresult]], encoding: str) -> None:
    for results in answers:
        if not results:
            raise OperationalError("the server closed the connection in the middle of an answer")
        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result, encoding)

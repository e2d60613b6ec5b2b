"""Several statements in one network round trip: libpq's pipeline mode, without psycopg's pipeline object around it.

That object sends each statement by itself and comes back to Python for each, which over loopback takes longer than the
round trip it saves.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from psycopg.abc import PQGen
from psycopg.errors import NotSupportedError, OperationalError, error_from_result
from psycopg.generators import fetch_many, send
from psycopg.pq import ConnStatus, ExecStatus, PipelineStatus
from psycopg.pq.abc import PGconn, PGresult

Statement = tuple[str, tuple[str, ...]]
"""SQL with $1 placeholders and what is bound to them. A token is always bound: a literal shows in pg_stat_activity."""

COMMIT: Final[Statement] = ("commit", ())

_DONE = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)
_COPY = (ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH)


@dataclass(frozen=True, slots=True)
class Answer:
    """What PostgreSQL said to a round trip."""

    last: list[PGresult]
    """The results of the statement that the others went ahead of and behind."""
    is_done_behind: bool
    """Whether all that went behind it was done."""


def queue(pgconn: PGconn, statement: Statement) -> None:
    """Queue a statement on a connection in pipeline mode. It goes out unnamed, as all of ours do."""
    sql, values = statement
    pgconn.send_query_params(sql.encode(), [value.encode() for value in values])


def round_trip(
    pgconn: PGconn, ahead: Sequence[Statement], queue_last: Callable[[], None], behind: Sequence[Statement] = ()
) -> PQGen[Answer]:
    """Send the statements `ahead`, then what `queue_last` queues, and `behind` it what may fail: for after a COMMIT.

    The generator may rest between two steps and be driven on later, as a cancelled query needs it. One that is broken
    off for good closes the connection, because nobody could tell any more whose answer comes next.

    Raises:
        psycopg.Error: of the first statement that PostgreSQL refused. It skipped those after it. Of what went `behind`
            no refusal is raised, because what it follows is done.
    """
    is_done_behind = False
    try:
        pgconn.enter_pipeline_mode()
        for statement in ahead:
            queue(pgconn, statement)
        queue_last()
        for statement in behind:
            queue(pgconn, statement)
        pgconn.pipeline_sync()
        yield from send(pgconn)

        answers: list[list[PGresult]] = []
        while len(answers) <= len(ahead):
            answers.append((yield from fetch_many(pgconn)))
        if any(result.status in _COPY for result in answers[-1]):
            raise NotSupportedError("COPY cannot travel behind another statement: use copy()")
        if behind:
            is_done_behind = yield from _are_done(pgconn, len(behind))
        else:
            answers += yield from _until_sync(pgconn)
        if pgconn.status == ConnStatus.OK:
            pgconn.exit_pipeline_mode()
    finally:
        if pgconn.pipeline_status != PipelineStatus.OFF:
            pgconn.finish()
    _raise_refusal(answers, pgconn._encoding)
    return Answer(answers[len(ahead)], is_done_behind=is_done_behind)


def _until_sync(pgconn: PGconn) -> PQGen[list[list[PGresult]]]:
    """Read the rest. A transaction that was begun by nobody ends with the sync, and may be refused there."""
    answers: list[list[PGresult]] = []
    while True:
        results = yield from fetch_many(pgconn)
        if not results or results[-1].status == ExecStatus.PIPELINE_SYNC:
            return answers
        answers.append(results)


def _are_done(pgconn: PGconn, count: int) -> PQGen[bool]:
    """Read the rest; return whether PostgreSQL did all of so many statements. No refusal is raised, nor a loss."""
    try:
        answers = yield from _until_sync(pgconn)
    except OperationalError:
        return False
    return len(answers) == count and all(result.status in _DONE for results in answers for result in results)


def _raise_refusal(answers: Iterable[list[PGresult]], encoding: str) -> None:
    for results in answers:
        if not results:
            raise OperationalError("the server closed the connection in the middle of an answer")
        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result, encoding)

"""A transaction's first statement as psycopg's cursor executes it, with the opening ahead of it in its round trip."""

from collections.abc import Callable
from functools import partial
from typing import Any

from psycopg.abc import Params, PQGen

from db.round_trip import queue, round_trip


def execute_with_opening(
    cursor: Any, execute: Callable[..., PQGen[None]], query: Any, params: Params | None, options: dict[str, Any]
) -> PQGen[None]:
    """Do what `execute`, the cursor's own way, does. The opening that the connection carries goes ahead, if any.

    It stays on the connection until the server has answered: a statement that psycopg could not even convert leaves it
    to the next one, and an opening that is sent twice opens once.
    """
    connection = cursor._conn
    if not connection.opening:
        return execute(query, params, **options)
    if connection._pipeline is not None:
        return _in_pipeline(connection, execute(query, params, **options))
    return _in_round_trip(cursor, query, params, options.get("binary"))


def _in_round_trip(cursor: Any, query: Any, params: Params | None, binary: bool | None) -> PQGen[None]:
    connection = cursor._conn
    yield from cursor._start_query(query)
    converted = cursor._convert_query(query, params)
    # Forced, because with nothing bound psycopg takes the simple protocol, which no pipeline carries.
    send = partial(cursor._execute_send, converted, force_extended=True, binary=binary)
    try:
        answer = yield from round_trip(connection.pgconn, connection.opening, send)
    finally:
        connection.opening = ()
    cursor._check_results(answer.last)
    cursor._set_results(answer.last)
    cursor._last_query = query


def _in_pipeline(connection: Any, execution: PQGen[None]) -> PQGen[None]:
    pipeline = connection._pipeline
    for statement in connection.take_opening():
        pipeline.command_queue.append(partial(queue, connection.pgconn, statement))
        pipeline.result_queue.append(None)
    yield from execution

"""Tasks whose litter stays, because this module takes the sweeping out of the worker's engine."""

from typing import Any

from celery import signals
from pydantic import BaseModel

from db import cleaning
from tasks import Job, task

NAME = __name__


def _sweep_nothing(dbapi_connection: Any, record: Any, state: Any) -> None:
    """Stand in for what returns a connection to the pool clean."""


@signals.worker_init.connect
def _break_the_engine(**_: Any) -> None:
    # In the worker alone: the tests import this module too.
    cleaning.on_reset = _sweep_nothing
    cleaning.DISCARD_ALL = ()  # type: ignore[misc]


class Litter(BaseModel):
    """What to leave behind."""

    statement: str


def _task(name: str, statement: str) -> None:
    @task(f"litter.{name}", examples=[Litter(statement=statement)])
    def leave(job: Job, payload: Litter) -> None:
        """Leave something on the session."""
        job.connection.exec_driver_sql(payload.statement)


_task("setting", "set statement_timeout = '77s'")
_task("own_setting", "select set_config('app.customer', 'acme', false)")
_task("token", "select set_config('partywall.token', current_setting('partywall.token'), false)")
_task("listener", "listen gossip")
_task("lock", "select pg_advisory_lock(4711)")
_task("cursor", "declare left_open cursor with hold for select 1")
_task("prepared", "prepare left_prepared as select 1")

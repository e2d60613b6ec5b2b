"""The same bodies on bare Celery: `celery -A bench.chaos.bare_tasks worker`, with the usual recipe for the tenant.

The recipe is `set_config()` at the begin of a transaction and a policy that reads the setting. Whether a message is
acknowledged before its body or after it, `BARE_ACKS_LATE` says.
"""

import os
import time
from typing import Any

from celery import Celery
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from db.dsn import plain_url

ACKS_LATE = "BARE_ACKS_LATE"
_late = os.environ.get(ACKS_LATE) == "1"

app = Celery("bare", broker=os.environ.get("PARTYWALL_BROKER_URL"), set_as_current=False)
app.conf.update(
    task_default_queue="default",
    task_ignore_result=True,
    task_acks_late=_late,
    task_reject_on_worker_lost=_late,
    broker_connection_retry_on_startup=True,
    broker_transport_options=(
        {"visibility_timeout": 6, "socket_timeout": 10, "socket_connect_timeout": 5}
        if str(app.conf.broker_url).startswith("redis")
        else {}
    ),
)


class FirstAttemptError(Exception):
    """What a job is retried for."""


_WRITE = text("""
    insert into bare.effects (tenant_id, job_id, attempt, part, foreign_rows)
    select :tenant, :job, :attempt, :part, (select count(*) from bare.effects where tenant_id is distinct from :tenant)
""")


def _enter(connection: Connection, tenant: str) -> None:
    connection.execute(text("select set_config('app.tenant', :tenant, true)"), {"tenant": tenant})


@app.task(
    name="bare.work",
    bind=True,
    autoretry_for=(Exception,),
    retry_backoff=1,
    retry_backoff_max=4,
    max_retries=1000,
)
def work(self: Any, *, tenant: str, job: str, task: str, milliseconds: int) -> None:
    """Do what the task of this name does on Partywall, in one transaction, or one for each part."""
    attempt = self.request.retries + 1
    seconds = 0.0 if task == "chaos.is_short" else milliseconds / 1000
    engine = create_engine(plain_url(os.environ["PARTYWALL_WORKER_DATABASE_URL"]), poolclass=NullPool)
    with engine.connect() as connection:
        parts = {"chaos.keeps_checkpoints": 3, "chaos.commits_halfway": 2}.get(task, 1)
        for part in range(parts):
            _enter(connection, tenant)
            kept = text("select exists (select from bare.effects where job_id = :job and part = :part)")
            if parts > 1 and connection.execute(kept, {"job": job, "part": part}).scalar_one():
                continue
            if task == "chaos.works_and_writes":
                time.sleep(seconds)
            connection.execute(_WRITE, {"tenant": tenant, "job": job, "attempt": attempt, "part": part})
            if task == "chaos.works_in_sql":
                connection.execute(text("select pg_sleep(:seconds)"), {"seconds": seconds})
            elif task != "chaos.works_and_writes":
                time.sleep(seconds / parts)
            if task == "chaos.fails_once" and attempt == 1:
                raise FirstAttemptError
            connection.commit()

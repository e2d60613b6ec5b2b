"""Bare Celery: `celery -A bench.load.celery_worker worker`, as its documentation has it."""

import os

from celery import Celery

from bench.load.bare_body import mark

ACKS_LATE = "BENCH_ACKS_LATE"
BROKER = "BENCH_BROKER_URL"
QUEUE = "marks"
TASK = "bare.mark"

# Not the current application: whoever imports this for its names keeps its own.
app = Celery("bare", broker=os.environ.get(BROKER), set_as_current=False)
app.conf.update(
    task_default_queue=QUEUE,
    task_ignore_result=True,
    task_acks_late=os.environ.get(ACKS_LATE) == "1",
    broker_connection_retry_on_startup=True,
)
app.task(name=TASK)(mark)

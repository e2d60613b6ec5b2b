"""Forged broker messages: whoever reaches the broker can write one, and all it gets is a line in the worker's log."""

import base64
import json
import os
import socket
from typing import Any
from uuid import UUID, uuid4

QUEUE = "default"


def forge(broker_url: str, *, task: str, tenant_id: UUID, job_id: UUID) -> None:
    """Put a message on the workers' queue as Celery would, for a job that no dispatcher sent. The nonce is made up."""
    kwargs = {"tenant_id": str(tenant_id), "job_ids": [str(job_id)], "nonce": str(uuid4())}
    import redis  # a fifth of a second that no other command should wait for

    client = redis.Redis.from_url(broker_url, socket_timeout=5)
    try:
        client.lpush(QUEUE, json.dumps(_message(task, kwargs)))
    finally:
        client.close()


def _message(task: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return a message of Celery's protocol 2, in the envelope that Redis needs."""
    task_id = str(uuid4())
    embedded = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    return {
        "body": base64.b64encode(json.dumps([[], kwargs, embedded]).encode()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {
            "lang": "py",
            "task": task,
            "id": task_id,
            "root_id": task_id,
            "parent_id": None,
            "group": None,
            "shadow": None,
            "eta": None,
            "expires": None,
            "retries": 0,
            "timelimit": [None, None],
            "origin": f"gen{os.getpid()}@{socket.gethostname()}",
            "ignore_result": True,
        },
        "properties": {
            "correlation_id": task_id,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": QUEUE},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid4()),
        },
    }

"""Waiting until a worker has nothing more to tell its broker: it would tell it into silence, and give that up first."""

import base64
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import redis

from bench.chaos.brokers import AnyBroker, RedisBroker, lists_of
from tests.servers.brokers import QUEUE
from tests.waiting import wait_until


@contextmanager
def quiet_afterwards(broker: AnyBroker) -> Iterator[None]:
    """Run one job in the block; leave when its worker has told Flower of its success, and nothing else waits for it.

    On RabbitMQ, where each connection is given up by itself, the block is all.
    """
    if not isinstance(broker, RedisBroker):
        yield
        return
    with closing(redis.Redis.from_url(broker.url)) as client, closing(_subscription(client)) as events:
        # What is left of tests before this one: the job of the block overtakes it.
        wait_until(lambda: not any(client.llen(each) for each in lists_of(QUEUE)), timeout_seconds=30)
        yield
        wait_until(
            lambda: _is_success(events.get_message(ignore_subscribe_messages=True, timeout=0.1)), timeout_seconds=10
        )


def _subscription(client: redis.Redis) -> Any:
    events: Any = client.pubsub()  # type: ignore[no-untyped-call]
    events.psubscribe("*celeryev*")
    return events


def _is_success(message: Any) -> bool:
    if message is None:
        return False
    return b"task-succeeded" in base64.b64decode(json.loads(message["data"])["body"])

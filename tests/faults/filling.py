"""Making a broker full: a Redis that may hold nothing more, a RabbitMQ whose memory alarm rings."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from bench.chaos.brokers import AnyBroker, RabbitBroker
from tests.servers.rabbitmq import control


@contextmanager
def full(broker: AnyBroker) -> Iterator[None]:
    """Let the broker take no message while the block runs."""
    if isinstance(broker, RabbitBroker):
        control(broker.home, "set_vm_memory_high_watermark", "0")
        try:
            yield
        finally:
            control(broker.home, "set_vm_memory_high_watermark", "0.9")
        return
    with redis.Redis.from_url(broker.url) as client:
        client.config_set("maxmemory", "1")
        try:
            yield
        finally:
            client.config_set("maxmemory", "0")

"""A second Redis that copies the first and can take its place."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import redis

from bench.chaos.brokers import AnyBroker, RedisBroker
from tests.waiting import wait_until


@contextmanager
def replica_of(primary: AnyBroker, directory: Path) -> Iterator[tuple[str, redis.Redis]]:
    """Run a copy while the block runs; yield its address and a client. It takes the first one's password."""
    password = urlsplit(primary.url).password or ""
    replica = RedisBroker(directory)
    with replica.running(), redis.Redis.from_url(replica.url) as client:
        client.config_set("masterauth", password)
        client.config_set("requirepass", password)
        client.replicaof("127.0.0.1", str(urlsplit(primary.url).port))
        wait_until(lambda: client.info("replication").get("master_link_status") == "up", timeout_seconds=20)
        yield f"redis://:{password}@127.0.0.1:{urlsplit(replica.url).port}/0", client
